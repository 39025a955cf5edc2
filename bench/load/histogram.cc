#include "bench/load/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace ntsd::load {

// Values below 2^kCellBits have a cell each. Above, a value's leading kCellBits bits choose the cell: kHalf cells for
// every power of two.
std::size_t Histogram::CellOf(std::uint64_t value) {
  if (value < kHalf * 2) return value;
  const int shift = static_cast<int>(std::bit_width(value)) - kCellBits;
  return static_cast<std::size_t>(shift) * kHalf + (value >> shift);
}

std::uint64_t Histogram::LastOf(std::size_t cell) {
  if (cell < kHalf * 2) return cell;
  const std::size_t shift = cell / kHalf - 1;
  const std::uint64_t leading = cell - shift * kHalf;
  return ((leading + 1) << shift) - 1;
}

void Histogram::Record(Duration value) {
  constexpr std::int64_t kMost = std::int64_t{1} << kValueBits;
  const std::int64_t clamped = std::clamp<std::int64_t>(value.count(), 0, kMost);
  min_ = count_ == 0 ? clamped : std::min(min_, clamped);
  max_ = std::max(max_, clamped);
  ++cells_[std::min(CellOf(static_cast<std::uint64_t>(clamped)), kCellCount - 1)];
  sum_ += static_cast<std::uint64_t>(clamped);
  ++count_;
}

void Histogram::Merge(const Histogram& other) {
  if (other.count_ == 0) return;
  for (std::size_t i = 0; i < kCellCount; ++i) cells_[i] += other.cells_[i];
  min_ = count_ == 0 ? other.min_ : std::min(min_, other.min_);
  max_ = std::max(max_, other.max_);
  sum_ += other.sum_;
  count_ += other.count_;
}

Duration Histogram::mean() const { return Duration(count_ == 0 ? 0 : static_cast<std::int64_t>(sum_ / count_)); }

Duration Histogram::Percentile(double percent) const {
  if (count_ == 0) return {};
  const double exact = std::ceil(static_cast<double>(count_) * percent / 100);
  const std::uint64_t wanted = std::clamp<std::uint64_t>(static_cast<std::uint64_t>(exact), 1, count_);
  std::uint64_t passed = 0;
  for (std::size_t cell = 0; cell < kCellCount; ++cell) {
    passed += cells_[cell];
    if (passed >= wanted) return Duration(std::min(static_cast<std::int64_t>(LastOf(cell)), max_));
  }
  return max();
}

std::vector<Histogram::Step> Histogram::Steps() const {
  std::vector<Step> steps;
  if (count_ == 0) return steps;
  // Ends: what is left is halved until it is less than one value.
  for (double left = 50; left / 100 * static_cast<double>(count_) >= 1; left /= 2) {
    steps.push_back({100 - left, Percentile(100 - left)});
  }
  steps.push_back({100, max()});
  return steps;
}

void Samples::Record(Duration value) {
  ++seen_;
  if (values_.size() < kKeptMax) values_.push_back(value);
}

void Samples::Merge(const Samples& other) {
  values_.insert(values_.end(), other.values_.begin(), other.values_.end());
  seen_ += other.seen_;
}

Samples::Summary Samples::Summarize() const {
  Summary summary;
  summary.count = seen_;
  if (values_.empty()) return summary;
  std::vector<Duration> sorted = values_;
  std::sort(sorted.begin(), sorted.end());
  const auto at = [&](double share) {
    return sorted[static_cast<std::size_t>(share * static_cast<double>(sorted.size() - 1) + 0.5)];
  };
  summary.min = sorted.front();
  summary.p1 = at(0.01);
  summary.p10 = at(0.10);
  summary.median = at(0.50);
  summary.p90 = at(0.90);
  summary.p99 = at(0.99);
  summary.max = sorted.back();
  for (Duration& value : sorted) value = std::chrono::abs(value);
  std::sort(sorted.begin(), sorted.end());
  summary.size_median = at(0.50);
  summary.size_p99 = at(0.99);
  return summary;
}

}  // namespace ntsd::load
