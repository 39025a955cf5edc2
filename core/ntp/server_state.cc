#include "core/ntp/server_state.h"

#include <algorithm>

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
