// The values of intervals, found by keys that fall into them: out of up to millions, for a batch of keys at once.
//
// Threads: never changes once it is made.
// Memory: key and value of each interval, and one to two octets of slots on top: about 6.5 octets an interval for
//         32-bit keys, 10.5 for 64-bit keys, when the keys are spread about evenly. Where they stand in a crowd inside
//         a crowd, each level of that costs as much in slots again.
//
// A slot for each stretch of the keys says where in the sorted keys to begin; from there at most kWindow keys are left
// to look at, in one or two cache lines. A slot with more than that leads to slots of its own, which divide what is
// crowded there. All keys of a batch take each step together, so that their misses overlap instead of adding up.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "core/base/check.h"
#include "core/limits.h"

namespace ntsd {

template <typename Key>
class IntervalMap {
 public:
  // `starts` ascend, are all different, and begin with 0. values[i] holds from starts[i] to starts[i + 1] - 1.
  IntervalMap(std::span<const Key> starts, std::span<const std::uint8_t> values)
      : starts_(starts.begin(), starts.end()), values_(values.begin(), values.end()) {
    CHECK(!starts.empty() && starts.front() == 0 && starts.size() == values.size());
    CHECK(starts.size() < kIsNode);
    if (size() > 1) AddNode(1, size());
    // A window may reach past the end. The largest key of all meets this, too: see Find().
    starts_.resize(size() + kWindow, std::numeric_limits<Key>::max());
  }

  std::size_t size() const { return values_.size(); }

  // values[i] = the value of the interval that holds keys[i]. At most kBatchSizeMax keys.
  void Find(std::span<const Key> keys, std::span<std::uint8_t> values) const {
    CHECK(keys.size() <= kBatchSizeMax && values.size() == keys.size());
    // The common list has one interval: everybody is allowed.
    if (size() == 1) {
      std::fill(values.begin(), values.end(), values_.front());
      return;
    }
    std::array<std::uint32_t, kBatchSizeMax> places;
    const Node root = nodes_.front();
    for (std::size_t i = 0; i < keys.size(); ++i) {
      places[i] = SlotOf(root, keys.data()[i]);
      __builtin_prefetch(slots_.data() + places[i]);
    }
    std::uint32_t any = 0;
    for (std::size_t i = 0; i < keys.size(); ++i) {
      places[i] = slots_.data()[places[i]];
      any |= places[i];
      __builtin_prefetch(starts_.data() + (places[i] & ~kIsNode));
    }
    if ((any & kIsNode) != 0) Descend(keys, std::span(places).first(keys.size()));
    for (std::size_t i = 0; i < keys.size(); ++i) {
      const std::size_t found = places[i] + LastNotAfter(starts_.data() + places[i], keys.data()[i]);
      places[i] = static_cast<std::uint32_t>(std::min(found, size() - 1));
      __builtin_prefetch(values_.data() + places[i]);
    }
    for (std::size_t i = 0; i < keys.size(); ++i) values.data()[i] = values_.data()[places[i]];
  }

 private:
  static constexpr std::size_t kWindow = 8;
  // Starts for which a node has one slot, more or less.
  static constexpr std::size_t kStartsPerSlot = 4;
  static constexpr std::size_t kSlotsMax = std::size_t{1} << 20;
  // Marks a slot that leads to a node; the other slots lead to a window.
  static constexpr std::uint32_t kIsNode = std::uint32_t{1} << 31;

  // The keys from `base` on, cut into slots of 2^shift keys. The first one also stands for all keys before `base` that
  // come here, the last one for all keys after it.
  struct Node {
    Key base;
    Key last_slot;
    std::uint32_t first_slot;
    std::uint32_t shift;
  };

  static std::uint32_t SlotOf(const Node& node, Key key) {
    const Key offset = key < node.base ? 0 : key - node.base;
    return node.first_slot + static_cast<std::uint32_t>(std::min<Key>(offset >> node.shift, node.last_slot));
  }

  // Makes the slots for the starts number `first` to `end` - 1, which are the only ones in their stretch of keys.
  // Returns the number of the node. Ends: every slot is narrower than the stretch, and one of a single key has no
  // start to look for.
  std::uint32_t AddNode(std::size_t first, std::size_t end) {
    const Key base = starts_[first];
    const Key width = starts_[end - 1] - base;
    const std::size_t slots_wanted =
        std::clamp(std::bit_ceil((end - first) / kStartsPerSlot), std::size_t{2}, kSlotsMax);
    std::uint32_t shift = 0;
    while (width >> shift >= slots_wanted) ++shift;
    const Node node{base, width >> shift, static_cast<std::uint32_t>(slots_.size()), shift};
    const auto number = static_cast<std::uint32_t>(nodes_.size());
    nodes_.push_back(node);
    slots_.resize(slots_.size() + node.last_slot + 1);
    CHECK(slots_.size() < kIsNode);
    for (Key slot = 0;; ++slot) {
      // Starts before `next` are not after the slot's first key, those from `past` on are after its last one.
      std::size_t next = first;
      while (slot > 0 && next < end && starts_[next] - base <= slot << shift) ++next;
      std::size_t past = next;
      while (past < end && (starts_[past] - base) >> shift <= slot) ++past;
      slots_[node.first_slot + slot] =
          past - next < kWindow ? static_cast<std::uint32_t>(next - 1) : kIsNode | AddNode(next, past);
      if (slot == node.last_slot) break;
      first = past;
    }
    return number;
  }

  // For the keys of crowded slots. Ends: no slot leads back to a node that comes before it.
  void Descend(std::span<const Key> keys, std::span<std::uint32_t> places) const {
    for (bool again = true; again;) {
      again = false;
      for (std::size_t i = 0; i < keys.size(); ++i) {
        if ((places[i] & kIsNode) == 0) continue;
        places[i] = slots_[SlotOf(nodes_[places[i] & ~kIsNode], keys[i])];
        again = again || (places[i] & kIsNode) != 0;
        __builtin_prefetch(starts_.data() + (places[i] & ~kIsNode));
      }
    }
  }

  // The last of kWindow starts that is not after `key`, counted from the first one, which never is after it. By halves,
  // and by arithmetic instead of branches, because no branch of a search can be foreseen.
  static std::size_t LastNotAfter(const Key* starts, Key key) {
    std::size_t last = 0;
    for (std::size_t half = kWindow / 2; half > 0; half /= 2) {
      last += static_cast<std::size_t>(starts[last + half] <= key) * half;
    }
    return last;
  }

  std::vector<Key> starts_;
  std::vector<std::uint8_t> values_;
  std::vector<Node> nodes_;
  std::vector<std::uint32_t> slots_;
};

}  // namespace ntsd
