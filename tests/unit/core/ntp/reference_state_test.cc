#include "core/ntp/reference_state.h"

#include <gtest/gtest.h>

#include "tests/unit/core/ntp/reference_state_fixture.h"

namespace ntsd {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::FakeClock;
using testing::kLeapAt;
using testing::ReferenceStateTest;

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
          const bool passes = published.IsOneEpoch(receive, clock.Now(), clock.Monotonic());
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

// Found by the simulation, seed 2: the update was new to us, and yet older than the step.
TEST_F(ReferenceStateTest, DoubtsAnUpdateFromRightBeforeTheStep) {
  Poll();
  sample_.source_update = clock_.Now() + milliseconds(400);  // not asked for any more before the step
  clock_.Advance(milliseconds(500));
  clock_.Step(milliseconds(29));
  EXPECT_FALSE(IsFit(Poll()));
  EXPECT_FALSE(IsFit(Poll()));
  sample_.source_update = clock_.Now();
  sample_.offset = milliseconds(-29);
  EXPECT_TRUE(IsFit(Poll()));
}

// Found by the simulation, seed 2: a small step by somebody else while the source slews.
TEST_F(ReferenceStateTest, TellsTheRestOfAStepThatItExcuses) {
  sample_.offset = milliseconds(2);
  Poll();
  clock_.Step(milliseconds(-7));
  ServerState state = Poll();
  EXPECT_TRUE(IsFit(state));
  EXPECT_EQ(state.root_dispersion, milliseconds(2) + milliseconds(9)) << "the sample's, and what nobody announced";
  sample_.source_update = clock_.Now() + Duration(1);
  EXPECT_EQ(Poll().root_dispersion, milliseconds(2));
}

TEST_F(ReferenceStateTest, ExcusesAStepThatIsTakenBack) {
  Poll();
  clock_.Step(seconds(3));
  EXPECT_FALSE(IsFit(Poll()));
  clock_.Step(seconds(-3) + milliseconds(4));  // by the source, which has measured
  const ServerState state = Poll();
  EXPECT_TRUE(IsFit(state));
  EXPECT_EQ(state.root_dispersion, milliseconds(2) + milliseconds(4));
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
  sample_.source_update = clock_.Now();
  sample_.offset = seconds(-2);
  Poll();
  EXPECT_EQ(Condition(), ReferenceCondition::kStepped);
  sample_.source_update = clock_.Now();
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

}  // namespace
}  // namespace ntsd
