// Counters that one thread writes and others may read at any time, without a lock or a locked instruction.
//
// Threads: Add() by the owning thread only; Read() by anyone. Every cell is written by one thread, so a plain load and
// a plain store make an increment. Relaxed order suffices: a reader wants a recent figure of one cell and draws no
// conclusion from it about another.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace ntsd {

inline constexpr std::size_t kCacheLineSize = 64;

template <std::size_t kCount>
class alignas(kCacheLineSize) Counters {
 public:
  static constexpr std::size_t size() { return kCount; }

  void Add(std::size_t index, std::uint64_t amount = 1) {
    std::atomic<std::uint64_t>& cell = cells_[index];
    cell.store(cell.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  }
  std::uint64_t Read(std::size_t index) const { return cells_[index].load(std::memory_order_relaxed); }

 private:
  std::array<std::atomic<std::uint64_t>, kCount> cells_{};
};

}  // namespace ntsd
