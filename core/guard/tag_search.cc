#include "core/guard/tag_search.h"

#include <bit>
#include <vector>

#ifdef __x86_64__
#include <immintrin.h>
#endif

namespace ntsd {
namespace {

// Without a branch: where a network stands cannot be foreseen.
void FindCellByCell(const RateLine* lines, std::uint64_t line_mask, const std::uint64_t* hashes, std::uint8_t* cells,
                    std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    const RateLine& line = lines[hashes[i] & line_mask];
    const std::uint64_t owned = PackRateCell(0, RateTagOf(hashes[i]));
    std::uint8_t found = kNoCell;
#pragma GCC unroll 8  // otherwise half of the work would be counting
    for (std::size_t cell = kRateCellsPerLine; cell-- > 0;) {
      // Its own leaves the time alone.
      const bool is_own = (line.cells[cell].load(std::memory_order_relaxed) ^ owned) <= kRateTimeMask;
      found = is_own ? static_cast<std::uint8_t>(cell) : found;
    }
    cells[i] = found;
  }
}

#ifdef __x86_64__
static_assert(kRateCellsPerLine == 8);

// One bit for each cell that carries the tag, and one above them, so that the lowest bit is the answer.
std::uint8_t LowestOf(unsigned matches) {
  return static_cast<std::uint8_t>(std::countr_zero(matches | 1U << kRateCellsPerLine));
}

// The thread sanitizer cannot know that what these loads tell is not believed.
#define NTSD_WIDE_LOADS(features) __attribute__((target(features), no_sanitize("thread")))

NTSD_WIDE_LOADS("avx512f,bmi")
void FindBy512Bits(const RateLine* lines, std::uint64_t line_mask, const std::uint64_t* hashes, std::uint8_t* cells,
                   std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    const __m512i line = _mm512_load_si512(&lines[hashes[i] & line_mask]);
    const __m512i tag = _mm512_set1_epi64(static_cast<long long>(RateTagOf(hashes[i])));
    cells[i] = LowestOf(_mm512_cmpeq_epi64_mask(_mm512_srli_epi64(line, kRateTimeBits), tag));
  }
}

NTSD_WIDE_LOADS("avx2,bmi")
void FindBy256Bits(const RateLine* lines, std::uint64_t line_mask, const std::uint64_t* hashes, std::uint8_t* cells,
                   std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    const auto* const halves = reinterpret_cast<const __m256i*>(&lines[hashes[i] & line_mask]);
    const __m256i tag = _mm256_set1_epi64x(static_cast<long long>(RateTagOf(hashes[i])));
    const __m256i low = _mm256_cmpeq_epi64(_mm256_srli_epi64(_mm256_load_si256(halves), kRateTimeBits), tag);
    const __m256i high = _mm256_cmpeq_epi64(_mm256_srli_epi64(_mm256_load_si256(halves + 1), kRateTimeBits), tag);
    const int matches = _mm256_movemask_pd(_mm256_castsi256_pd(low)) | _mm256_movemask_pd(_mm256_castsi256_pd(high))
                                                                           << kRateCellsPerLine / 2;
    cells[i] = LowestOf(static_cast<unsigned>(matches));
  }
}
#endif

std::vector<TagSearch> Available() {
  std::vector<TagSearch> searches;
#ifdef __x86_64__
  // These ask the operating system, too, whether it keeps the registers.
  if (__builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("bmi") != 0) {
    searches.push_back({.name = "512 bits", .find = FindBy512Bits});
  }
  if (__builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("bmi") != 0) {
    searches.push_back({.name = "256 bits", .find = FindBy256Bits});
  }
#endif
  searches.push_back({.name = "cell by cell", .find = FindCellByCell});
  return searches;
}

}  // namespace

std::span<const TagSearch> AvailableTagSearches() {
  static const std::vector<TagSearch> searches = Available();
  return searches;
}

}  // namespace ntsd
