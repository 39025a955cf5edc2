// A clock that moves only when told, and randomness that repeats: rules are tested with these, never with a sleep.
#pragma once

#include <cstdint>

#include "core/base/clock.h"
#include "core/base/random.h"

namespace ntsd::testing {

class FakeClock : public Clock {
 public:
  explicit FakeClock(UnixTime now = UnixTime(std::chrono::seconds(1'767'225'600))) : now_(now) {}  // 2026-01-01

  UnixTime Now() const override { return now_; }
  MonotonicTime Monotonic() const override { return monotonic_; }

  void Advance(Duration by) {
    now_ += by;
    monotonic_ += by;
  }
  void Set(UnixTime now) { now_ = now; }
  // Moves the wall clock alone, as a clock step does.
  void Step(Duration by) { now_ += by; }

 private:
  UnixTime now_;
  MonotonicTime monotonic_{std::chrono::hours(1)};
};

// SplitMix64: the same octets for the same seed. Print the seed when a test fails.
class FakeRandom : public Random {
 public:
  explicit FakeRandom(std::uint64_t seed = 1) : state_(seed) {}

  void Fill(ByteSpan target) override {
    for (std::uint8_t& octet : target) octet = static_cast<std::uint8_t>(Next());
  }
  std::uint64_t Next() {
    std::uint64_t z = (state_ += 0x9E3779B97F4A7C15);
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
    z = (z ^ z >> 27) * 0x94D049BB133111EB;
    return z ^ z >> 31;
  }
  // Evenly below `bound`, near enough for tests.
  std::uint64_t Below(std::uint64_t bound) { return Next() % bound; }

 private:
  std::uint64_t state_;
};

}  // namespace ntsd::testing
