// What we tell clients about our own clock: the header fields that are the same for everybody (RFC 5905 §7.3).
//
// Threads: a value. One reference watcher publishes it (Published<ServerState>); the workers read it once a batch.
#pragma once

#include <cstdint>

#include "core/base/published.h"
#include "core/base/time.h"
#include "core/ntp/header.h"

namespace ntsd {

struct ServerState {
  // Unless `synchronized`, clients are told leap 3 and stratum 0, whatever stands in the other fields.
  bool synchronized = false;
  LeapIndicator leap = LeapIndicator::kUnsynchronized;
  std::uint8_t stratum = 0;      // 1–15 while synchronized
  std::int8_t precision = -20;   // log2 s: the larger of resolution and time to read the clock
  std::uint32_t reference_id = 0;
  UnixTime reference_time{};     // when the clock was last set or corrected
  Duration root_delay{};
  Duration root_dispersion{};    // as of `dispersion_at`
  MonotonicTime dispersion_at{};
  // What the dispersion grows by since then, in parts per billion (RFC 5905 §11.1 takes 15 ppm).
  std::uint32_t dispersion_rate_ppb = 15'000;
  // Beyond this root distance (delay / 2 + dispersion) we are not synchronized any more.
  Duration distance_max = std::chrono::seconds(1);

  // The dispersion at `now`, grown by age. `now` before `dispersion_at` counts as no age.
  Duration RootDispersionAt(MonotonicTime now) const;
  // Synchronized, and still within the distance at `now`.
  bool IsFitToServe(MonotonicTime now) const;
};

}  // namespace ntsd
