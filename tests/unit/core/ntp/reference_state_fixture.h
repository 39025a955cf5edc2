// A ReferenceState with a clock and a source in the test's hand: a second passes with each poll.
#pragma once

#include <gtest/gtest.h>

#include "core/ntp/reference_state.h"
#include "tests/support/fakes.h"

namespace ntsd::testing {

inline const UnixTime kLeapAt(std::chrono::seconds(1'483'228'800));  // 2017-01-01

class ReferenceStateTest : public ::testing::Test {
 protected:
  explicit ReferenceStateTest(UnixTime start = kLeapAt - std::chrono::hours(100))
      : clock_(start), state_(Settings(), Read()) {
    sample_.synchronized = true;
    sample_.leap = LeapIndicator::kNone;
    sample_.stratum = 3;
    sample_.reference_id = 0xC0000207;
    sample_.root_delay = std::chrono::milliseconds(10);
    sample_.root_dispersion = std::chrono::milliseconds(2);
    sample_.source_update = start;
  }
  static ReferenceState::Settings Settings() {
    return {.distance_max = std::chrono::milliseconds(500), .precision = -23};
  }

  ClockReading Read() const { return {clock_.Now(), clock_.Monotonic()}; }
  // A second later the source is asked, and answers `sample_`.
  ServerState Poll() {
    clock_.Advance(std::chrono::seconds(1));
    state_.OnClock(Read());
    sample_.taken = Read();
    state_.OnSample(sample_);
    return state_.Publish(Read());
  }
  ServerState PollInVain(Duration after = std::chrono::seconds(1)) {
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

}  // namespace ntsd::testing
