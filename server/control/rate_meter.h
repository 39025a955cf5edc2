// A rate from a counter that somebody reads about once a second: the mean over the last ten readings.
//
// Threads: belongs to one. Errors: a counter that went back counts as no rate.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "core/base/time.h"

namespace ntsd {

class RateMeter {
 public:
  void Add(MonotonicTime now, std::uint64_t count) {
    readings_[reading_count_ % readings_.size()] = {now, count};
    ++reading_count_;
  }
  double PerSecond() const {
    if (reading_count_ < 2) return 0;
    const Reading& newest = readings_[(reading_count_ - 1) % readings_.size()];
    const Reading& oldest = readings_[reading_count_ < readings_.size() ? 0 : reading_count_ % readings_.size()];
    const double seconds = std::chrono::duration<double>(newest.at - oldest.at).count();
    if (seconds <= 0 || newest.count < oldest.count) return 0;
    return static_cast<double>(newest.count - oldest.count) / seconds;
  }

 private:
  struct Reading {
    MonotonicTime at;
    std::uint64_t count = 0;
  };
  std::array<Reading, 11> readings_{};
  std::size_t reading_count_ = 0;
};

}  // namespace ntsd
