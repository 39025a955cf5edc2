#include "server/control/rate_meter.h"

#include <gtest/gtest.h>

namespace ntsd {
namespace {

using std::chrono::seconds;

MonotonicTime At(int s) { return MonotonicTime(seconds(s)); }

TEST(RateMeter, NeedsTwoReadings) {
  RateMeter meter;
  EXPECT_EQ(meter.PerSecond(), 0);
  meter.Add(At(1), 1000);
  EXPECT_EQ(meter.PerSecond(), 0);
  meter.Add(At(2), 1500);
  EXPECT_EQ(meter.PerSecond(), 500);
}

TEST(RateMeter, IsTheMeanOfTheLastTenSeconds) {
  RateMeter meter;
  std::uint64_t count = 0;
  for (int s = 0; s < 40; ++s) meter.Add(At(s), count += s < 20 ? 1000 : 10);
  EXPECT_EQ(meter.PerSecond(), 10);
  for (int s = 40; s < 45; ++s) meter.Add(At(s), count += 30);
  EXPECT_EQ(meter.PerSecond(), 20) << "five seconds of each";
}

TEST(RateMeter, ACounterThatWentBackIsNoRate) {
  RateMeter meter;
  meter.Add(At(1), 1000);
  meter.Add(At(2), 10);
  EXPECT_EQ(meter.PerSecond(), 0);
  meter.Add(At(2), 10);
  EXPECT_EQ(meter.PerSecond(), 0);
}

}  // namespace
}  // namespace ntsd
