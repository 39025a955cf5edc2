// Reading two clocks at one moment, and how finely a clock can be read.
//
// Threads: functions of their arguments. Memory: none. Errors: none.
#pragma once

#include <cstdint>

#include "core/base/clock.h"
#include "core/base/time.h"

namespace ntsd {

// Both clocks at one moment.
struct ClockReading {
  UnixTime wall{};
  MonotonicTime monotonic{};

  // Constant as long as the wall clock is only slewed, because that moves both clocks alike.
  Duration WallMinusMonotonic() const { return wall.time_since_epoch() - monotonic.time_since_epoch(); }
};

// Reads both, again if the thread was interrupted in between, so that they belong together to some microseconds.
ClockReading ReadClocks(const Clock& clock);

// How far apart two readings of the wall clock are at least: the larger of its resolution and the time to read it.
Duration MeasurePrecision(const Clock& clock);
// In the header's unit, log2 s, rounded up: -25 (30 ns) to 0.
std::int8_t PrecisionLog2(Duration precision);

}  // namespace ntsd
