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

}  // namespace ntsd
