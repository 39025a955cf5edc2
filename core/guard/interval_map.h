// The values of intervals, found by keys that fall into them: out of up to millions, for a batch of keys at once.
//
// Threads: never changes once it is made.
// Memory: key and value of each interval and a fan-out's share more for the levels above: about 5.3 octets an interval
//         for 32-bit keys, 10.2 for 64-bit keys, whatever the keys are; 4 or 8 KiB at least.
//
// A static search tree: the top is a sorted array that stays in the first-level cache, every level below consists of
// cache lines, and each entry above is the first key of a line below. All keys of a batch go down one level together,
// so that the misses of a level overlap instead of adding up.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "core/base/check.h"
#include "core/base/counters.h"
#include "core/limits.h"

namespace ntsd {

template <typename Key>
class IntervalMap {
 public:
  // `starts` ascend, are all different, and begin with 0. values[i] holds from starts[i] to starts[i + 1] - 1.
  IntervalMap(std::span<const Key> starts, std::span<const std::uint8_t> values)
      : values_(values.begin(), values.end()) {
    CHECK(!starts.empty() && starts.front() == 0 && starts.size() == values.size());
    CHECK(starts.size() <= std::numeric_limits<std::uint32_t>::max());
    std::vector<std::vector<Key>> levels{{starts.begin(), starts.end()}};
    while (levels.back().size() > kTopWidth) levels.push_back(FirstOfEachLine(levels.back()));
    // Top down in memory, as they are read.
    std::for_each(levels.rbegin(), levels.rend(), [this](const std::vector<Key>& level) { AppendLevel(level); });
  }

  std::size_t size() const { return values_.size(); }

  // values[i] = the value of the interval that holds keys[i]. At most kBatchSizeMax keys.
  void Find(std::span<const Key> keys, std::span<std::uint8_t> values) const {
    CHECK(keys.size() <= kBatchSizeMax && values.size() == keys.size());
    std::array<std::uint32_t, kBatchSizeMax> positions{};
    // The common list has one interval: everybody is allowed.
    if (size() > 1) {
      Descend<kTopWidth>(levels_.front(), keys, positions);
      for (const Level& level : std::span(levels_).subspan(1)) Descend<kFanOut>(level, keys, positions);
    }
    for (std::size_t i = 0; i < keys.size(); ++i) values[i] = values_[positions[i]];
  }

 private:
  static constexpr std::size_t kFanOut = kCacheLineSize / sizeof(Key);
  static constexpr std::size_t kTopWidth = 1024;
  struct alignas(kCacheLineSize) Line {
    std::array<Key, kFanOut> starts;
  };
  struct Level {
    std::size_t first_line;
    std::size_t line_count;
    std::uint32_t size;
  };
  using Positions = std::array<std::uint32_t, kBatchSizeMax>;

  static std::vector<Key> FirstOfEachLine(const std::vector<Key>& below) {
    std::vector<Key> above;
    for (std::size_t i = 0; i < below.size(); i += kFanOut) above.push_back(below[i]);
    return above;
  }

  void AppendLevel(const std::vector<Key>& starts) {
    // Padding for the search by halves: the whole top, and whole lines below.
    const std::size_t width = levels_.empty() ? kTopWidth : starts.size();
    const Level level{lines_.size(), (width + kFanOut - 1) / kFanOut, static_cast<std::uint32_t>(starts.size())};
    Line padding;
    padding.starts.fill(std::numeric_limits<Key>::max());
    lines_.resize(level.first_line + level.line_count, padding);
    for (std::size_t i = 0; i < starts.size(); ++i) {
      lines_[level.first_line + i / kFanOut].starts[i % kFanOut] = starts[i];
    }
    levels_.push_back(level);
  }

  // One level further for all keys, of a level in which each search is among `kWidth` starts.
  template <std::size_t kWidth>
  void Descend(const Level level, std::span<const Key> keys, Positions& positions) const {
    const Line* const lines = lines_.data() + level.first_line;
    const bool is_last = level.first_line + level.line_count == lines_.size();
    // What is read next: a line of the next level, or a value.
    const auto* const next = is_last ? values_.data() : reinterpret_cast<const std::uint8_t*>(lines + level.line_count);
    const std::size_t step = is_last ? 1 : sizeof(Line);
    for (std::size_t i = 0; i < keys.size(); ++i) {
      const std::size_t line = positions[i];
      const std::size_t found = line * kFanOut + LastNotAfter<kWidth>(lines[line].starts.data(), keys.data()[i]);
      // The largest key of all meets the padding too: it belongs to the last entry.
      positions[i] = std::min(static_cast<std::uint32_t>(found), level.size - 1);
      __builtin_prefetch(next + positions[i] * step);
    }
  }

  // The last of kWidth starts that is not after `key`, counted from the first one, which never is after it. By halves,
  // and by arithmetic instead of branches, because no branch of a search can be foreseen.
  template <std::size_t kWidth>
  static std::size_t LastNotAfter(const Key* starts, Key key) {
    std::size_t last = 0;
    for (std::size_t half = kWidth / 2; half > 0; half /= 2) {
      last += static_cast<std::size_t>(starts[last + half] <= key) * half;
    }
    return last;
  }

  std::vector<Line> lines_;
  std::vector<Level> levels_;
  std::vector<std::uint8_t> values_;
};

}  // namespace ntsd
