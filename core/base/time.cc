#include "core/base/time.h"

namespace ntsd {
namespace {

constexpr std::int64_t kNanosecondsPerSecond = 1'000'000'000;

// ns / 1e9 in units of 2^-shift seconds; `ns` is below one second. Rounds down.
constexpr std::uint64_t FractionFromNanoseconds(std::uint64_t ns, int shift) {
  return (ns << shift) / static_cast<std::uint64_t>(kNanosecondsPerSecond);
}

struct FloorSplit {
  std::int64_t seconds;
  std::uint64_t nanoseconds;  // below 1e9, also for times before the epoch
};

FloorSplit Split(std::int64_t ns) {
  std::int64_t seconds = ns / kNanosecondsPerSecond;
  std::int64_t rest = ns % kNanosecondsPerSecond;
  if (rest < 0) {
    rest += kNanosecondsPerSecond;
    --seconds;
  }
  return {seconds, static_cast<std::uint64_t>(rest)};
}

}  // namespace

UnixTime NtpTimestamp::ToUnix(UnixTime pivot) const { return pivot + Difference(*this, FromUnix(pivot)); }

Duration Difference(NtpTimestamp later, NtpTimestamp earlier) {
  // Two's complement: the signed 64-bit difference is right across the era boundary (RFC 5905 §6).
  const auto difference = static_cast<std::int64_t>(later.bits - earlier.bits);
  const std::int64_t seconds = difference >> 32;
  const std::uint64_t fraction = static_cast<std::uint64_t>(difference) & 0xFFFF'FFFF;
  // Rounded to the nearest nanosecond, so that FromUnix and ToUnix are inverse to each other.
  const std::uint64_t ns =
      (fraction * static_cast<std::uint64_t>(kNanosecondsPerSecond) + (std::uint64_t{1} << 31)) >> 32;
  return Duration(seconds * kNanosecondsPerSecond + static_cast<std::int64_t>(ns));
}

NtpShort NtpShort::FromDuration(Duration duration) {
  if (duration.count() <= 0) return {0};
  const FloorSplit split = Split(duration.count());
  if (split.seconds > 0xFFFF) return {0xFFFF'FFFF};
  std::uint64_t bits = static_cast<std::uint64_t>(split.seconds) << 16 | FractionFromNanoseconds(split.nanoseconds, 16);
  if ((split.nanoseconds << 16) % static_cast<std::uint64_t>(kNanosecondsPerSecond) != 0) ++bits;
  return {bits > 0xFFFF'FFFF ? 0xFFFF'FFFF : static_cast<std::uint32_t>(bits)};
}

Duration NtpShort::ToDuration() const {
  return Duration((static_cast<std::int64_t>(bits) * kNanosecondsPerSecond) >> 16);
}

}  // namespace ntsd
