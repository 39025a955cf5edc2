#include "core/ntp/reference_state.h"

#include <gtest/gtest.h>

#include "core/ntp/smear.h"
#include "tests/support/fakes.h"

namespace ntsd {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::FakeClock;

const UnixTime kLeapAt(seconds(1'483'228'800));  // 2017-01-01

class ReferenceStateTest : public ::testing::Test {
 protected:
  explicit ReferenceStateTest(UnixTime start = kLeapAt - hours(100)) : clock_(start), state_(Settings(), Read()) {
    sample_.synchronized = true;
    sample_.leap = LeapIndicator::kNone;
    sample_.stratum = 3;
    sample_.reference_id = 0xC0000207;
    sample_.root_delay = milliseconds(10);
    sample_.root_dispersion = milliseconds(2);
    sample_.source_update = start;
  }
  static ReferenceState::Settings Settings() { return {.distance_max = milliseconds(500), .precision = -23}; }

  ClockReading Read() const { return {clock_.Now(), clock_.Monotonic()}; }
  // A second later the source is asked, and answers `sample_`.
  ServerState Poll() {
    clock_.Advance(seconds(1));
    state_.OnClock(Read());
    sample_.taken = Read();
    state_.OnSample(sample_);
    return state_.Publish(Read());
  }
  ServerState PollInVain(Duration after = seconds(1)) {
    clock_.Advance(after);
    state_.OnClock(Read());
    state_.OnNoSample();
    return state_.Publish(Read());
  }
  // As a daemon does it: the correction that it announced is made, and its clock is then right.
  void StepByTheSource(Duration by) {
    sample_.offset = by;
    Poll();
    clock_.Step(by);
    sample_.offset = Duration::zero();
  }
  bool IsFit(const ServerState& state) const { return state.IsFitToServe(clock_.Monotonic()); }
  ReferenceCondition Condition() const { return state_.ConditionAt(Read()); }

  FakeClock clock_;
  ReferenceState state_;
  ReferenceSample sample_;
};

TEST_F(ReferenceStateTest, SaysNothingBeforeTheFirstSample) {
  const ServerState state = state_.Publish(Read());
  EXPECT_FALSE(IsFit(state));
  EXPECT_EQ(state.leap, LeapIndicator::kUnsynchronized);
  EXPECT_EQ(state.precision, -23);
  EXPECT_EQ(Condition(), ReferenceCondition::kWaiting);
}

TEST_F(ReferenceStateTest, PublishesTheSample) {  // R-NTP-08
  sample_.reference_time = clock_.Now();
  const ServerState state = Poll();
  EXPECT_TRUE(IsFit(state));
  EXPECT_EQ(state.leap, LeapIndicator::kNone);
  EXPECT_EQ(state.stratum, 3);
  EXPECT_EQ(state.reference_id, 0xC0000207U);
  EXPECT_EQ(state.root_delay, milliseconds(10));
  EXPECT_EQ(state.root_dispersion, milliseconds(2));
  EXPECT_EQ(state.dispersion_at, clock_.Monotonic());
  EXPECT_EQ(state.reference_time, sample_.reference_time);
  EXPECT_EQ(state.distance_max, milliseconds(500));
  EXPECT_EQ(state.clock_epoch, 0U);
  EXPECT_EQ(Condition(), ReferenceCondition::kSynchronized);
}

TEST_F(ReferenceStateTest, RunsOnWithoutTheSourceUntilTheDistanceIsTooLarge) {  // R-NTP-09, R-LEAP-05
  const ServerState at_loss = Poll();
  ServerState state = PollInVain();
  EXPECT_TRUE(IsFit(state));
  EXPECT_EQ(Condition(), ReferenceCondition::kHolding);
  EXPECT_EQ(state.dispersion_at, at_loss.dispersion_at) << "age counts from the last sample";
  state = PollInVain(hours(1));
  EXPECT_TRUE(IsFit(state));
  EXPECT_EQ(state.RootDispersionAt(clock_.Monotonic()), milliseconds(2) + microseconds(15) * 3601);
  // 493 ms at 15 ppm are 32,867 s.
  state = PollInVain(seconds(32'870 - 3'601));
  EXPECT_FALSE(IsFit(state));
  EXPECT_EQ(Condition(), ReferenceCondition::kTooFar);
  // It is back without being asked twice.
  EXPECT_TRUE(IsFit(Poll()));
  EXPECT_EQ(Condition(), ReferenceCondition::kSynchronized);
}

TEST_F(ReferenceStateTest, BelievesASourceThatIsNotSynchronized) {
  Poll();
  sample_.synchronized = false;
  EXPECT_FALSE(IsFit(Poll()));
  EXPECT_EQ(Condition(), ReferenceCondition::kUnsynchronized);
  EXPECT_FALSE(IsFit(PollInVain())) << "losing such a source makes nothing better";
  sample_.synchronized = true;
  EXPECT_TRUE(IsFit(Poll()));
}

TEST_F(ReferenceStateTest, IsTooFarWhenTheSourceIs) {
  sample_.root_dispersion = milliseconds(496);
  EXPECT_FALSE(IsFit(Poll()));
  EXPECT_EQ(Condition(), ReferenceCondition::kTooFar);
  sample_.root_dispersion = milliseconds(495);
  EXPECT_TRUE(IsFit(Poll()));
}

// --- Steps ---

TEST_F(ReferenceStateTest, BeginsAnEpochWithEveryStep) {
  const ServerState before = Poll();
  clock_.Step(seconds(-3));
  const auto jump = state_.OnClock(Read());
  ASSERT_TRUE(jump);
  EXPECT_EQ(*jump, seconds(-3));
  const ServerState state = state_.Publish(Read());
  EXPECT_EQ(state.clock_epoch, before.clock_epoch + 1);
  EXPECT_EQ(state.wall_minus_monotonic, before.wall_minus_monotonic - seconds(3));
  EXPECT_EQ(state.epoch_began, clock_.Now() + milliseconds(100));
  EXPECT_FALSE(IsFit(state)) << "nobody has vouched for this clock yet";
  EXPECT_EQ(Condition(), ReferenceCondition::kStepped);
  EXPECT_FALSE(state_.OnClock(Read())) << "once";
}

TEST_F(ReferenceStateTest, NoticesStepsOfAMillisecondEitherWay) {
  clock_.Step(kClockStepMin - Duration(1));
  EXPECT_FALSE(state_.OnClock(Read()));
  clock_.Step(Duration(1));
  EXPECT_TRUE(state_.OnClock(Read()));
  clock_.Step(-kClockStepMin);
  EXPECT_TRUE(state_.OnClock(Read()));
}

TEST_F(ReferenceStateTest, GuardsReceiveTimesOnlyAfterAStepBack) {
  clock_.Step(milliseconds(20));
  state_.OnClock(Read());
  EXPECT_EQ(state_.Publish(Read()).epoch_began, clock_.Now());
  clock_.Step(milliseconds(-20));
  state_.OnClock(Read());
  EXPECT_EQ(state_.Publish(Read()).epoch_began, clock_.Now() + milliseconds(20));
}

TEST_F(ReferenceStateTest, NoReceiveTimeFromBeforeAStepPasses) {
  // Received up to 100 ms before the step, answered up to 100 ms after it: never as one epoch.
  for (const int sign : {-1, 1}) {
    for (Duration size = milliseconds(1); size < seconds(2);
         size += size < milliseconds(200) ? microseconds(7'300) : milliseconds(250)) {
      const Duration by = sign * size;
      FakeClock clock(kLeapAt - hours(50));
      ReferenceState state(Settings(), {clock.Now(), clock.Monotonic()});
      clock.Advance(seconds(1));
      const UnixTime step_at = clock.Now();
      clock.Step(by);
      state.OnClock({clock.Now(), clock.Monotonic()});
      const ServerState published = state.Publish({clock.Now(), clock.Monotonic()});
      for (Duration since = milliseconds(9); since < milliseconds(100); since += milliseconds(9)) {
        clock.Advance(milliseconds(9));
        for (Duration queued = Duration(1); queued + since < milliseconds(100); queued += milliseconds(11)) {
          const UnixTime receive = step_at - queued;
          const bool passes = published.IsOneEpoch(receive, clock.Now(), clock.Monotonic()) && receive <= clock.Now();
          ASSERT_FALSE(passes) << by.count() << ' ' << since.count() << ' ' << queued.count();
        }
      }
    }
  }
}

TEST_F(ReferenceStateTest, AcceptsTheStepThatTheSourceAnnounced) {
  for (const Duration by : {Duration(milliseconds(200)), -Duration(seconds(40)), Duration(hours(9))}) {
    StepByTheSource(by);
    state_.OnClock(Read());
    EXPECT_FALSE(IsFit(state_.Publish(Read()))) << "not before it has answered again";
    EXPECT_TRUE(IsFit(Poll())) << by.count();
  }
}

TEST_F(ReferenceStateTest, DoubtsAStepByAnybodyElse) {
  Poll();
  clock_.Step(milliseconds(300));
  EXPECT_FALSE(IsFit(Poll())) << "the source has not looked at its source since";
  EXPECT_EQ(Condition(), ReferenceCondition::kStepped);
  EXPECT_FALSE(IsFit(Poll()));
  sample_.source_update += seconds(64);
  sample_.offset = milliseconds(-300);  // it has found out
  sample_.root_dispersion = milliseconds(302);
  EXPECT_TRUE(IsFit(Poll()));
}

TEST_F(ReferenceStateTest, DoubtsASourceThatAveragesOldAndNew) {
  Poll();
  clock_.Step(seconds(3));
  // As chronyd 4.3 did when its clock was set 3 s ahead: some updates between, then it starts afresh.
  for (const Duration offset : {milliseconds(-403), milliseconds(-1426), milliseconds(-3544)}) {
    sample_.offset = offset;
    sample_.source_update += seconds(1);
    EXPECT_FALSE(IsFit(Poll())) << offset.count();
    EXPECT_EQ(Condition(), ReferenceCondition::kStepped);
  }
  sample_.offset = Duration(-2'999'981'880);
  sample_.source_update += seconds(1);
  Poll();
  EXPECT_NE(Condition(), ReferenceCondition::kStepped) << "this is what it must find";
}

TEST_F(ReferenceStateTest, GivesInToASourceThatInsists) {
  Poll();
  clock_.Step(hours(1));  // perhaps the clock was wrong before, and is right now
  for (int update = 1; update < 8; ++update) {
    sample_.source_update += seconds(64);
    ASSERT_FALSE(IsFit(Poll())) << update;
    ASSERT_FALSE(IsFit(Poll())) << "asking twice is no update";
  }
  sample_.source_update += seconds(64);
  EXPECT_TRUE(IsFit(Poll()));
}

TEST_F(ReferenceStateTest, DoubtsAStepBackPastTheUpdateOfTheSource) {
  Poll();
  clock_.Step(-hours(1));  // the update that the source tells of is now in the future
  EXPECT_FALSE(IsFit(Poll()));
  sample_.synchronized = false;  // the source has noticed
  EXPECT_FALSE(IsFit(Poll()));
  sample_.synchronized = true;
  EXPECT_FALSE(IsFit(Poll()));
  sample_.source_update = clock_.Now();
  EXPECT_TRUE(IsFit(Poll()));
}

TEST_F(ReferenceStateTest, BelievesTheFirstUpdateOfASourceThatStepsAtItsStart) {
  sample_.synchronized = false;
  Poll();
  clock_.Step(seconds(17));
  sample_.synchronized = true;
  sample_.source_update = clock_.Now();
  EXPECT_TRUE(IsFit(Poll()));
}

TEST_F(ReferenceStateTest, AddsUpStepsThatItDoubts) {
  Poll();
  clock_.Step(seconds(2));
  Poll();
  clock_.Step(seconds(2));
  sample_.source_update += seconds(1);
  sample_.offset = seconds(-2);
  Poll();
  EXPECT_EQ(Condition(), ReferenceCondition::kStepped);
  sample_.source_update += seconds(1);
  sample_.offset = seconds(-4);
  Poll();
  EXPECT_NE(Condition(), ReferenceCondition::kStepped);
}

TEST_F(ReferenceStateTest, TrustsASourceThatKnowsOfSteps) {
  sample_.knows_of_steps = true;
  Poll();
  clock_.Step(hours(1));
  EXPECT_TRUE(IsFit(Poll()));
}

TEST_F(ReferenceStateTest, IgnoresASampleFromBeforeTheStep) {
  sample_.knows_of_steps = true;
  sample_.taken = Read();
  clock_.Step(seconds(1));
  state_.OnClock(Read());
  state_.OnSample(sample_);
  EXPECT_FALSE(IsFit(state_.Publish(Read())));
}

TEST_F(ReferenceStateTest, StaysUnfitWhenTheSourceIsGoneAfterAStep) {
  Poll();
  clock_.Step(seconds(1));
  EXPECT_FALSE(IsFit(PollInVain()));
  EXPECT_FALSE(IsFit(PollInVain(hours(1))));
}

// --- Leap seconds ---

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
