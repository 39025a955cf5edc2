#include "server/udp/wake_event.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include "core/base/check.h"

namespace ntsd {

WakeEvent::WakeEvent() : fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) { CHECK(fd_ >= 0); }

WakeEvent::~WakeEvent() { close(fd_); }

void WakeEvent::Set() const {
  // Fails only when the counter is full, and then it is set anyway.
  [[maybe_unused]] const int result = eventfd_write(fd_, 1);
}

bool WakeEvent::Clear() const {
  eventfd_t value = 0;
  return eventfd_read(fd_, &value) == 0;
}

}  // namespace ntsd
