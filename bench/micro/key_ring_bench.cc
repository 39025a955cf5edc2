// What a worker pays to hold the keys for one batch, with nobody writing and with a keeper that does nothing but
// publish.
#include <benchmark/benchmark.h>

#include <atomic>
#include <thread>

#include "core/keys/key_ring.h"
#include "core/keys/rotation.h"
#include "tests/support/fakes.h"

namespace ntsd {
namespace {

std::shared_ptr<const KeySet> MakeSet(std::uint64_t generation) {
  testing::FakeRandom random;
  return KeySet::Make(MakeFreshRing(UnixTime(), random).keys, StoredRing::kFutureCount, generation, false);
}

void BM_Pin(benchmark::State& state) {
  KeyRing ring(MakeSet(1));
  KeyRing::Reader reader(ring);
  for (auto _ : state) {
    const KeyRing::Pin pin = reader.Acquire();
    benchmark::DoNotOptimize(&pin->current());
  }
}
BENCHMARK(BM_Pin);

// Far more often than a few times a day: every 100 µs.
void BM_PinWhileKeysRotate(benchmark::State& state) {
  KeyRing ring(MakeSet(1));
  KeyRing::Reader reader(ring);
  std::atomic<bool> stop{false};
  std::thread keeper([&] {
    for (std::uint64_t generation = 2; !stop.load(std::memory_order_relaxed); ++generation) {
      ring.Publish(MakeSet(generation));
      std::this_thread::sleep_for(std::chrono::microseconds(100));
    }
  });
  for (auto _ : state) {
    const KeyRing::Pin pin = reader.Acquire();
    benchmark::DoNotOptimize(&pin->current());
  }
  stop.store(true);
  keeper.join();
}
BENCHMARK(BM_PinWhileKeysRotate);

void BM_FindKey(benchmark::State& state) {
  testing::FakeRandom random;
  StoredRing ring = MakeFreshRing(UnixTime(), random);
  for (int i = 0; i < 7; ++i) ring = RotateRing(ring, 7, UnixTime(), UnixTime(), random);
  const auto set = KeySet::Make(ring.keys, StoredRing::kFutureCount, 1, false);
  const KeyId oldest = ring.keys.back().id;
  for (auto _ : state) benchmark::DoNotOptimize(set->Find(oldest));
}
BENCHMARK(BM_FindKey);

void BM_MakeAndPublish(benchmark::State& state) {
  KeyRing ring(MakeSet(1));
  for (auto _ : state) ring.Publish(MakeSet(2));
}
BENCHMARK(BM_MakeAndPublish);

}  // namespace
}  // namespace ntsd
BENCHMARK_MAIN();
