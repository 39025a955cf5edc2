#include "core/guard/unique_clients.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>

namespace ntsd {

void UniqueClients::Add(std::span<const std::uint64_t> hashes, MonotonicTime now) {
  const std::int64_t number = HourOf(now);
  Hour& hour = hours_[static_cast<std::size_t>(number & 1)];
  if (hour.number.load(std::memory_order_relaxed) != number) Begin(hour, number);
  for (const std::uint64_t hash : hashes) {
    std::atomic<std::uint8_t>& cell = hour.registers[hash >> (64 - kIndexBits)];
    // Leading zeros of the other bits, plus one; the bit that is set behind them ends the count.
    const std::uint64_t rest = hash << kIndexBits | std::uint64_t{1} << (kIndexBits - 1);
    const auto rank = static_cast<std::uint8_t>(std::countl_zero(rest) + 1);
    // Release: see MergeInto().
    if (cell.load(std::memory_order_relaxed) < rank) cell.store(rank, std::memory_order_release);
  }
}

std::int64_t UniqueClients::HourOf(MonotonicTime now) {
  return std::chrono::floor<std::chrono::hours>(now).time_since_epoch().count();
}

// The hour that these registers had ended an hour ago, and until the last store they have none. Release: who sees the
// new number sees the zeros as well.
void UniqueClients::Begin(Hour& hour, std::int64_t number) {
  hour.number.store(kNoHour, std::memory_order_relaxed);
  for (std::atomic<std::uint8_t>& cell : hour.registers) cell.store(0, std::memory_order_release);
  hour.number.store(number, std::memory_order_release);
}

void UniqueClients::MergeInto(Registers& sum, std::int64_t number) const {
  const Hour& hour = hours_[static_cast<std::size_t>(number & 1)];
  if (hour.number.load(std::memory_order_acquire) != number) return;
  Registers seen;
  for (std::size_t i = 0; i < kRegisterCount; ++i) seen[i] = hour.registers[i].load(std::memory_order_acquire);
  // Had one of these loads met a register of a later hour, it would have acquired the store that took the old number
  // away, and this look would find it gone.
  if (hour.number.load(std::memory_order_relaxed) != number) return;
  for (std::size_t i = 0; i < kRegisterCount; ++i) sum[i] = std::max(sum[i], seen[i]);
}

// Otmar Ertl, "New cardinality estimation algorithms for HyperLogLog sketches" (2017), algorithm 6: unbiased from one
// client to billions, without tables of corrections.
std::uint64_t UniqueClients::Estimate(const Registers& registers) {
  constexpr unsigned kRankMax = 64 - kIndexBits + 1;
  constexpr auto kCount = static_cast<double>(kRegisterCount);
  std::array<double, kRankMax + 1> histogram{};
  for (const std::uint8_t rank : registers) ++histogram[rank];
  if (histogram[0] == kCount) return 0;

  // tau(1 - full / m): what registers at the end of the scale stand for.
  double x = 1 - histogram[kRankMax] / kCount;
  double tau = 0;
  if (x > 0 && x < 1) {
    tau = 1 - x;
    double y = 1;
    // Ends: the terms shrink by more than half each time, until one adds nothing.
    for (double before = -1; before != tau;) {
      x = std::sqrt(x);
      before = tau;
      y /= 2;
      tau -= (1 - x) * (1 - x) * y;
    }
    tau /= 3;
  }
  double z = kCount * tau;
  for (unsigned rank = kRankMax - 1; rank >= 1; --rank) z = (z + histogram[rank]) / 2;

  // sigma(empty / m): what registers that saw nothing stand for.
  x = histogram[0] / kCount;
  double sigma = x;
  double y = 1;
  // Ends: x is below one and is squared each time.
  for (double before = -1; before != sigma;) {
    x *= x;
    before = sigma;
    sigma += x * y;
    y *= 2;
  }
  z += kCount * sigma;
  constexpr double kAlpha = 0.7213475204444817;  // 1 / (2 ln 2)
  return static_cast<std::uint64_t>(std::llround(kAlpha * kCount * kCount / z));
}

UniqueClientCount EstimateUniqueClients(std::span<const UniqueClients* const> sketches, MonotonicTime now) {
  const std::int64_t number = UniqueClients::HourOf(now);
  const auto estimate = [&sketches](std::int64_t hour) {
    UniqueClients::Registers sum{};
    for (const UniqueClients* const sketch : sketches) sketch->MergeInto(sum, hour);
    return UniqueClients::Estimate(sum);
  };
  return {.this_hour = estimate(number), .last_hour = estimate(number - 1)};
}

}  // namespace ntsd
