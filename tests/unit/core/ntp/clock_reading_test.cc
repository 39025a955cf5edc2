#include "core/ntp/clock_reading.h"

#include <gtest/gtest.h>

#include "tests/support/fakes.h"

namespace ntsd {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

// Time goes on while it is read: by `cost` each time, and now and then by an interruption.
class CostlyClock : public Clock {
 public:
  CostlyClock(Duration cost, int interrupted_every) : cost_(cost), interrupted_every_(interrupted_every) {}

  UnixTime Now() const override {
    Spend();
    return clock_.Now();
  }
  MonotonicTime Monotonic() const override {
    Spend();
    return clock_.Monotonic();
  }

 private:
  void Spend() const {
    ++readings_;
    const bool is_interrupted = interrupted_every_ != 0 && readings_ % interrupted_every_ == 0;
    clock_.Advance(is_interrupted ? Duration(milliseconds(4)) : cost_);
  }

  mutable testing::FakeClock clock_;
  mutable int readings_ = 0;
  Duration cost_;
  int interrupted_every_;
};

TEST(ReadClocks, GivesBothAsOfOneMoment) {
  const testing::FakeClock clock;
  const ClockReading reading = ReadClocks(clock);
  EXPECT_EQ(reading.wall, clock.Now());
  EXPECT_EQ(reading.monotonic, clock.Monotonic());
}

TEST(ReadClocks, ReadsAgainAfterAnInterruption) {
  const Duration expected = ReadClocks(CostlyClock(nanoseconds(20), 0)).WallMinusMonotonic();
  for (int every = 2; every < 12; ++every) {
    const CostlyClock clock(nanoseconds(20), every);
    for (int i = 0; i < 50; ++i) {
      const Duration error = ReadClocks(clock).WallMinusMonotonic() - expected;
      EXPECT_LT(std::chrono::abs(error), every == 2 ? milliseconds(4) : Duration(microseconds(1))) << every;
    }
  }
}

TEST(ReadClocks, DifferenceSurvivesSlewingAndShowsSteps) {
  testing::FakeClock clock;
  const Duration before = ReadClocks(clock).WallMinusMonotonic();
  clock.Advance(seconds(100'000));
  EXPECT_EQ(ReadClocks(clock).WallMinusMonotonic(), before);
  clock.Step(milliseconds(-3));
  EXPECT_EQ(ReadClocks(clock).WallMinusMonotonic(), before - milliseconds(3));
}

TEST(MeasurePrecision, IsTheTimeToReadTheClock) {
  EXPECT_EQ(MeasurePrecision(CostlyClock(nanoseconds(25), 0)), nanoseconds(25));
  EXPECT_EQ(MeasurePrecision(CostlyClock(nanoseconds(25), 3)), nanoseconds(25)) << "interruptions do not count";
  EXPECT_EQ(MeasurePrecision(testing::FakeClock()), milliseconds(1)) << "a clock that does not move";
}

TEST(PrecisionLog2, RoundsUp) {
  EXPECT_EQ(PrecisionLog2(nanoseconds(1)), -29);
  EXPECT_EQ(PrecisionLog2(nanoseconds(25)), -25) << "29.8 ns";
  EXPECT_EQ(PrecisionLog2(nanoseconds(30)), -24);
  EXPECT_EQ(PrecisionLog2(microseconds(1)), -19);
  EXPECT_EQ(PrecisionLog2(milliseconds(1)), -9);
  EXPECT_EQ(PrecisionLog2(seconds(1)), 0);
  EXPECT_EQ(PrecisionLog2(seconds(10)), 0);
}

}  // namespace
}  // namespace ntsd
