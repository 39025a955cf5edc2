#include "server/system_clock.h"

#include <gtest/gtest.h>
#include <time.h>

namespace ntsd {
namespace {

Duration ReadKernel(clockid_t id) {
  timespec now{};
  EXPECT_EQ(clock_gettime(id, &now), 0);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

TEST(SystemClock, ServesTheRealTimeClock) {
  const SystemClock clock;
  const Duration before = ReadKernel(CLOCK_REALTIME);
  const Duration now = clock.Now().time_since_epoch();
  const Duration after = ReadKernel(CLOCK_REALTIME);
  EXPECT_LE(before, now);
  EXPECT_LE(now, after);
}

TEST(SystemClock, MeasuresAgesWithTheBootClock) {
  const SystemClock clock;
  const Duration before = ReadKernel(CLOCK_BOOTTIME);
  const Duration now = clock.Monotonic().time_since_epoch();
  const Duration after = ReadKernel(CLOCK_BOOTTIME);
  EXPECT_LE(before, now);
  EXPECT_LE(now, after);
}

}  // namespace
}  // namespace ntsd
