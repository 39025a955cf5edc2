// When requests are meant to be sent: an open loop, which waits for nobody. Latency counts from these times, so that a
// server that stalls cannot hide it by stalling its load generator as well.
//
// Threads: belongs to one thread.
#pragma once

#include <cmath>
#include <cstdint>

#include "bench/load/share.h"
#include "core/base/random.h"
#include "core/base/time.h"

namespace ntsd::load {

enum class ArrivalKind : std::uint8_t {
  kConstant,  // evenly spaced
  kPoisson,   // independent of each other, as from many clients
};

class Arrivals {
 public:
  // `rate` requests a second, more than 0. `phase` (0 to 1) of an interval passes before the first, so that several
  // threads with the same rate do not send at the same moments.
  Arrivals(ArrivalKind kind, double rate, double phase, Random& random)
      : kind_(kind), interval_ns_(1e9 / rate), next_ns_(phase * interval_ns_), random_(random) {}

  // The time of the next request, since the start.
  Duration next() const { return Duration(static_cast<std::int64_t>(next_ns_)); }
  void Advance() { next_ns_ += kind_ == ArrivalKind::kConstant ? interval_ns_ : interval_ns_ * Exponential(); }

 private:
  // Of mean 1.
  double Exponential() { return -std::log(1 - RandomShare(random_)); }

  ArrivalKind kind_;
  // In floating point, so that no rounding adds up: 2^53 ns are 104 days.
  double interval_ns_;
  double next_ns_;
  Random& random_;
};

}  // namespace ntsd::load
