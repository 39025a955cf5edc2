// What we tell clients about our own clock: the header fields that are the same for everybody (RFC 5905 §7.3).
//
// How an answer is made from it (all of one batch from one reading of it):
//   1. On a listener that smears, use Smeared(now) in its place.
//   2. Not IsFitToServe(): leap 3 and stratum 0. Else leap is LeapAt(now), the rest stands here.
//   3. Every timestamp that is sent goes through ServedTime(): receive and transmit (it smears, or changes nothing).
//   4. Read the transmit time and the monotonic clock next to each other, and send only if IsOneEpoch() holds of them
//      and the receive time. Else the clock was stepped in between: no answer. The client asks again.
//   5. Times that are kept for a later answer (interleaved mode) belong to `clock_epoch`: forget them when it changes.
//
// Threads: a value. One reference watcher publishes it (Published<ServerState>); the workers read it once a batch.
#pragma once

#include <cstdint>

#include "core/base/published.h"
#include "core/base/time.h"
#include "core/ntp/header.h"
#include "core/ntp/leap.h"
#include "core/ntp/smear.h"

namespace ntsd {

// A jump of the wall clock against the monotonic one that is noticed. Slewing moves both alike; only a step, or a
// pause between the two readings, makes a difference.
inline constexpr Duration kClockStepMin = std::chrono::milliseconds(1);

struct ServerState {
  // Unless `synchronized`, clients are told leap 3 and stratum 0, whatever stands in the other fields.
  bool synchronized = false;
  LeapIndicator leap = LeapIndicator::kUnsynchronized;  // as of publication; LeapAt() is exact
  std::uint8_t stratum = 0;                             // 1–15 while synchronized
  std::int8_t precision = -20;                          // log2 s: the larger of resolution and time to read the clock
  std::uint32_t reference_id = 0;
  UnixTime reference_time{};  // when the clock was last set or corrected
  Duration root_delay{};
  Duration root_dispersion{};  // as of `dispersion_at`
  MonotonicTime dispersion_at{};
  // What the dispersion grows by since then, in parts per billion (RFC 5905 §11.1 takes 15 ppm).
  std::uint32_t dispersion_rate_ppb = 15'000;
  // Beyond this root distance (delay / 2 + dispersion) we are not synchronized any more.
  Duration distance_max = std::chrono::seconds(1);

  // The next leap second, or the last one until the noon after it.
  LeapSecond leap_second;
  // This is what a smearing listener tells its clients.
  bool smeared = false;

  // Counts the steps of the wall clock. Times of two epochs must not be compared or sent together.
  std::uint32_t clock_epoch = 0;
  // Receive times before this one may be of an earlier epoch.
  UnixTime epoch_began{};
  // Wall clock minus monotonic clock: constant throughout an epoch. Zero means that nobody watches for steps.
  Duration wall_minus_monotonic{};

  // The dispersion at `now`, grown by age. `now` before `dispersion_at` counts as no age.
  Duration RootDispersionAt(MonotonicTime now) const;
  // Synchronized, and still within the distance at `now`.
  bool IsFitToServe(MonotonicTime now) const;
  // The leap indicator of a server that is fit to serve.
  LeapIndicator LeapAt(UnixTime now) const { return smeared ? LeapIndicator::kNone : AnnouncedLeap(leap_second, now); }
  // What to send for a reading of the wall clock.
  UnixTime ServedTime(UnixTime clock_time) const {
    return smeared ? clock_time + SmearOffset(clock_time, leap_second) : clock_time;
  }
  // Whether `receive` and `transmit` are of this epoch; `transmit_at` was read right before or after `transmit`.
  bool IsOneEpoch(UnixTime receive, UnixTime transmit, MonotonicTime transmit_at) const {
    if (wall_minus_monotonic == Duration::zero()) return true;
    // Before: of an earlier epoch. In the future: of a clock that was ahead, and was set back.
    if (receive < epoch_began || receive - transmit > kClockStepMin) return false;
    const Duration jump = transmit.time_since_epoch() - transmit_at.time_since_epoch() - wall_minus_monotonic;
    return std::chrono::abs(jump) < kClockStepMin;
  }

  // What a smearing listener tells its clients at `now`: never leap 1 or 2; reference time and id are smeared, too.
  // Near a leap second that we learned of too late to smear, such a listener is not synchronized.
  ServerState Smeared(UnixTime now) const;
};

}  // namespace ntsd
