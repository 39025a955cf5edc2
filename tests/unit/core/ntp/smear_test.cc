#include "core/ntp/smear.h"

#include <gtest/gtest.h>

#include <vector>

namespace ntsd {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

const UnixTime kAt(seconds(1'483'228'800));  // 2017-01-01

// The POSIX clock of a machine that makes the leap second as Linux does, `elapsed` after the noon before it.
struct Instant {
  UnixTime shown;
  LeapSecond leap;
};
Instant LinuxClock(Duration elapsed, std::int8_t change) {
  // Linux inserts by counting the last second again, and deletes by leaving it out: at 23:59:60 or 23:59:59.
  const Duration step_at = change > 0 ? Duration(hours(12)) : Duration(hours(12) - seconds(1));
  Instant instant{kAt - hours(12) + elapsed, {kAt, change, false, true}};
  if (elapsed >= step_at) {
    instant.leap.passed = true;
    instant.shown -= seconds(change);
  }
  return instant;
}
UnixTime Smeared(Duration elapsed, std::int8_t change) {
  const Instant instant = LinuxClock(elapsed, change);
  return instant.shown + SmearOffset(instant.shown, instant.leap);
}

class SmearTest : public ::testing::TestWithParam<int> {
 protected:
  const std::int8_t change_ = static_cast<std::int8_t>(GetParam());
  const Duration length_ = hours(24) + seconds(change_);
};

TEST_P(SmearTest, RunsFromNoonToNoonAtOneRate) {
  // 86400 smeared seconds for 86401 (or 86399) real ones, at every moment: a straight line, to the nanosecond.
  for (Duration elapsed = Duration(0); elapsed <= length_; elapsed += milliseconds(7919)) {
    const double expected = static_cast<double>(elapsed.count()) * 86400 / static_cast<double>(86400 + change_);
    const Duration smeared = Smeared(elapsed, change_) - (kAt - hours(12));
    ASSERT_NEAR(static_cast<double>(smeared.count()), expected, 2) << elapsed.count();
  }
}

TEST_P(SmearTest, NeitherJumpsNorStandsStillAroundTheLeapSecond) {
  UnixTime before = Smeared(hours(12) - seconds(3), change_);
  for (Duration elapsed = hours(12) - seconds(3) + milliseconds(1); elapsed < hours(12) + seconds(3);
       elapsed += milliseconds(1)) {
    const UnixTime now = Smeared(elapsed, change_);
    ASSERT_NEAR(static_cast<double>((now - before).count()), 1e6, 20) << elapsed.count();
    before = now;
  }
}

TEST_P(SmearTest, IsNothingOutside) {
  const LeapSecond before{kAt, change_, false, true};
  const LeapSecond after{kAt, change_, true, true};
  EXPECT_EQ(SmearOffset(kAt - hours(12), before), Duration(0));
  EXPECT_EQ(SmearOffset(kAt - hours(13), before), Duration(0));
  EXPECT_EQ(SmearOffset(kAt + hours(12), after), Duration(0));
  EXPECT_EQ(SmearOffset(kAt + hours(13), after), Duration(0));
  EXPECT_FALSE(IsSmearing(kAt - hours(12), before));
  EXPECT_TRUE(IsSmearing(kAt - hours(12) + Duration(1), before));
  EXPECT_TRUE(IsSmearing(kAt + hours(12) - Duration(1), after));
  EXPECT_FALSE(IsSmearing(kAt + hours(12), after));
}

TEST_P(SmearTest, IsHalfASecondAtTheLeapSecond) {
  const LeapSecond before{kAt, change_, false, true};
  const LeapSecond after{kAt, change_, true, true};
  EXPECT_NEAR(static_cast<double>(SmearOffset(kAt, before).count()), -change_ * 5e8, 1e4);
  EXPECT_NEAR(static_cast<double>(SmearOffset(kAt, after).count()), change_ * 5e8, 1e4);
}

TEST_P(SmearTest, NeverSmearsWhatWasLearnedTooLate) {
  const LeapSecond late{kAt, change_, false, false};
  EXPECT_TRUE(IsLeapNear(kAt - hours(1), late));
  EXPECT_FALSE(IsSmearing(kAt - hours(1), late));
  EXPECT_EQ(SmearOffset(kAt - hours(1), late), Duration(0));
}

INSTANTIATE_TEST_SUITE_P(BothKinds, SmearTest, ::testing::Values(1, -1));

TEST(Smear, NoneWithoutALeapSecond) {
  EXPECT_EQ(SmearOffset(UnixTime(seconds(1)), LeapSecond{.known_in_time = true}), Duration(0));
  EXPECT_FALSE(IsLeapNear(UnixTime(seconds(1)), LeapSecond{.known_in_time = true}));
}

TEST(SmearReferenceId, IsWhatNtpdShows) {
  EXPECT_EQ(SmearReferenceId(Duration(0)), 0xFE000000U);
  EXPECT_EQ(SmearReferenceId(milliseconds(500)), 0xFE200000U);
  EXPECT_EQ(SmearReferenceId(milliseconds(-250)), 0xFEF00000U);
  EXPECT_EQ(SmearReferenceId(seconds(-1)), 0xFEC00000U);
  EXPECT_EQ(SmearReferenceId(seconds(1)), 0xFE400000U);
}

}  // namespace
}  // namespace ntsd
