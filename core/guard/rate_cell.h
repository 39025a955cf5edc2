// What one cell of the rate limiter's table holds, and where a network may stand, by the bits of its hash.
//
// A cell: the tag of the network in its upper 24 bits, the time when the bucket will be full again in its lower 40.
// No tag is zero, so a cell that was never used belongs to nobody.
// The tick of 2^-18 s keeps a rate of kRateMax within 4 %, and 40 bits of it pass in 48 days.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "core/base/counters.h"
#include "core/limits.h"

namespace ntsd {

inline constexpr unsigned kRateTagBits = 24;
inline constexpr unsigned kRateTimeBits = 64 - kRateTagBits;
inline constexpr std::uint64_t kRateTimeMask = (std::uint64_t{1} << kRateTimeBits) - 1;
// Tag, first line and second line use different bits of a hash, so that they are independent.
inline constexpr unsigned kRateLineBits = 20;
static_assert(kRateTagBits + 2 * kRateLineBits <= 64);

using RateCell = std::atomic<std::uint64_t>;

struct alignas(kCacheLineSize) RateLine {
  std::array<RateCell, kRateCellsPerLine> cells;
};
static_assert(sizeof(RateLine) == kRateCellsPerLine * sizeof(std::uint64_t));

inline std::uint64_t RateTagOf(std::uint64_t hash) {
  const std::uint64_t tag = hash >> kRateTimeBits;
  return tag + (tag == 0 ? 1 : 0);
}

inline std::uint64_t PackRateCell(std::uint64_t full_at, std::uint64_t tag) { return tag << kRateTimeBits | full_at; }

}  // namespace ntsd
