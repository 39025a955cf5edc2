// Leap seconds in what we publish: announced, made, withdrawn, smeared.
#include <gtest/gtest.h>

#include "core/ntp/reference_state.h"
#include "tests/unit/core/ntp/reference_state_fixture.h"

namespace ntsd {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::FakeClock;
using testing::kLeapAt;
using testing::ReferenceStateTest;

class LeapTest : public ReferenceStateTest {
 protected:
  // Runs to `until` (by the clock), one poll at its end.
  ServerState RunTo(UnixTime until) {
    clock_.Advance(until - seconds(1) - clock_.Now());
    return Poll();
  }
  static LeapTable Table(UnixTime expires = kLeapAt + hours(24 * 180)) {
    return {.entries = {{UnixTime{}, 36}, {kLeapAt, 37}}, .updated = UnixTime{}, .expires = expires};
  }
};

TEST_F(LeapTest, FromTheSourceIsAnnouncedOnTheLastDayOnly) {  // R-LEAP-01, R-LEAP-02
  sample_.leap = LeapIndicator::kInsert;                      // for weeks, as some servers do
  EXPECT_EQ(RunTo(kLeapAt - hours(25)).leap, LeapIndicator::kNone);
  EXPECT_EQ(RunTo(kLeapAt - hours(24)).leap, LeapIndicator::kInsert);
  EXPECT_EQ(RunTo(kLeapAt - seconds(1)).LeapAt(clock_.Now()), LeapIndicator::kInsert);
}

TEST_F(LeapTest, FromTheSourceCanBeWithdrawn) {
  sample_.leap = LeapIndicator::kDelete;
  EXPECT_EQ(RunTo(kLeapAt - hours(20)).leap, LeapIndicator::kDelete);
  sample_.leap = LeapIndicator::kNone;
  EXPECT_EQ(RunTo(kLeapAt - hours(19)).leap, LeapIndicator::kNone);
}

TEST_F(LeapTest, IsNotWithdrawnInTheLastMinute) {
  sample_.leap = LeapIndicator::kInsert;
  RunTo(kLeapAt - minutes(2));
  sample_.leap = LeapIndicator::kNone;  // daemons drop it a little early
  EXPECT_EQ(RunTo(kLeapAt - minutes(1)).leap, LeapIndicator::kInsert);
  EXPECT_EQ(RunTo(kLeapAt - seconds(1)).leap, LeapIndicator::kInsert);
}

TEST_F(LeapTest, FromTheTableNeedsNoSource) {
  state_.SetLeapTable(Table());
  EXPECT_EQ(RunTo(kLeapAt - hours(25)).leap, LeapIndicator::kNone);
  EXPECT_EQ(RunTo(kLeapAt - hours(24)).leap, LeapIndicator::kInsert);
}

TEST_F(LeapTest, TheTableOverrulesTheSource) {
  LeapTable table = Table();
  table.entries.pop_back();
  state_.SetLeapTable(table);
  sample_.leap = LeapIndicator::kInsert;
  EXPECT_EQ(RunTo(kLeapAt - hours(1)).leap, LeapIndicator::kNone) << "false announcements have happened";
}

TEST_F(LeapTest, AnExpiredTableDoesNot) {
  LeapTable table = Table(kLeapAt - hours(99));
  table.entries.pop_back();
  state_.SetLeapTable(table);
  sample_.leap = LeapIndicator::kInsert;
  EXPECT_EQ(RunTo(kLeapAt - hours(1)).leap, LeapIndicator::kInsert);
}

TEST_F(LeapTest, NoneWhileNotSynchronized) {
  state_.SetLeapTable(Table());
  sample_.synchronized = false;
  EXPECT_EQ(RunTo(kLeapAt - hours(1)).leap, LeapIndicator::kUnsynchronized);
}

TEST_F(LeapTest, TheLeapSecondItselfIsNoDoubtfulStep) {
  state_.SetLeapTable(Table());
  RunTo(kLeapAt);
  clock_.Step(seconds(-1));
  EXPECT_TRUE(state_.OnClock(Read()));
  ServerState state = Poll();
  EXPECT_TRUE(IsFit(state));
  EXPECT_TRUE(state.leap_second.passed);
  EXPECT_EQ(state.clock_epoch, 1U);
}

TEST_F(LeapTest, AStepOfASecondAtAnotherTimeIsDoubtful) {
  state_.SetLeapTable(Table());
  RunTo(kLeapAt - hours(2));
  clock_.Step(seconds(-1));
  EXPECT_FALSE(IsFit(Poll()));
  EXPECT_FALSE(state_.leap_second().passed);
}

TEST_F(LeapTest, AClockThatDidNotLeapIsNotTakenForOneThatDid) {
  state_.SetLeapTable(Table());
  RunTo(kLeapAt - seconds(5));
  sample_.offset = seconds(-1);  // the daemon sees it, and slews
  EXPECT_FALSE(RunTo(kLeapAt + minutes(10)).leap_second.passed);
  sample_.offset = milliseconds(-499);
  EXPECT_TRUE(RunTo(kLeapAt + minutes(20)).leap_second.passed);
}

TEST_F(LeapTest, IsForgottenAtNoon) {
  sample_.leap = LeapIndicator::kInsert;
  RunTo(kLeapAt - seconds(20));
  sample_.leap = LeapIndicator::kNone;
  EXPECT_EQ(RunTo(kLeapAt + hours(12) - seconds(1)).leap_second.at, kLeapAt);
  EXPECT_EQ(RunTo(kLeapAt + hours(12)).leap_second, LeapSecond{});
}

TEST_F(LeapTest, OfASourceThatForgetsToStopIsNotTheNextOneAtOnce) {
  sample_.leap = LeapIndicator::kInsert;
  RunTo(kLeapAt - seconds(20));
  for (int hour = 1; hour < 24 * 30; ++hour) ASSERT_EQ(RunTo(kLeapAt + hours(hour)).leap, LeapIndicator::kNone);
}

TEST_F(LeapTest, KnowsWhetherItCanBeSmeared) {
  sample_.leap = LeapIndicator::kInsert;
  EXPECT_TRUE(RunTo(kLeapAt - hours(13)).leap_second.known_in_time);
  EXPECT_TRUE(RunTo(kLeapAt - hours(11)).leap_second.known_in_time) << "it was";
  sample_.leap = LeapIndicator::kNone;
  RunTo(kLeapAt - hours(10));
  sample_.leap = LeapIndicator::kInsert;
  EXPECT_FALSE(RunTo(kLeapAt - hours(9)).leap_second.known_in_time);
}

// Found by the simulation: a stranger's step of an hour, soon taken back, made it forget the smear of the morning.
TEST_F(LeapTest, IsNotForgottenByAClockInDoubt) {
  sample_.leap = LeapIndicator::kInsert;
  RunTo(kLeapAt - seconds(20));
  sample_.leap = LeapIndicator::kNone;
  RunTo(kLeapAt + hours(11) + minutes(30));
  clock_.Step(hours(1));
  EXPECT_FALSE(IsFit(Poll()));
  clock_.Step(-hours(1));
  const ServerState state = Poll();
  EXPECT_TRUE(IsFit(state));
  EXPECT_EQ(state.leap_second.at, kLeapAt);
}

class StartAfterLeapTest : public LeapTest {
 protected:
  StartAfterLeapTest() {
    clock_ = FakeClock(kLeapAt + hours(3));
    state_ = ReferenceState(Settings(), Read());
  }
};

TEST_F(StartAfterLeapTest, GoesOnSmearing) {
  state_.SetLeapTable(Table());
  const ServerState state = Poll();
  EXPECT_TRUE(state.leap_second.passed);
  const ServerState smeared = state.Smeared(clock_.Now());
  EXPECT_NEAR(static_cast<double>((smeared.ServedTime(clock_.Now()) - clock_.Now()).count()), 1e9 * 9 / 24, 1e5);
}

}  // namespace
}  // namespace ntsd
