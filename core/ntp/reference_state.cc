#include "core/ntp/reference_state.h"

#include <algorithm>

#include "core/ntp/smear.h"

namespace ntsd {
namespace {

// A receive timestamp from before a step back by less than this can look like one from after it, until as much time has
// passed. Longer steps are told apart by the receive time being in the future; waiting longer would only cost answers.
constexpr Duration kEpochGuardMax = std::chrono::milliseconds(100);
// How far a step may be from what explains it: the source corrects a little more in the second since its last report.
constexpr Duration kExplainedWithin = std::chrono::milliseconds(10);
constexpr std::int64_t kExplainedWithinFraction = 10;
// What the source finds after somebody else's step: the step itself, or what it has not slewed away yet.
constexpr Duration kExpectedWithin = std::chrono::milliseconds(100);
constexpr std::int64_t kExpectedWithinFraction = 10;
// chronyd starts afresh after some four measurements that contradict the earlier ones.
constexpr int kUpdatesAfterStep = 8;
// A leap second is made at midnight, give or take the time that it takes us to notice.
constexpr Duration kLeapStepWithin = std::chrono::seconds(5);
constexpr Duration kLeapStepTolerance = std::chrono::milliseconds(100);
// In the last minute, and after, an announcement is not taken back any more: daemons drop it early.
constexpr Duration kLeapFinalMinute = std::chrono::minutes(1);
// A clock that is right to half a second has made its leap second; one that is not, has not.
constexpr Duration kLeapPassedOffsetMax = std::chrono::milliseconds(500);

}  // namespace

std::string_view ToString(ReferenceCondition condition) {
  switch (condition) {
    case ReferenceCondition::kWaiting:
      return "waiting for the source";
    case ReferenceCondition::kSynchronized:
      return "synchronized";
    case ReferenceCondition::kHolding:
      return "source lost, clock running on";
    case ReferenceCondition::kUnsynchronized:
      return "the source is not synchronized";
    case ReferenceCondition::kTooFar:
      return "beyond the largest distance";
    case ReferenceCondition::kStepped:
      return "clock stepped, not confirmed by the source";
  }
  return "unknown";
}

ReferenceState::ReferenceState(const Settings& settings, ClockReading now)
    : settings_(settings), started_(now), wall_minus_monotonic_(now.WallMinusMonotonic()) {}

std::optional<Duration> ReferenceState::OnClock(ClockReading now) {
  const Duration jump = now.WallMinusMonotonic() - wall_minus_monotonic_;
  if (std::chrono::abs(jump) < kClockStepMin) return std::nullopt;
  if (!IsExplained(jump, now)) BeginDoubt(jump, now);
  ++epoch_;
  wall_minus_monotonic_ += jump;
  epoch_began_ = now.wall + std::clamp(-jump, Duration::zero(), kEpochGuardMax);
  sample_.reset();
  return jump;
}

bool ReferenceState::IsExplained(Duration jump, ClockReading now) {
  const Duration leap_step = -std::chrono::seconds(leap_.change);
  if (leap_.change != 0 && !leap_.passed && std::chrono::abs(now.wall - leap_.at) < kLeapStepWithin &&
      std::chrono::abs(jump - leap_step) < kLeapStepTolerance) {
    leap_.passed = true;
    return true;
  }
  if (doubt_ || std::chrono::abs(last_offset_) < kClockStepMin) return false;
  const Duration rest = jump - last_offset_;
  if (std::chrono::abs(rest) > std::max(kExplainedWithin, std::chrono::abs(last_offset_) / kExplainedWithinFraction)) {
    return false;
  }
  Excuse(rest, now);
  return true;
}

void ReferenceState::Excuse(Duration rest, ClockReading now) {
  unexplained_rest_ = std::max(unexplained_rest_, std::chrono::abs(rest));
  rest_since_ = now.wall;
}

void ReferenceState::OnSample(const ReferenceSample& sample) {
  // Taken before a step that OnClock has noticed since: it tells of another clock.
  if (std::chrono::abs(sample.taken.WallMinusMonotonic() - wall_minus_monotonic_) >= kClockStepMin) return OnNoSample();
  is_reachable_ = true;
  sample_ = sample;
  last_offset_ = sample.offset;
  last_update_ = sample.source_update;
  was_synchronized_ = sample.synchronized;
  if (doubt_) Reconsider(sample);
  if (sample.knows_of_steps || sample.source_update > rest_since_) unexplained_rest_ = Duration::zero();
}

void ReferenceState::BeginDoubt(Duration jump, ClockReading now) {
  if (!last_update_) return;  // nothing was known that the step could have made wrong
  if (!doubt_) {
    doubt_ = Doubt{};
    doubt_->last_update = last_update_;
    if (was_synchronized_) doubt_->expected_offset = last_offset_;
  }
  if (doubt_->expected_offset) *doubt_->expected_offset -= jump;
  doubt_->jumps += jump;
  doubt_->since = now.wall - doubt_->jumps;
  doubt_->updates = 0;
  if (std::chrono::abs(doubt_->jumps) > kExplainedWithin) return;
  // Somebody, the source perhaps, has set the clock back to where it was.
  Excuse(doubt_->jumps, now);
  doubt_.reset();
}

void ReferenceState::Reconsider(const ReferenceSample& sample) {
  // A source that has given up its synchronization has noticed, and will measure afresh.
  if (!sample.synchronized) doubt_->expected_offset.reset();
  if (sample.source_update != doubt_->last_update) {
    doubt_->last_update = sample.source_update;
    ++doubt_->updates;
  }
  if (!sample.synchronized) return;
  bool is_expected = true;
  if (const auto expected = doubt_->expected_offset) {
    const Duration tolerance = std::max(kExpectedWithin, std::chrono::abs(*expected) / kExpectedWithinFraction);
    // A new update can also be one from right before the step, which was not asked for in time.
    is_expected = sample.source_update > doubt_->since && std::chrono::abs(sample.offset - *expected) <= tolerance;
  }
  const bool is_confirmed = doubt_->updates > 0 && (is_expected || doubt_->updates >= kUpdatesAfterStep);
  if (sample.knows_of_steps || is_confirmed) doubt_.reset();
}

LeapSecond ReferenceState::LeapFromTable(UnixTime now) const {
  return table_ && !table_->IsExpired(now) ? table_->NearestTo(now) : LeapSecond{};
}

LeapSecond ReferenceState::LeapFromSource(UnixTime now) const {
  const bool is_announced = sample_->leap == LeapIndicator::kInsert || sample_->leap == LeapIndicator::kDelete;
  const bool is_pending = leap_.change != 0 && now < leap_.at + kSmearHalf;
  if (is_pending && (is_announced || now >= leap_.at - kLeapFinalMinute)) return leap_;
  if (!is_announced) return {};
  const UnixTime at = EndOfMonth(now);
  return {.at = at,
          .change = static_cast<std::int8_t>(sample_->leap == LeapIndicator::kInsert ? 1 : -1),
          .passed = false,
          .known_in_time = now < at - kSmearHalf};
}

void ReferenceState::UpdateLeap(UnixTime now) {
  // Nothing is learned or forgotten by a clock that may be an hour off: that would end a smear, for instance.
  if (!sample_ || !sample_->synchronized || doubt_) return;
  const bool has_table = table_ && !table_->IsExpired(now);
  LeapSecond next = has_table ? LeapFromTable(now) : LeapFromSource(now);
  const bool is_same = next.at == leap_.at && next.change == leap_.change;
  next.passed = is_same && leap_.passed;
  // Also true after a start in the night of the leap second, when nobody saw the clock make it.
  const bool is_right = std::chrono::abs(sample_->offset) < kLeapPassedOffsetMax;
  if (next.change != 0 && is_right && now >= next.at + kLeapStepWithin) next.passed = true;
  leap_ = next;
}

ServerState ReferenceState::Publish(ClockReading now) {
  UpdateLeap(now.wall);
  ServerState state;
  state.precision = settings_.precision;
  state.distance_max = settings_.distance_max;
  state.leap_second = leap_;
  state.clock_epoch = epoch_;
  state.epoch_began = epoch_began_;
  state.wall_minus_monotonic = wall_minus_monotonic_;
  if (!sample_ || !sample_->synchronized || doubt_) return state;
  state.synchronized = true;
  state.leap = AnnouncedLeap(leap_, now.wall);
  state.stratum = sample_->stratum;
  state.reference_id = sample_->reference_id;
  state.reference_time = sample_->reference_time;
  state.root_delay = sample_->root_delay;
  state.root_dispersion = sample_->root_dispersion + unexplained_rest_;
  state.dispersion_at = sample_->taken.monotonic;
  state.dispersion_rate_ppb = sample_->dispersion_rate_ppb;
  return state;
}

ReferenceCondition ReferenceState::ConditionAt(ClockReading now) const {
  if (doubt_) return ReferenceCondition::kStepped;
  if (!sample_) return epoch_ == 0 ? ReferenceCondition::kWaiting : ReferenceCondition::kStepped;
  if (!sample_->synchronized) return ReferenceCondition::kUnsynchronized;
  ServerState state;
  state.synchronized = true;
  state.root_delay = sample_->root_delay;
  state.root_dispersion = sample_->root_dispersion + unexplained_rest_;
  state.dispersion_at = sample_->taken.monotonic;
  state.dispersion_rate_ppb = sample_->dispersion_rate_ppb;
  state.distance_max = settings_.distance_max;
  if (!state.IsFitToServe(now.monotonic)) return ReferenceCondition::kTooFar;
  return is_reachable_ ? ReferenceCondition::kSynchronized : ReferenceCondition::kHolding;
}

}  // namespace ntsd
