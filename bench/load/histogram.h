// Durations counted in cells that grow with the value, as HdrHistogram does: any percentile within 0.8 %.
//
// Threads: belongs to one thread; Merge() what each has counted when they are done.
// Memory: 36 KiB, inside; recording allocates nothing.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/base/time.h"

namespace ntsd::load {

class Histogram {
 public:
  // Negative durations count as zero; beyond 2^40 ns (18 minutes) they count as that.
  void Record(Duration value);
  void Merge(const Histogram& other);

  std::uint64_t count() const { return count_; }
  // These are exact.
  Duration min() const { return Duration(count_ == 0 ? 0 : min_); }
  Duration max() const { return Duration(max_); }
  Duration mean() const;
  // The smallest value that `percent` of all values do not exceed, 0 < percent ≤ 100; rounded up to the end of its
  // cell, but never beyond max(). Zero when nothing was recorded.
  Duration Percentile(double percent) const;

  // The way from the median to the maximum: each step halves what is left above it (50, 75, 87.5 … %).
  struct Step {
    double percent;
    Duration value;
  };
  std::vector<Step> Steps() const;

 private:
  // Every power of two is cut into so many cells.
  static constexpr int kCellBits = 7;
  static constexpr int kValueBits = 40;
  static constexpr std::size_t kHalf = std::size_t{1} << (kCellBits - 1);
  static constexpr std::size_t kCellCount = (kValueBits - kCellBits + 2) * kHalf + 1;

  static std::size_t CellOf(std::uint64_t value);
  static std::uint64_t LastOf(std::size_t cell);

  std::array<std::uint64_t, kCellCount> cells_{};
  std::uint64_t count_ = 0;
  std::uint64_t sum_ = 0;
  std::int64_t min_ = 0;
  std::int64_t max_ = 0;
};

// Signed errors, kept one by one, so that every figure about them is exact.
class Samples {
 public:
  // More than this many are not kept; `seen` still counts them.
  static constexpr std::size_t kKeptMax = 1'000'000;

  void Record(Duration value);
  void Merge(const Samples& other);
  std::uint64_t seen() const { return seen_; }

  struct Summary {
    std::uint64_t count = 0;
    Duration min{}, p1{}, p10{}, median{}, p90{}, p99{}, max{};
    Duration size_median{}, size_p99{};  // without regard to the sign
  };
  Summary Summarize() const;

 private:
  std::vector<Duration> values_;
  std::uint64_t seen_ = 0;
};

}  // namespace ntsd::load
