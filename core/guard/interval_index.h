// Finds the interval that a key falls into, out of up to millions, for a batch of keys at once.
//
// Threads: never changes once it is made.
// Memory: one key an interval and a fan-out's share more for the levels above: about 4.3 octets an interval for 32-bit
//         keys, 9.2 for 64-bit keys, whatever the keys are.
//
// A static search tree of cache lines: every line holds the first keys of its children. All keys of a batch go down one
// level together, so that the misses of a level overlap instead of adding up.
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

namespace ntsd {

template <typename Key>
class IntervalIndex {
 public:
  // `starts` ascend, are all different, and begin with 0. Interval i reaches from starts[i] to starts[i + 1] - 1.
  explicit IntervalIndex(std::span<const Key> starts) {
    CHECK(!starts.empty() && starts.front() == 0);
    CHECK(starts.size() <= std::numeric_limits<std::uint32_t>::max());
    // Bottom up: each level's keys are the first keys of the level below.
    std::vector<std::vector<Key>> levels{{starts.begin(), starts.end()}};
    while (levels.back().size() > kFanOut) {
      const std::vector<Key>& below = levels.back();
      std::vector<Key> above;
      for (std::size_t i = 0; i < below.size(); i += kFanOut) above.push_back(below[i]);
      levels.push_back(std::move(above));
    }
    // Top down in memory, as they are read.
    std::for_each(levels.rbegin(), levels.rend(), [this](const std::vector<Key>& level) { AppendLevel(level); });
  }

  std::size_t size() const { return levels_.back().child_count; }

  // intervals[i] = the interval that holds keys[i].
  void Find(std::span<const Key> keys, std::span<std::uint32_t> intervals) const {
    CHECK(intervals.size() == keys.size());
    std::fill(intervals.begin(), intervals.end(), 0);
    for (const Level& level : levels_) Descend(level, keys, intervals);
  }

 private:
  static constexpr std::size_t kFanOut = kCacheLineSize / sizeof(Key);
  struct alignas(kCacheLineSize) Line {
    std::array<Key, kFanOut> starts;
  };
  struct Level {
    std::size_t first_line;
    std::uint32_t child_count;
  };

  void AppendLevel(const std::vector<Key>& starts) {
    levels_.push_back({lines_.size(), static_cast<std::uint32_t>(starts.size())});
    for (std::size_t i = 0; i < starts.size(); i += kFanOut) {
      Line line;
      line.starts.fill(std::numeric_limits<Key>::max());
      std::copy_n(starts.begin() + static_cast<std::ptrdiff_t>(i), std::min(kFanOut, starts.size() - i),
                  line.starts.begin());
      lines_.push_back(line);
    }
  }

  void Descend(const Level& level, std::span<const Key> keys, std::span<std::uint32_t> positions) const {
    const Line* const lines = lines_.data() + level.first_line;
    const Line* const below = lines + (level.child_count + kFanOut - 1) / kFanOut;
    for (std::size_t i = 0; i < keys.size(); ++i) {
      const std::size_t child = positions[i] * kFanOut + CountNotAfter(lines[positions[i]], keys[i]) - 1;
      // The largest key of all counts the padding too: it belongs to the last child.
      positions[i] = std::min(static_cast<std::uint32_t>(child), level.child_count - 1);
      // Below the last level this asks for a line that nobody reads, which does no harm.
      __builtin_prefetch(below + positions[i]);
    }
  }

  // How many of the line's starts are at or before `key`; at least one, since the first start of all is 0.
  static std::size_t CountNotAfter(const Line& line, Key key) {
    Key count = 0;
    for (const Key start : line.starts) count = static_cast<Key>(count + (start <= key ? 1 : 0));
    return static_cast<std::size_t>(count);
  }

  std::vector<Line> lines_;
  std::vector<Level> levels_;
};

}  // namespace ntsd
