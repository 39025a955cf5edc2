// What the guard costs a packet: access lists of a hundred thousand prefixes, and a table of rates that holds a million
// sources, too many for the caches. Every item is one packet, in batches of kBatchSizeMax as in service.
//
// BM_Floor is what no table of that size can be faster than on this machine and in this moment.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <random>
#include <vector>

#include "core/guard/guard.h"

namespace ntsd {
namespace {

// The same octets in every run.
class Sequence : public Random {
 public:
  explicit Sequence(std::uint64_t seed) : engine_(seed) {}
  void Fill(ByteSpan target) override {
    for (std::uint8_t& octet : target) octet = static_cast<std::uint8_t>(engine_());
  }
  std::uint64_t Next() { return engine_(); }
  std::uint64_t Below(std::uint64_t bound) { return engine_() % bound; }

 private:
  std::mt19937_64 engine_;
};

constexpr std::size_t kSourceCount = std::size_t{1} << 20;
constexpr std::size_t kRuleCount = 100'000;

IpAddress RandomV4(Sequence& random) { return IpAddress::V4(static_cast<std::uint32_t>(random.Next())); }

// Within 2000::/6, where the addresses that are given out are.
IpAddress RandomV6(Sequence& random) {
  IpAddress address;
  address.is_v4 = false;
  random.Fill(address.octets);
  address.octets[0] = static_cast<std::uint8_t>(0x20 | (address.octets[0] & 3));
  return address;
}

IpAddress RandomAddress(Sequence& random, int family) {
  if (family == 4) return RandomV4(random);
  if (family == 6) return RandomV6(random);
  return random.Below(2) == 0 ? RandomV4(random) : RandomV6(random);
}

IpPrefix Truncate(IpAddress address, std::size_t length) {
  for (std::size_t bit = length; bit < address.size() * 8; ++bit) {
    address.octets[bit / 8] &= static_cast<std::uint8_t>(~(0x80 >> bit % 8));
  }
  return {address, static_cast<std::uint8_t>(length)};
}

// A blocklist as they are published: hosts and small networks, all over the address space.
AccessRules ManyRules(int family) {
  Sequence random(1);
  AccessRules rules{{IpPrefix::Parse("0.0.0.0/0").value(), IpPrefix::Parse("::/0").value()}, {}, {}};
  for (std::size_t i = 0; i < kRuleCount; ++i) {
    const IpAddress address = RandomAddress(random, family);
    rules.deny.push_back(Truncate(address, address.is_v4 ? 32 - random.Below(9) : 64 - random.Below(33)));
  }
  return rules;
}

// The same number of hosts, all out of 64 networks of 65,536 addresses, in which the sources are as well.
IpAddress CrowdedV4(Sequence& random) {
  return IpAddress::V4(static_cast<std::uint32_t>(0x0A000000 | random.Below(64) << 18 | random.Below(65'536)));
}
AccessRules CrowdedRules() {
  Sequence random(1);
  AccessRules rules{{IpPrefix::Parse("0.0.0.0/0").value(), IpPrefix::Parse("::/0").value()}, {}, {}};
  for (std::size_t i = 0; i < kRuleCount; ++i) rules.deny.push_back(Truncate(CrowdedV4(random), 32));
  return rules;
}

AccessRules AllowAll() { return {{IpPrefix::Parse("0.0.0.0/0").value(), IpPrefix::Parse("::/0").value()}, {}, {}}; }

std::vector<IpAddress> Sources(int family) {
  Sequence random(2);
  std::vector<IpAddress> sources(kSourceCount);
  std::generate(sources.begin(), sources.end(), [&] { return RandomAddress(random, family); });
  return sources;
}

RateLimits Limits() { return {.rate = 2, .burst = 64, .prefixes = {}, .leak = 0.25, .kod = 0.0625}; }

// The next batch out of all sources, round and round; each source comes back after a million others.
class Batches {
 public:
  explicit Batches(const std::vector<IpAddress>& sources) : sources_(sources) {}
  std::span<const IpAddress> Next() {
    position_ = (position_ + kBatchSizeMax) % sources_.size();
    return std::span(sources_).subspan(position_, kBatchSizeMax);
  }

 private:
  std::span<const IpAddress> sources_;
  std::size_t position_ = 0;
};

void LookUpInBatches(benchmark::State& state, const AccessList& list, const std::vector<IpAddress>& sources) {
  Batches batches(sources);
  std::array<Access, kBatchSizeMax> access;
  for (auto _ : state) {
    list.LookUp(batches.Next(), access);
    benchmark::DoNotOptimize(access);
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kBatchSizeMax));
}

void BM_AccessList(benchmark::State& state) {
  const int family = static_cast<int>(state.range(0));
  LookUpInBatches(state, AccessList(ManyRules(family)), Sources(family));
}
BENCHMARK(BM_AccessList)->ArgName("family")->Arg(4)->Arg(6)->Arg(46);

void BM_AccessListCrowded(benchmark::State& state) {
  Sequence random(2);
  std::vector<IpAddress> sources(kSourceCount);
  std::generate(sources.begin(), sources.end(), [&] { return CrowdedV4(random); });
  LookUpInBatches(state, AccessList(CrowdedRules()), sources);
}
BENCHMARK(BM_AccessListCrowded);

void BM_AccessListOneByOne(benchmark::State& state) {
  const int family = static_cast<int>(state.range(0));
  const AccessList list(ManyRules(family));
  const std::vector<IpAddress> sources = Sources(family);
  std::size_t i = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(list.LookUp(sources[i]));
    i = (i + 1) % sources.size();
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_AccessListOneByOne)->ArgName("family")->Arg(4)->Arg(6);

// interval_us: between two batches. At 640 a million sources come back after ten seconds, all within their rate;
// at 1 they come back sooner than their tokens, so that nearly all are in excess.
void BM_RateLimiter(benchmark::State& state) {
  const std::vector<IpAddress> sources = Sources(static_cast<int>(state.range(0)));
  Sequence random(3);
  RateLimiter limiter(kRateCellsDefault, random);
  const RatePolicy policy = RatePolicy::Make(Limits()).value();
  Batches batches(sources);
  std::array<std::uint64_t, kBatchSizeMax> hashes;
  std::array<RateVerdict, kBatchSizeMax> verdicts;
  MonotonicTime now{std::chrono::hours(1)};
  const auto next = [&](Duration interval) {
    now += interval;
    limiter.Prepare(policy, batches.Next(), hashes);
    limiter.Decide(policy, hashes, now, random, verdicts);
    benchmark::DoNotOptimize(verdicts);
  };
  // Everybody has been here before; when they are to be in excess, until nothing is left.
  const bool in_excess = state.range(1) == 1;
  for (std::size_t i = 0; i < (in_excess ? 70 : 1) * kSourceCount / kBatchSizeMax; ++i) next(Duration(1));
  for (auto _ : state) next(std::chrono::microseconds(state.range(1)));
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kBatchSizeMax));
}
BENCHMARK(BM_RateLimiter)
    ->ArgNames({"family", "interval_us"})
    ->Args({4, 640})
    ->Args({6, 640})
    ->Args({46, 640})
    ->Args({4, 1});

// A flood in which no source comes twice.
void BM_RateLimiterStrangers(benchmark::State& state) {
  Sequence random(3);
  RateLimiter limiter(kRateCellsDefault, random);
  const RatePolicy policy = RatePolicy::Make(Limits()).value();
  std::array<IpAddress, kBatchSizeMax> sources;
  std::array<std::uint64_t, kBatchSizeMax> hashes;
  std::array<RateVerdict, kBatchSizeMax> verdicts;
  MonotonicTime now{std::chrono::hours(1)};
  std::uint32_t host = 0;
  for (auto _ : state) {
    now += std::chrono::microseconds(32);  // two million a second
    for (IpAddress& source : sources) source = IpAddress::V4(host++);
    limiter.Prepare(policy, sources, hashes);
    limiter.Decide(policy, hashes, now, random, verdicts);
    benchmark::DoNotOptimize(verdicts);
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kBatchSizeMax));
}
BENCHMARK(BM_RateLimiterStrangers);

// One line of cache a packet, out of as much memory as the limiter's table has, named by a number that is at hand: to
// fetch a batch of lines and then read a word of each (swaps:0), or swap one (swaps:1).
void BM_Floor(benchmark::State& state) {
  struct alignas(kCacheLineSize) Line {
    std::array<std::atomic<std::uint64_t>, kRateCellsPerLine> cells;
  };
  std::vector<Line> lines(kRateCellsDefault / kRateCellsPerLine);
  Sequence random(4);
  std::vector<std::uint32_t> places(kSourceCount);
  std::generate(places.begin(), places.end(), [&] { return static_cast<std::uint32_t>(random.Below(lines.size())); });
  const bool swaps = state.range(0) != 0;
  std::size_t first = 0;
  std::uint64_t sum = 0;
  for (auto _ : state) {
    const std::span<const std::uint32_t> batch = std::span(places).subspan(first, kBatchSizeMax);
    for (const std::uint32_t place : batch) __builtin_prefetch(&lines.data()[place], 1);
    for (const std::uint32_t place : batch) {
      std::atomic<std::uint64_t>& cell = lines.data()[place].cells[place % kRateCellsPerLine];
      std::uint64_t value = cell.load(std::memory_order_relaxed);
      sum += value;
      if (swaps) cell.compare_exchange_strong(value, value + 1, std::memory_order_relaxed);
    }
    first = (first + kBatchSizeMax) % places.size();
  }
  benchmark::DoNotOptimize(sum);
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kBatchSizeMax));
}
BENCHMARK(BM_Floor)->ArgName("swaps")->Arg(0)->Arg(1);

// Everything that a worker asks of the guard. rules: 0 = allow all, 1 = a hundred thousand prefixes.
void BM_Guard(benchmark::State& state) {
  const std::vector<IpAddress> sources = Sources(static_cast<int>(state.range(0)));
  Sequence random(3);
  GuardSettings settings;
  settings.access = state.range(1) == 0 ? AllowAll() : ManyRules(46);
  if (state.range(2) != 0) settings.rate = Limits();
  Guard guard(kRateCellsDefault, GuardPolicy::Make(settings).value(), random);
  Guard::Worker worker(guard);
  Batches batches(sources);
  std::array<GuardReason, kBatchSizeMax> reasons;
  MonotonicTime now{std::chrono::hours(1)};
  // Everybody has been here before.
  for (std::size_t i = 0; i < kSourceCount / kBatchSizeMax; ++i) worker.Decide(batches.Next(), now, random, reasons);
  for (auto _ : state) {
    now += std::chrono::microseconds(640);
    worker.Decide(batches.Next(), now, random, reasons);
    benchmark::DoNotOptimize(reasons);
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kBatchSizeMax));
}
BENCHMARK(BM_Guard)->ArgNames({"family", "rules", "limits"})->Args({46, 0, 0})->Args({46, 0, 1})->Args({46, 1, 1});

}  // namespace
}  // namespace ntsd

BENCHMARK_MAIN();
