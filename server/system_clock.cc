#include "server/system_clock.h"

#include <time.h>

#include "core/base/check.h"

namespace ntsd {
namespace {

// Through the vDSO: some 20 ns and no system call, as long as the machine's clock source allows it.
Duration Read(clockid_t id) {
  timespec now{};
  clock_gettime(id, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

}  // namespace

SystemClock::SystemClock() {
  timespec now{};
  CHECK(clock_gettime(CLOCK_REALTIME, &now) == 0);
  CHECK(clock_gettime(CLOCK_BOOTTIME, &now) == 0);
}

UnixTime SystemClock::Now() const { return UnixTime(Read(CLOCK_REALTIME)); }

MonotonicTime SystemClock::Monotonic() const { return MonotonicTime(Read(CLOCK_BOOTTIME)); }

}  // namespace ntsd
