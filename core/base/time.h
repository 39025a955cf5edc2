// The times of the service: wall clock, monotonic clock, and NTP's two formats on the wire.
//
// NTP timestamps count from 1900 modulo 2^32 seconds (RFC 5905 §6); era 1 begins on 2036-02-07. Only differences
// have a meaning, so nothing here compares two NTP timestamps by size.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>

namespace ntsd {

// CLOCK_REALTIME, nanoseconds since 1970 without leap seconds.
using UnixTime = std::chrono::sys_time<std::chrono::nanoseconds>;
// CLOCK_MONOTONIC or CLOCK_BOOTTIME; only differences mean something.
using MonotonicTime = std::chrono::time_point<std::chrono::steady_clock, std::chrono::nanoseconds>;
using Duration = std::chrono::nanoseconds;

// Seconds from 1900-01-01 (NTP) to 1970-01-01 (Unix).
inline constexpr std::int64_t kNtpUnixOffset_s = 2'208'988'800;

// 32 bits of seconds since 1900 modulo 2^32, then 32 bits of fraction (233 ps). Zero means "unknown".
struct NtpTimestamp {
  std::uint64_t bits = 0;

  // Rounds down to 2^-32 s. A real time that would encode as zero becomes one unit later, since zero is "unknown".
  // Here, because every answer takes it twice.
  static NtpTimestamp FromUnix(UnixTime time) {
    const auto unix_seconds = std::chrono::floor<std::chrono::seconds>(time);
    const auto fraction_ns = static_cast<std::uint64_t>((time - unix_seconds).count());
    const auto seconds = static_cast<std::uint32_t>(unix_seconds.time_since_epoch().count() + kNtpUnixOffset_s);
    const std::uint64_t bits = std::uint64_t{seconds} << 32 | (fraction_ns << 32) / 1'000'000'000;
    return {bits == 0 ? 1 : bits};
  }
  // The time nearest to `pivot` that has this encoding: right for any era within 68 years of the pivot.
  UnixTime ToUnix(UnixTime pivot) const;

  bool IsUnknown() const { return bits == 0; }
  friend bool operator==(NtpTimestamp, NtpTimestamp) = default;
};

// later - earlier, right across an era boundary when they are less than 68 years apart.
Duration Difference(NtpTimestamp later, NtpTimestamp earlier);

// 16 bits of seconds, 16 bits of fraction (15.3 µs): root delay and root dispersion.
struct NtpShort {
  std::uint32_t bits = 0;

  // Rounds up, since these are bounds of an error; saturates at 0xFFFFFFFF; negative durations give zero.
  static NtpShort FromDuration(Duration duration);
  Duration ToDuration() const;

  friend bool operator==(NtpShort, NtpShort) = default;
};

}  // namespace ntsd
