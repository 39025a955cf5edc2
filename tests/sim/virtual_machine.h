// A machine in virtual time: its clocks, the daemon that disciplines them, and whoever sets them behind its back.
//
// `elapsed` is true time since the start; everything else follows from it and a seed.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <functional>
#include <queue>
#include <vector>

#include "core/base/clock.h"
#include "core/ntp/leap.h"
#include "server/reference/clock_source.h"
#include "tests/support/fakes.h"

namespace ntsd::sim {

// What happens when, in order.
class Events {
 public:
  using Action = std::function<void()>;

  void At(Duration elapsed, Action action) { queue_.push({elapsed, ++sequence_, std::move(action)}); }
  bool empty() const { return queue_.empty(); }
  Duration next() const { return queue_.top().elapsed; }
  Action Take() {
    Action action = queue_.top().action;
    queue_.pop();
    return action;
  }

 private:
  struct Event {
    Duration elapsed;
    std::uint64_t sequence;
    Action action;

    bool operator<(const Event& other) const {
      return elapsed != other.elapsed ? elapsed > other.elapsed : sequence > other.sequence;
    }
  };
  std::priority_queue<Event> queue_;
  std::uint64_t sequence_ = 0;
};

// UTC as it is: POSIX labels, with one leap second if `change` is not 0.
struct TrueTime {
  UnixTime start;
  UnixTime leap_at{};
  int change = 0;

  // When the labels jump: as 23:59:60 begins, or in place of 23:59:59.
  Duration JumpAt() const { return leap_at - start - std::chrono::seconds(change > 0 ? 0 : 1); }
  UnixTime At(Duration elapsed) const {
    const bool has_jumped = change != 0 && elapsed >= JumpAt();
    return start + elapsed - std::chrono::seconds(has_jumped ? change : 0);
  }
  // The same, spread evenly from noon to noon.
  UnixTime SmearedAt(Duration elapsed) const {
    const Duration since_noon = start + elapsed - (leap_at - std::chrono::hours(12));
    const Duration length = std::chrono::hours(24) + std::chrono::seconds(change);
    if (change == 0 || since_noon <= Duration::zero()) return start + elapsed;
    if (since_noon >= length) return start + elapsed - std::chrono::seconds(change);
    const double share = static_cast<double>(since_noon.count()) / static_cast<double>(length.count());
    return start + elapsed - Duration(std::llround(share * change * 1e9));
  }
  bool IsJumping(Duration elapsed) const {
    return change != 0 && std::chrono::abs(elapsed - JumpAt()) < std::chrono::milliseconds(50);
  }
};

class MachineClock final : public Clock {
 public:
  explicit MachineClock(const TrueTime& truth)
      : truth_(truth), wall_minus_monotonic_(truth.start.time_since_epoch() - kUptime) {}

  // Each reading takes some time, as it does on a machine.
  UnixTime Now() const override {
    elapsed_ += kReadingTime;
    return Wall();
  }
  MonotonicTime Monotonic() const override {
    elapsed_ += kReadingTime;
    return MonotonicTime(Running());
  }

  Duration elapsed() const { return elapsed_; }
  UnixTime Wall() const { return UnixTime(Running() + wall_minus_monotonic_); }
  // Wall clock minus UTC.
  Duration Error() const { return Wall() - truth_.At(elapsed_); }
  void AdvanceTo(Duration elapsed) { elapsed_ = std::max(elapsed_, elapsed); }
  void Step(Duration by) { wall_minus_monotonic_ += by; }
  // How much too fast the clocks run from now on: crystal and slewing together.
  void SetRate(double ppb) {
    running_base_ = Running();
    elapsed_base_ = elapsed_;
    rate_ppb_ = ppb;
  }

 private:
  static constexpr Duration kUptime = std::chrono::hours(1000);
  static constexpr Duration kReadingTime = Duration(25);

  Duration Running() const {
    const Duration since = elapsed_ - elapsed_base_;
    return running_base_ + since + Duration(std::llround(static_cast<double>(since.count()) * rate_ppb_ / 1e9));
  }

  const TrueTime& truth_;
  mutable Duration elapsed_{};
  Duration elapsed_base_{};
  Duration running_base_ = kUptime;
  double rate_ppb_ = 0;
  Duration wall_minus_monotonic_;
};

// Measures its clock every 16 s to 0.3 ms, steps what is off by more than 0.1 s, and slews the rest away.
class Daemon {
 public:
  static constexpr Duration kUpdateInterval = std::chrono::seconds(16);

  Daemon(MachineClock& clock, testing::FakeRandom& random) : clock_(clock), random_(random) {}

  void Update() {
    const Duration noise(static_cast<std::int64_t>(random_.Below(600'000)) - 300'000);
    correction_ = -clock_.Error() + noise;
    if (std::chrono::abs(correction_) > std::chrono::milliseconds(100)) {
      clock_.Step(correction_);
      correction_ = Duration::zero();
    }
    updated_ = clock_.Wall();
    updated_at_ = clock_.elapsed();
    clock_.SetRate(Residual_ppb() +
                   static_cast<double>(correction_.count()) * 1e9 / static_cast<double>(kUpdateInterval.count()));
  }
  void Stop() {
    is_running_ = false;
    clock_.SetRate(20 * Residual_ppb());  // 10 ppm, which nobody corrects
  }
  void Start() { is_running_ = true; }
  bool is_running() const { return is_running_; }
  void Announce(LeapIndicator leap) { leap_ = leap; }

  Expected<ReferenceSample, ReferenceFault> Report() const {
    if (!is_running_) return Unexpected(ReferenceFault::kNotRunning);
    ReferenceSample sample;
    sample.taken = ReadClocks(clock_);
    sample.synchronized = true;
    sample.leap = leap_;
    sample.stratum = 3;
    sample.reference_id = 0xC0000207;
    const Duration age = clock_.elapsed() - updated_at_;
    const double left =
        std::max(0.0, 1 - static_cast<double>(age.count()) / static_cast<double>(kUpdateInterval.count()));
    sample.offset = Duration(std::llround(static_cast<double>(correction_.count()) * left));
    sample.reference_time = std::min(updated_, sample.taken.wall);
    sample.source_update = updated_;
    sample.root_delay = std::chrono::milliseconds(2);
    sample.root_dispersion = std::chrono::microseconds(400) + age / 1'000'000 + std::chrono::abs(sample.offset);
    return sample;
  }

 private:
  double Residual_ppb() { return static_cast<double>(random_.Below(1000)) - 500; }

  MachineClock& clock_;
  testing::FakeRandom& random_;
  bool is_running_ = true;
  LeapIndicator leap_ = LeapIndicator::kNone;
  Duration correction_{};
  UnixTime updated_{};
  Duration updated_at_{};
};

class DaemonSource final : public ClockSource {
 public:
  explicit DaemonSource(const Daemon& daemon) : daemon_(daemon) {}
  Expected<ReferenceSample, ReferenceFault> Poll() override { return daemon_.Report(); }

 private:
  const Daemon& daemon_;
};

// What a simulation is made of: the machine, chance, and what is going to happen. Everything follows from the seed.
class Scene {
 protected:
  Scene(const TrueTime& truth, std::uint64_t seed)
      : random_(seed), truth_(truth), clock_(truth_), daemon_(clock_, random_) {}

  // Between the two, evenly.
  Duration Between(Duration least, Duration most) {
    return least +
           Duration(static_cast<std::int64_t>(random_.Below(static_cast<std::uint64_t>((most - least).count()))));
  }
  bool Chance(unsigned percent) { return random_.Below(100) < percent; }
  void In(Duration delay, Events::Action action) { events_.At(clock_.elapsed() + delay, std::move(action)); }
  // One event after the other, until so much true time has passed or a test has failed for good.
  void RunFor(Duration length) {
    while (!::testing::Test::HasFatalFailure() && events_.next() < length) {
      clock_.AdvanceTo(events_.next());
      events_.Take()();
    }
  }

  testing::FakeRandom random_;
  TrueTime truth_;
  MachineClock clock_;
  Daemon daemon_;
  Events events_;
};

}  // namespace ntsd::sim
