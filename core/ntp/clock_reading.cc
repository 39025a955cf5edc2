#include "core/ntp/clock_reading.h"

#include <algorithm>

namespace ntsd {
namespace {

constexpr Duration kReadingGapMax = std::chrono::microseconds(20);
constexpr int kReadingTries = 50;
// Enough readings to meet some that no interrupt disturbed.
constexpr int kPrecisionReadings = 1000;
// What a clock is taken for that never moved over so many readings.
constexpr Duration kPrecisionOfCoarseClock = std::chrono::milliseconds(1);

}  // namespace

ClockReading ReadClocks(const Clock& clock) {
  ClockReading best;
  Duration smallest_gap = Duration::max();
  MonotonicTime before = clock.Monotonic();
  for (int i = 0; i < kReadingTries && smallest_gap > kReadingGapMax; ++i) {
    const UnixTime wall = clock.Now();
    const MonotonicTime after = clock.Monotonic();
    if (after - before < smallest_gap) {
      smallest_gap = after - before;
      best = {wall, before + smallest_gap / 2};
    }
    before = after;
  }
  return best;
}

Duration MeasurePrecision(const Clock& clock) {
  Duration smallest = Duration::max();
  UnixTime before = clock.Now();
  for (int i = 0; i < kPrecisionReadings; ++i) {
    const UnixTime after = clock.Now();
    // A step back, or a clock that did not move, tells nothing.
    if (after > before) smallest = std::min(smallest, after - before);
    before = after;
  }
  return smallest == Duration::max() ? kPrecisionOfCoarseClock : smallest;
}

std::int8_t PrecisionLog2(Duration precision) {
  // 2^-30 s is 0.93 ns: no clock in nanoseconds is finer.
  std::int8_t log2_s = -30;
  while (log2_s < 0 && Duration(1'000'000'000LL >> -log2_s) < precision) ++log2_s;
  return log2_s;
}

}  // namespace ntsd
