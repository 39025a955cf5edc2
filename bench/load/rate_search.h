// Finds the highest rate that a server still serves well: doubles until it does not, then halves the gap.
//
// Threads: a value; pure: it asks for a rate and is told how that went.
#pragma once

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

namespace ntsd::load {

class RateSearch {
 public:
  // Between `least` and `most`, until the gap is less than `precision` of the rate.
  RateSearch(double least, double most, double precision) : next_(least), most_(most), precision_(precision) {}

  // The rate to try; nothing: the search is over.
  std::optional<double> Next() const { return is_over_ ? std::nullopt : std::optional(next_); }
  // How the rate of Next() went.
  void Tell(bool was_good) {
    if (was_good) {
      good_ = next_;
    } else {
      bad_ = next_;
    }
    if (!bad_) {
      is_over_ = *good_ >= most_;
      next_ = std::min(*good_ * 2, most_);
    } else if (!good_) {
      // Not even the least: look below, but not for ever.
      is_over_ = *bad_ < 1 || ++steps_down_ >= kStepsDownMax;
      next_ = *bad_ / 4;
    } else {
      is_over_ = *bad_ - *good_ <= precision_ * *bad_;
      // In the middle of the ratio: rates differ by factors.
      next_ = std::sqrt(*good_ * *bad_);
    }
  }

  // The highest that was good; nothing: none was.
  std::optional<double> found() const { return good_; }
  // Whether the search ended at `most`, not at a rate that was too high.
  bool hit_the_ceiling() const { return is_over_ && !bad_; }

 private:
  static constexpr int kStepsDownMax = 6;

  double next_;
  double most_;
  double precision_;
  std::optional<double> good_;
  std::optional<double> bad_;
  int steps_down_ = 0;
  bool is_over_ = false;
};

// Of several searches.
struct Spread {
  double median = 0;
  double least = 0;
  double most = 0;
};
inline Spread SpreadOf(std::vector<double> values) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  const double median = values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
  return {median, values.front(), values.back()};
}

}  // namespace ntsd::load
