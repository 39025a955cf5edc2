// Deadlines of many items in constant time: each queue holds items that all wait equally long, so that the first to be
// put in is the first to be due.
//
// Threads: belongs to one thread. Memory: allocated once, for a fixed number of items.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "core/base/time.h"

namespace ntsd::ke {

class Deadlines {
 public:
  Deadlines(std::size_t item_count, std::size_t queue_count) : links_(item_count), queues_(queue_count) {}

  // Puts the item into a queue, out of the one it may be in. Within a queue deadlines never go back.
  void Set(std::size_t item, std::size_t queue, MonotonicTime deadline) {
    Remove(item);
    Queue& target = queues_[queue];
    links_[item] = {deadline, queue, target.last, kNone};
    (target.last == kNone ? target.first : links_[target.last].next) = item;
    target.last = item;
  }
  void Remove(std::size_t item) {
    Link& link = links_[item];
    if (link.queue == kNone) return;
    Queue& queue = queues_[link.queue];
    (link.previous == kNone ? queue.first : links_[link.previous].next) = link.next;
    (link.next == kNone ? queue.last : links_[link.next].previous) = link.previous;
    link = {};
  }

  // The earliest deadline of all.
  std::optional<MonotonicTime> Next() const {
    std::optional<MonotonicTime> next;
    for (const Queue& queue : queues_) {
      if (queue.first == kNone) continue;
      const MonotonicTime deadline = links_[queue.first].deadline;
      if (!next.has_value() || deadline < *next) next = deadline;
    }
    return next;
  }
  // Takes out an item whose deadline is not after `now`; nothing when there is none.
  std::optional<std::size_t> TakeDue(MonotonicTime now) {
    for (const Queue& queue : queues_) {
      if (queue.first == kNone || links_[queue.first].deadline > now) continue;
      const std::size_t item = queue.first;
      Remove(item);
      return item;
    }
    return std::nullopt;
  }
  // The item that has been longest in a queue.
  std::optional<std::size_t> First(std::size_t queue) const {
    const std::size_t item = queues_[queue].first;
    return item == kNone ? std::nullopt : std::optional(item);
  }

 private:
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);
  struct Link {
    MonotonicTime deadline{};
    std::size_t queue = kNone;
    std::size_t previous = kNone;
    std::size_t next = kNone;
  };
  struct Queue {
    std::size_t first = kNone;
    std::size_t last = kNone;
  };

  std::vector<Link> links_;
  std::vector<Queue> queues_;
};

}  // namespace ntsd::ke
