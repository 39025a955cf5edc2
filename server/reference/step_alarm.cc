#include "server/reference/step_alarm.h"

#include <sys/timerfd.h>
#include <unistd.h>

#include <cstdint>

namespace ntsd {

StepAlarm::StepAlarm() : descriptor_(timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK)) {
  if (descriptor_ >= 0) Rearm();
}

StepAlarm::~StepAlarm() {
  if (descriptor_ >= 0) close(descriptor_);
}

void StepAlarm::Rearm() {
  std::uint64_t expirations = 0;
  // Takes the alarm off: fails with ECANCELED when the clock was set, and with EAGAIN when it was not.
  if (read(descriptor_, &expirations, sizeof(expirations)) > 0) expirations = 0;
  // The year 2242: past every clock that we serve, so the timer never ends by itself.
  const itimerspec never{.it_interval = {}, .it_value = {.tv_sec = 8'589'934'592, .tv_nsec = 0}};
  timerfd_settime(descriptor_, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, nullptr);
}

}  // namespace ntsd
