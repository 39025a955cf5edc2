// The responder alone: a batch of datagrams in, answers out, no system call but the clock's.
//
// Arguments: datagrams in a batch. Time is shown for a batch; items per second are requests.
// Arrival is what the bench itself does for every datagram, in the place of kernel and port, and which is in all other
// figures; ClockReadings is what the readings of a batch cost: two, and two for each group of answers.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <array>
#include <vector>

#include "core/crypto/fast_random.h"
#include "core/nts/client.h"
#include "core/nts/responder.h"

namespace ntsd {
namespace {

// The clock costs what it costs in service: two readings a batch and two a group.
class BenchClock final : public Clock {
 public:
  UnixTime Now() const override { return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now()); }
  MonotonicTime Monotonic() const override { return std::chrono::steady_clock::now(); }
};

std::shared_ptr<const KeySet> MakeKeys() {
  MasterKey key{.id = 1, .aead = AeadId::kAesSivCmac256, .key = {}, .created = {}};
  std::uint8_t octet = 0;
  for (std::uint8_t& target : key.key.Resize(AeadKeySize(key.aead))) target = ++octet;
  return KeySet::Make(std::span(&key, 1), 0, 1, false);
}

ServerState SynchronizedState() {
  ServerState state;
  state.synchronized = true;
  state.stratum = 1;
  state.precision = -25;
  state.dispersion_rate_ppb = 0;
  return state;
}

struct Bench {
  explicit Bench(std::size_t size)
      : ring(MakeKeys()),
        state(SynchronizedState()),
        responder(*SelectAead(), ring, state, clock, random, {ListenerPolicy{}}),
        templates(size),
        requests(size),
        replies(size),
        batch(size) {}

  void FillPlain() {
    for (Octets& datagram : templates) datagram = BuildPlainRequest(4, random).datagram;
  }
  // Every request with a key and a cookie of its own.
  void FillNts(AeadId aead, std::size_t placeholders, bool forged) {
    for (Octets& datagram : templates) {
      NtsAssociation association;
      association.keys.aead = aead;
      random.Fill(association.keys.c2s);
      random.Fill(association.keys.s2c);
      KeyRing::Reader reader(ring);
      const KeyRing::Pin pin = reader.Acquire();
      Octets cookie(CookieSize(pin->current().key.aead(), aead));
      const CookieSealJob job{.keys = &association.keys, .cookie = cookie.data()};
      SealCookies(*SelectAead(), *pin, random, std::span(&job, 1));
      if (forged) cookie.back() ^= 1;
      association.cookies.push_back(cookie);
      datagram = BuildNtsRequest(association, *SelectAead(), random, placeholders)->datagram;
    }
  }
  void Run(benchmark::State& bench_state) {
    for (auto _ : bench_state) {
      const UnixTime now = clock.Now();
      for (std::size_t i = 0; i < batch.size(); ++i) {
        // A responder decrypts in place, so every round needs the octets anew, as from the kernel.
        std::copy(templates[i].begin(), templates[i].end(), requests[i].begin());
        batch[i] = {.request = ByteSpan(requests[i]).first(templates[i].size()),
                    .reply = replies[i],
                    .source = {IpAddress::V4(0xC0000205), 40000},
                    .received = now};
      }
      if (only_arrival) {
        benchmark::DoNotOptimize(requests.data());
        benchmark::DoNotOptimize(batch.data());
        benchmark::ClobberMemory();
        continue;
      }
      responder.Prepare(batch);
      for (std::size_t first = 0; first < batch.size(); first += kSendGroupSizeMax) {
        responder.Finish(std::span(batch).subspan(first, std::min(kSendGroupSizeMax, batch.size() - first)));
      }
      benchmark::DoNotOptimize(replies.data());
    }
    bench_state.SetItemsProcessed(bench_state.iterations() * static_cast<std::int64_t>(batch.size()));
    bench_state.SetLabel(std::string(SelectAead()->Name()) + ", " + std::string(ReasonName(batch[0].reason)));
  }

  bool only_arrival = false;
  BenchClock clock;
  FastRandom random;
  KeyRing ring;
  Published<ServerState> state;
  Responder responder;
  std::vector<Octets> templates;
  // As the ports keep them: an odd multiple of 64 octets apart, so that neighbours do not share cache sets.
  std::vector<std::array<std::uint8_t, kRequestSizeMax + 64>> requests;
  std::vector<std::array<std::uint8_t, kReplySizeMax + 64>> replies;
  std::vector<Exchange> batch;
};

void PlainNtp(benchmark::State& state) {
  Bench bench(static_cast<std::size_t>(state.range(0)));
  bench.FillPlain();
  bench.Run(state);
}

void Arrival(benchmark::State& state) {
  Bench bench(static_cast<std::size_t>(state.range(0)));
  bench.FillPlain();
  bench.only_arrival = true;
  bench.Run(state);
}

void ClockReadings(benchmark::State& state) {
  const BenchClock clock;
  const auto size = static_cast<std::size_t>(state.range(0));
  for (auto _ : state) {
    for (std::size_t i = 0; i < 1 + (size + kSendGroupSizeMax - 1) / kSendGroupSizeMax; ++i) {
      benchmark::DoNotOptimize(clock.Monotonic());
      benchmark::DoNotOptimize(clock.Now());
    }
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(size));
}

template <AeadId kAead, std::size_t kPlaceholders>
void Nts(benchmark::State& state) {
  Bench bench(static_cast<std::size_t>(state.range(0)));
  bench.FillNts(kAead, kPlaceholders, false);
  bench.Run(state);
}

void ForgedCookie(benchmark::State& state) {
  Bench bench(static_cast<std::size_t>(state.range(0)));
  bench.FillNts(AeadId::kAesSivCmac256, 0, true);
  bench.Run(state);
}

BENCHMARK(Arrival)->Arg(64);
BENCHMARK(ClockReadings)->Arg(1)->Arg(64);
BENCHMARK(PlainNtp)->Arg(1)->Arg(8)->Arg(64);
BENCHMARK(Nts<AeadId::kAesSivCmac256, 0>)->Name("Nts15")->Arg(1)->Arg(8)->Arg(16)->Arg(64);
BENCHMARK(Nts<AeadId::kAesSivCmac256, 7>)->Name("Nts15With7Placeholders")->Arg(64);
BENCHMARK(Nts<AeadId::kAesSivCmac512, 0>)->Name("Nts17")->Arg(8)->Arg(64);
BENCHMARK(Nts<AeadId::kAes128GcmSiv, 0>)->Name("Nts30")->Arg(8)->Arg(64);
BENCHMARK(ForgedCookie)->Arg(8)->Arg(64);

}  // namespace
}  // namespace ntsd

BENCHMARK_MAIN();
