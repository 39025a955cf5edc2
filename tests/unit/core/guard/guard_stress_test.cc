// Many threads on one guard. Most telling under the thread sanitizer; the bounds hold under any of them.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <thread>
#include <vector>

#include "core/guard/guard.h"
#include "tests/support/fakes.h"

namespace ntsd {
namespace {

using std::chrono::microseconds;
using std::chrono::seconds;
using testing::FakeRandom;

constexpr std::size_t kThreadCount = 4;
constexpr int kBatchesPerThread = 2'000;
constexpr double kRate = 100;
constexpr std::uint32_t kBurst = 64;

RateLimits Limits() { return {.rate = kRate, .burst = kBurst, .prefixes = {}, .leak = 0, .kod = 0}; }
IpAddress Heavy(std::size_t i) { return IpAddress::V4(0xC0000200 + static_cast<std::uint32_t>(i)); }

// Time that all threads share and push on: each of them may act on a reading that is already old.
class SharedTime {
 public:
  MonotonicTime Advance(Duration by) { return start_ + Duration(elapsed_.fetch_add(by.count()) + by.count()); }
  double elapsed_s() const { return static_cast<double>(elapsed_.load()) * 1e-9; }

 private:
  const MonotonicTime start_{seconds(500'000)};
  std::atomic<std::int64_t> elapsed_{0};
};

struct Flood {
  std::size_t heavy_count;
  bool strangers;  // half of each batch comes from sources that are never seen again
  std::size_t cell_count;
};

// How many packets of each heavy source the limiter let through, all threads together.
std::vector<std::size_t> AdmittedOf(const Flood& flood, RateLimiter& limiter, SharedTime& time) {
  const RatePolicy policy = RatePolicy::Make(Limits()).value();
  std::vector<std::atomic<std::size_t>> admitted(flood.heavy_count);
  const auto work = [&](std::size_t thread) {
    FakeRandom random(thread + 1);
    std::array<IpAddress, kBatchSizeMax> sources;
    std::array<std::size_t, kBatchSizeMax> who;
    std::array<std::uint64_t, kBatchSizeMax> hashes;
    std::array<RateVerdict, kBatchSizeMax> verdicts;
    for (int batch = 0; batch < kBatchesPerThread; ++batch) {
      for (std::size_t i = 0; i < kBatchSizeMax; ++i) {
        const bool stranger = flood.strangers && i % 2 == 1;
        who[i] = stranger ? flood.heavy_count : random.Below(flood.heavy_count);
        sources[i] = stranger ? IpAddress::V4(static_cast<std::uint32_t>(random.Next())) : Heavy(who[i]);
      }
      const MonotonicTime now = time.Advance(microseconds(250));
      limiter.Prepare(policy, sources, hashes);
      limiter.Decide(policy, hashes, now, random, verdicts);
      for (std::size_t i = 0; i < kBatchSizeMax; ++i) {
        if (who[i] < flood.heavy_count && verdicts[i] == RateVerdict::kWithin) ++admitted[who[i]];
      }
    }
  };
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < kThreadCount; ++i) threads.emplace_back(work, i);
  for (std::thread& thread : threads) thread.join();
  return {admitted.begin(), admitted.end()};
}

// Once a source has its cell, no race can take a token twice: the bound is exact. Being refused all the time, its
// bucket is never full, so strangers never take its cell while there are lighter ones.
TEST(RateLimiterStress, KnownSourcesGetExactlyTheirRateFromAllThreadsTogether) {
  for (const bool strangers : {false, true}) {
    const Flood flood{.heavy_count = 8, .strangers = strangers, .cell_count = 1024};
    FakeRandom random(9);
    RateLimiter limiter(flood.cell_count, random);
    SharedTime time;
    // All heavy sources are known, with one token taken, before the threads start.
    const RatePolicy policy = RatePolicy::Make(Limits()).value();
    for (std::size_t i = 0; i < flood.heavy_count; ++i) {
      const IpAddress source = Heavy(i);
      std::uint64_t hash = 0;
      RateVerdict verdict{};
      limiter.Prepare(policy, std::span(&source, 1), std::span(&hash, 1));
      limiter.Decide(policy, std::span(&hash, 1), time.Advance(Duration(0)), random, std::span(&verdict, 1));
    }
    for (const std::size_t admitted : AdmittedOf(flood, limiter, time)) {
      EXPECT_LE(static_cast<double>(admitted), kBurst + kRate * time.elapsed_s());
      EXPECT_GE(static_cast<double>(admitted), 0.9 * (kBurst + kRate * time.elapsed_s()));
    }
  }
}

// Sources that all threads meet for the first time at once: each thread may win a cell for itself, but only the first
// in the order of looking is used from then on. So at most one more burst for each further thread, however long it
// takes.
TEST(RateLimiterStress, ALostRaceCostsAtMostABurst) {
  for (int round = 0; round < 5; ++round) {
    const Flood flood{.heavy_count = 64, .strangers = false, .cell_count = 1024};
    FakeRandom random(static_cast<std::uint64_t>(round));
    RateLimiter limiter(flood.cell_count, random);
    SharedTime time;
    for (const std::size_t admitted : AdmittedOf(flood, limiter, time)) {
      EXPECT_LE(static_cast<double>(admitted), kThreadCount * kBurst + kRate * time.elapsed_s());
    }
    if (::testing::Test::HasFailure()) break;
  }
}

// A table far too small for the sources in debt, so that the threads fight over every cell. Nothing breaks, and the
// heavy ones together get what all cells hold, and a tenth of what they ask until the table knows that it is crowded.
// Without inheritance they would get nearly everything, since fifteen of sixteen always come as new.
TEST(RateLimiterStress, AnOverfullTableAdmitsWhatItsCellsHold) {
  const Flood flood{.heavy_count = 256, .strangers = false, .cell_count = 16};
  FakeRandom random(4);
  RateLimiter limiter(flood.cell_count, random);
  SharedTime time;
  std::size_t sum = 0;
  for (const std::size_t admitted : AdmittedOf(flood, limiter, time)) sum += admitted;
  const double asked = kThreadCount * kBatchesPerThread * kBatchSizeMax * 1.0;
  const double cells_hold = static_cast<double>(limiter.cell_count()) * (kBurst + kRate * time.elapsed_s());
  EXPECT_LE(static_cast<double>(sum), cells_hold + 0.1 * asked);
}

// Workers decide while settings are swapped, the table is swept and the figures are read. Each batch meets one policy
// from its first packet to its last.
TEST(GuardStress, EachBatchMeetsOnePolicyWhileSettingsAreSwapped) {
  const auto policy = [](bool deny) {
    GuardSettings settings;
    settings.access.allow = {IpPrefix::Parse("0.0.0.0/0").value()};
    if (deny) settings.access.deny = {IpPrefix::Parse("192.0.2.0/24").value()};
    settings.list_clients = deny;
    return GuardPolicy::Make(settings).value();
  };
  FakeRandom seed(1);
  Guard guard(64, policy(false), seed);
  std::vector<std::unique_ptr<Guard::Worker>> workers;
  std::vector<const UniqueClients*> unique;
  std::vector<const BusyClients*> busy;
  for (std::size_t i = 0; i < kThreadCount; ++i) {
    workers.push_back(std::make_unique<Guard::Worker>(guard));
    unique.push_back(&workers.back()->unique_clients());
    busy.push_back(&workers.back()->busy_clients());
  }

  std::atomic<bool> stop{false};
  std::atomic<int> mixed_batches{0};
  std::atomic<std::uint64_t> batches{0};
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < kThreadCount; ++i) {
    threads.emplace_back([&, i] {
      FakeRandom random(i);
      std::array<IpAddress, 32> sources;
      std::array<GuardReason, 32> reasons;
      for (std::int64_t s = 0; !stop; ++s) {
        for (IpAddress& source : sources) source = Heavy(random.Below(256));
        workers[i]->Decide(sources, MonotonicTime(seconds(s * 60)), random, reasons);
        if (std::count(reasons.begin(), reasons.end(), reasons[0]) != 32) ++mixed_batches;
        ++batches;
      }
    });
  }
  for (int i = 0; i < 100; ++i) {
    guard.Reload(policy(i % 2 == 0));
    guard.Housekeep(MonotonicTime(seconds(i)));
    EXPECT_LE(EstimateUniqueClients(unique, MonotonicTime(seconds(i * 60))).this_hour, 300U);
    for (const BusyClient& client : MergeBusyClients(busy, MonotonicTime(seconds(i)))) {
      ASSERT_EQ(client.network.length, 32) << "half an entry";
    }
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(mixed_batches, 0);
  EXPECT_GT(batches, 0U);
  std::uint64_t counted = 0;
  for (const auto& worker : workers) {
    for (std::size_t reason = 0; reason < kGuardReasonCount; ++reason) counted += worker->counters().Read(reason);
  }
  EXPECT_EQ(counted, 32 * batches);
}

}  // namespace
}  // namespace ntsd
