#include "core/ntp/smear.h"

namespace ntsd {
namespace {

// Elapsed since the noon before, counting the leap second; the smear ends when as much as SmearLength has elapsed.
Duration Elapsed(UnixTime time, const LeapSecond& leap) {
  const Duration shown = time - (leap.at - kSmearHalf);
  return leap.passed ? shown + std::chrono::seconds(leap.change) : shown;
}

std::chrono::seconds SmearLength(const LeapSecond& leap) {
  return std::chrono::duration_cast<std::chrono::seconds>(2 * kSmearHalf) + std::chrono::seconds(leap.change);
}

}  // namespace

bool IsLeapNear(UnixTime time, const LeapSecond& leap) {
  const Duration elapsed = Elapsed(time, leap);
  return leap.change != 0 && elapsed > Duration::zero() && elapsed < SmearLength(leap);
}

bool IsSmearing(UnixTime time, const LeapSecond& leap) { return leap.known_in_time && IsLeapNear(time, leap); }

Duration SmearOffset(UnixTime time, const LeapSecond& leap) {
  if (!IsSmearing(time, leap)) return Duration::zero();
  // The smeared clock has run elapsed * 86400 / length since noon; the clock itself has run elapsed, and has been set
  // by -change when it made the leap second. The rest of the division is below a nanosecond.
  const Duration lag = leap.change * Elapsed(time, leap) / SmearLength(leap).count();
  return leap.passed ? std::chrono::seconds(leap.change) - lag : -lag;
}

std::uint32_t SmearReferenceId(Duration offset) {
  constexpr std::int64_t kNanosecondsPerSecond = 1'000'000'000;
  // Two's complement in 24 bits: 2 of seconds and 22 of fraction. A smear is at most a second, so nothing overflows.
  const std::int64_t units = offset.count() * (std::int64_t{1} << 22) / kNanosecondsPerSecond;
  return 0xFE00'0000U | (static_cast<std::uint32_t>(units) & 0x00FF'FFFFU);
}

}  // namespace ntsd
