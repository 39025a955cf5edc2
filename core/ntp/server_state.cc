#include "core/ntp/server_state.h"

#include <algorithm>

#include "core/ntp/smear.h"

namespace ntsd {

Duration ServerState::RootDispersionAt(MonotonicTime now) const {
  const auto age_ns = std::max<std::int64_t>(0, (now - dispersion_at).count());
  // Seconds and rest apart, so that no age can overflow.
  const std::int64_t rate = dispersion_rate_ppb;
  const std::int64_t growth = age_ns / 1'000'000'000 * rate + age_ns % 1'000'000'000 * rate / 1'000'000'000;
  return root_dispersion + Duration(growth);
}

bool ServerState::IsFitToServe(MonotonicTime now) const {
  return synchronized && root_delay / 2 + RootDispersionAt(now) <= distance_max;
}

UnixTime ServerState::ServedTime(UnixTime clock_time) const {
  return smeared ? clock_time + SmearOffset(clock_time, leap_second) : clock_time;
}

bool ServerState::IsOneEpoch(UnixTime receive, UnixTime transmit, MonotonicTime transmit_at) const {
  if (wall_minus_monotonic == Duration::zero()) return true;
  // Before: of an earlier epoch. In the future: of a clock that was ahead, and was set back.
  if (receive < epoch_began || receive - transmit > kClockStepMin) return false;
  const Duration jump = transmit.time_since_epoch() - transmit_at.time_since_epoch() - wall_minus_monotonic;
  return std::chrono::abs(jump) < kClockStepMin;
}

ServerState ServerState::Smeared(UnixTime now) const {
  ServerState state = *this;
  state.smeared = true;
  if (leap != LeapIndicator::kUnsynchronized) state.leap = LeapIndicator::kNone;
  if (IsSmearing(now, leap_second)) {
    const Duration offset = SmearOffset(now, leap_second);
    // The offset of now, so that the age of the reference time stays what it is.
    state.reference_time += offset;
    state.reference_id = SmearReferenceId(offset);
  } else if (IsLeapNear(now, leap_second)) {
    state.synchronized = false;
    state.leap = LeapIndicator::kUnsynchronized;
  }
  return state;
}

}  // namespace ntsd
