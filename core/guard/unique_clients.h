// Estimates how many different networks were seen in an hour, without keeping any address (HyperLogLog).
//
// Threads: Add() by the owning worker; EstimateUniqueClients() by anyone at any time. Registers are atomic octets with
//          one writer: a reader that misses the last few has the figure of a moment ago. What keeps the hours apart
//          stands at MergeInto().
// Memory: 8 KiB a worker: 4,096 registers for this hour and for the last one. The standard error is 1.6 %.
// Privacy: a register holds the position of one bit of a keyed hash; no address can be won back from it.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "core/base/counters.h"
#include "core/base/time.h"

namespace ntsd {

struct UniqueClientCount {
  std::uint64_t this_hour = 0;  // so far; hours are those of the monotonic clock
  std::uint64_t last_hour = 0;
};

class UniqueClients {
 public:
  UniqueClients() = default;
  UniqueClients(const UniqueClients&) = delete;
  UniqueClients& operator=(const UniqueClients&) = delete;

  // `hashes` name networks by PrefixHash; all workers' sketches take the same hash.
  void Add(std::span<const std::uint64_t> hashes, MonotonicTime now);

 private:
  friend UniqueClientCount EstimateUniqueClients(std::span<const UniqueClients* const> sketches, MonotonicTime now);

  static constexpr unsigned kIndexBits = 12;
  static constexpr std::size_t kRegisterCount = std::size_t{1} << kIndexBits;
  static constexpr std::int64_t kNoHour = -1;
  using Registers = std::array<std::uint8_t, kRegisterCount>;

  struct alignas(kCacheLineSize) Hour {
    std::atomic<std::int64_t> number{kNoHour};
    std::array<std::atomic<std::uint8_t>, kRegisterCount> registers{};
  };

  static std::int64_t HourOf(MonotonicTime now);
  void Begin(Hour& hour, std::int64_t number);
  // Raises `sum` to what this sketch saw in that hour.
  void MergeInto(Registers& sum, std::int64_t number) const;
  static std::uint64_t Estimate(const Registers& registers);

  std::array<Hour, 2> hours_;
};

// What all workers together saw.
UniqueClientCount EstimateUniqueClients(std::span<const UniqueClients* const> sketches, MonotonicTime now);

}  // namespace ntsd
