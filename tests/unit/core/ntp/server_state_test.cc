#include "core/ntp/server_state.h"

#include <gtest/gtest.h>

#include <limits>

#include "core/ntp/smear.h"
#include "tests/support/fakes.h"

namespace ntsd {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

const MonotonicTime kStart(hours(5));
const UnixTime kLeapAt(seconds(1'483'228'800));  // 2017-01-01

ServerState Synchronized() {
  ServerState state;
  state.synchronized = true;
  state.leap = LeapIndicator::kNone;
  state.stratum = 2;
  state.reference_id = 0xC0000201;
  state.root_delay = milliseconds(20);
  state.root_dispersion = milliseconds(5);
  state.dispersion_at = kStart;
  return state;
}

TEST(ServerState, StartsUnfit) { EXPECT_FALSE(ServerState{}.IsFitToServe(kStart)); }  // R-NTP-06, R-LEAP-05

TEST(ServerState, DispersionGrowsByFifteenPpm) {  // R-NTP-09
  const ServerState state = Synchronized();
  EXPECT_EQ(state.RootDispersionAt(kStart), milliseconds(5));
  EXPECT_EQ(state.RootDispersionAt(kStart + seconds(1)), milliseconds(5) + microseconds(15));
  EXPECT_EQ(state.RootDispersionAt(kStart + hours(1)), milliseconds(5) + milliseconds(54));
  EXPECT_EQ(state.RootDispersionAt(kStart - hours(1)), milliseconds(5)) << "never younger than new";
}

TEST(ServerState, NoAgeOverflows) {
  ServerState state = Synchronized();
  state.dispersion_rate_ppb = 1'000'000'000;
  EXPECT_GT(state.RootDispersionAt(kStart + hours(24 * 365 * 100)), hours(24 * 365 * 99));
  EXPECT_FALSE(state.IsFitToServe(kStart + hours(24 * 365 * 100)));
}

TEST(ServerState, IsFitExactlyUntilTheDistanceIsReached) {
  ServerState state = Synchronized();
  // 1 s - 10 ms - 5 ms = 985 ms at 15 ppm.
  const Duration fit_for = Duration(985'000'000'000'000 / 15);
  EXPECT_TRUE(state.IsFitToServe(kStart));
  EXPECT_TRUE(state.IsFitToServe(kStart + fit_for));
  EXPECT_FALSE(state.IsFitToServe(kStart + fit_for + milliseconds(1)));
  state.synchronized = false;
  EXPECT_FALSE(state.IsFitToServe(kStart));
}

TEST(ServerState, AnnouncesALeapSecondByTheTimeOfTheAnswer) {
  ServerState state = Synchronized();
  state.leap_second = {kLeapAt, 1, false, true};
  state.leap = LeapIndicator::kInsert;  // as of publication; the answer leaves later
  EXPECT_EQ(state.LeapAt(kLeapAt - Duration(1)), LeapIndicator::kInsert);
  EXPECT_EQ(state.LeapAt(kLeapAt), LeapIndicator::kNone);
  EXPECT_EQ(state.LeapAt(kLeapAt - hours(24) - Duration(1)), LeapIndicator::kNone);
}

TEST(ServerState, ServesTheClockItselfUnlessSmeared) {  // R-LEAP-03
  ServerState state = Synchronized();
  state.leap_second = {kLeapAt, 1, false, true};
  for (const Duration before : {Duration(seconds(1)), Duration(hours(6)), Duration(hours(18))}) {
    EXPECT_EQ(state.ServedTime(kLeapAt - before), kLeapAt - before);
  }
}

TEST(SmearedState, NeverAnnouncesALeapSecond) {  // R-LEAP-04
  ServerState state = Synchronized();
  state.leap_second = {kLeapAt, 1, false, true};
  state.leap = LeapIndicator::kInsert;
  for (Duration before = hours(36); before > -Duration(hours(36)); before -= milliseconds(1'234'567)) {
    const UnixTime now = kLeapAt - before;
    state.leap_second.passed = now >= kLeapAt;
    const ServerState smeared = state.Smeared(now);
    EXPECT_EQ(smeared.LeapAt(now), LeapIndicator::kNone);
    EXPECT_EQ(smeared.leap, LeapIndicator::kNone);
    EXPECT_TRUE(smeared.IsFitToServe(kStart));
    EXPECT_EQ(smeared.stratum, 2);
    EXPECT_EQ(smeared.reference_id >> 24, IsSmearing(now, state.leap_second) ? 254U : 192U);
    EXPECT_EQ(smeared.ServedTime(now), now + SmearOffset(now, state.leap_second));
  }
}

TEST(SmearedState, KeepsTheAgeOfTheReferenceTime) {
  ServerState state = Synchronized();
  state.leap_second = {kLeapAt, 1, false, true};
  const UnixTime now = kLeapAt - hours(3);
  state.reference_time = now - seconds(17);
  const ServerState smeared = state.Smeared(now);
  EXPECT_EQ(smeared.ServedTime(now) - smeared.reference_time, seconds(17));
}

TEST(SmearedState, IsUnfitNearALeapSecondThatItCannotSmear) {
  ServerState state = Synchronized();
  state.leap_second = {kLeapAt, 1, false, false};
  EXPECT_TRUE(state.Smeared(kLeapAt - hours(13)).IsFitToServe(kStart));
  EXPECT_FALSE(state.Smeared(kLeapAt - hours(1)).IsFitToServe(kStart));
  EXPECT_EQ(state.Smeared(kLeapAt - hours(1)).leap, LeapIndicator::kUnsynchronized);
  EXPECT_TRUE(state.IsFitToServe(kStart)) << "other listeners go on";
}

TEST(SmearedState, StaysUnsynchronized) {
  const ServerState smeared = ServerState{}.Smeared(kLeapAt);
  EXPECT_EQ(smeared.leap, LeapIndicator::kUnsynchronized);
  EXPECT_FALSE(smeared.IsFitToServe(kStart));
}

class EpochTest : public ::testing::Test {
 protected:
  EpochTest() {
    state_.wall_minus_monotonic = clock_.Now().time_since_epoch() - clock_.Monotonic().time_since_epoch();
    state_.epoch_began = clock_.Now();
    clock_.Advance(seconds(10));
  }
  bool IsOneEpoch(UnixTime receive) const { return state_.IsOneEpoch(receive, clock_.Now(), clock_.Monotonic()); }

  testing::FakeClock clock_;
  ServerState state_ = Synchronized();
};

TEST_F(EpochTest, OneWhileTheClockOnlyRuns) {
  const UnixTime receive = clock_.Now();
  clock_.Advance(milliseconds(3));
  EXPECT_TRUE(IsOneEpoch(receive));
}

TEST_F(EpochTest, AnotherAfterAStepEitherWay) {
  for (const Duration step :
       {Duration(milliseconds(1)), Duration(hours(1)), -Duration(milliseconds(1)), -Duration(hours(1))}) {
    const UnixTime receive = clock_.Now();
    clock_.Step(step);
    EXPECT_FALSE(IsOneEpoch(receive)) << step.count();
    clock_.Step(-step);
    EXPECT_TRUE(IsOneEpoch(receive));
  }
}

TEST_F(EpochTest, AnotherForAReceiveTimeFromBefore) {
  EXPECT_TRUE(IsOneEpoch(state_.epoch_began));
  EXPECT_FALSE(IsOneEpoch(state_.epoch_began - Duration(1)));
}

// Found by the simulation: received before a step back, answered after the watcher had published the new epoch.
TEST_F(EpochTest, AnotherForAReceiveTimeInTheFuture) {
  EXPECT_TRUE(IsOneEpoch(clock_.Now() + microseconds(10))) << "the network card's clock may differ a little";
  EXPECT_FALSE(IsOneEpoch(clock_.Now() + kClockStepMin + Duration(1)));
  EXPECT_FALSE(IsOneEpoch(clock_.Now() + hours(1)));
}

TEST_F(EpochTest, NotAskedWhenNobodyWatches) {
  state_.wall_minus_monotonic = Duration::zero();
  EXPECT_TRUE(IsOneEpoch(UnixTime{}));
}

}  // namespace
}  // namespace ntsd
