#include "core/ntp/leap.h"

#include <gtest/gtest.h>

namespace ntsd {
namespace {

using std::chrono::hours;
using std::chrono::nanoseconds;
using std::chrono::seconds;
using std::chrono::year_month_day;

UnixTime Date(int year, unsigned month, unsigned day) {
  return std::chrono::sys_days(
      year_month_day(std::chrono::year(year), std::chrono::month(month), std::chrono::day(day)));
}

TEST(EndOfMonth, IsTheFirstInstantOfTheNextMonth) {
  EXPECT_EQ(EndOfMonth(Date(2016, 12, 31) + hours(23)), Date(2017, 1, 1));
  EXPECT_EQ(EndOfMonth(Date(2026, 1, 1)), Date(2026, 2, 1));
  EXPECT_EQ(EndOfMonth(Date(2028, 2, 29)), Date(2028, 3, 1)) << "leap year";
  EXPECT_EQ(EndOfMonth(Date(2100, 2, 28)), Date(2100, 3, 1)) << "no leap year";
  EXPECT_EQ(EndOfMonth(Date(2026, 7, 1) - nanoseconds(1)), Date(2026, 7, 1));
  EXPECT_EQ(EndOfMonth(Date(2026, 7, 1)), Date(2026, 8, 1));
  // Before 1970, too: rounding is downwards, not towards zero.
  EXPECT_EQ(EndOfMonth(Date(1969, 12, 31) + hours(1)), Date(1970, 1, 1));
}

class AnnouncedLeapTest : public ::testing::TestWithParam<int> {};

TEST_P(AnnouncedLeapTest, OnTheLastDayOfTheMonthOnly) {  // R-LEAP-01, R-LEAP-02
  const auto change = static_cast<std::int8_t>(GetParam());
  const LeapIndicator announced = change > 0 ? LeapIndicator::kInsert : LeapIndicator::kDelete;
  const UnixTime at = Date(2017, 1, 1);
  const LeapSecond leap{.at = at, .change = change, .passed = false, .known_in_time = true};
  for (int day = 1; day < 60; ++day)
    EXPECT_EQ(AnnouncedLeap(leap, at - hours(24 * day) - hours(1)), LeapIndicator::kNone);
  EXPECT_EQ(AnnouncedLeap(leap, at - hours(24) - nanoseconds(1)), LeapIndicator::kNone);
  EXPECT_EQ(AnnouncedLeap(leap, at - hours(24)), announced);
  EXPECT_EQ(AnnouncedLeap(leap, at - nanoseconds(1)), announced);
  EXPECT_EQ(AnnouncedLeap(leap, at), LeapIndicator::kNone);
  EXPECT_EQ(AnnouncedLeap(leap, at + hours(24)), LeapIndicator::kNone);
}

INSTANTIATE_TEST_SUITE_P(BothKinds, AnnouncedLeapTest, ::testing::Values(1, -1));

TEST(AnnouncedLeap, StillInTheSecondThatIsCountedTwice) {
  const UnixTime at = Date(2017, 1, 1);
  const LeapSecond leap{.at = at, .change = 1, .passed = true, .known_in_time = true};
  EXPECT_EQ(AnnouncedLeap(leap, at - nanoseconds(500'000'000)), LeapIndicator::kInsert);
}

TEST(AnnouncedLeap, NoneWhenNoneIsKnown) {
  EXPECT_EQ(AnnouncedLeap(LeapSecond{}, UnixTime{} - hours(1)), LeapIndicator::kNone);
  EXPECT_EQ(AnnouncedLeap(LeapSecond{}, Date(2026, 12, 31)), LeapIndicator::kNone);
}

}  // namespace
}  // namespace ntsd
