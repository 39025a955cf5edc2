// A value that one thread publishes and any number read without waiting: the server state, for instance.
//
// Threads: Publish() by one thread only; Read() by anyone.
// Proof: a sequence lock over atomic words. The writer makes the sequence odd, stores the words, then makes it even.
// A reader that saw any word of a newer value saw it by an acquire load that pairs with the word's release store, and
// the odd sequence number was stored before that word; so its second look at the sequence differs from its first and
// it reads again. A reader that got the same even number twice therefore has the words of one value. A late reader
// has the value of a moment ago, which is what it would have had if it had come a moment earlier.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "core/base/counters.h"

namespace ntsd {

template <typename Value>
class Published {
  static_assert(std::is_trivially_copyable_v<Value>);

 public:
  explicit Published(const Value& initial) { Publish(initial); }
  Published(const Published&) = delete;
  Published& operator=(const Published&) = delete;

  void Publish(const Value& value) {
    std::array<std::uint64_t, kWordCount> words{};
    std::memcpy(words.data(), &value, sizeof(Value));
    const std::uint64_t sequence = sequence_.load(std::memory_order_relaxed);
    sequence_.store(sequence + 1, std::memory_order_relaxed);
    for (std::size_t i = 0; i < kWordCount; ++i) words_[i].store(words[i], std::memory_order_release);
    sequence_.store(sequence + 2, std::memory_order_release);
  }

  // Repeats while a Publish() is under way, which takes some nanoseconds a few times a second.
  Value Read() const {
    std::array<std::uint64_t, kWordCount> words;
    std::uint64_t before;
    do {
      before = sequence_.load(std::memory_order_acquire);
      for (std::size_t i = 0; i < kWordCount; ++i) words[i] = words_[i].load(std::memory_order_acquire);
    } while ((before & 1) != 0 || sequence_.load(std::memory_order_relaxed) != before);
    Value value;
    // As octets: trivially copyable, though it may have default values.
    std::memcpy(static_cast<void*>(&value), words.data(), sizeof(Value));
    return value;
  }

 private:
  static constexpr std::size_t kWordCount = (sizeof(Value) + 7) / 8;

  alignas(kCacheLineSize) std::atomic<std::uint64_t> sequence_{0};
  std::array<std::atomic<std::uint64_t>, kWordCount> words_{};
};

}  // namespace ntsd
