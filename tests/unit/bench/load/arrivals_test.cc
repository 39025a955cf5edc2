#include "bench/load/arrivals.h"

#include <gtest/gtest.h>

#include "tests/support/fakes.h"

namespace ntsd::load {
namespace {

TEST(Arrivals, ConstantOnesAreEvenlySpacedAndDoNotDrift) {
  testing::FakeRandom random;
  Arrivals arrivals(ArrivalKind::kConstant, 3e5, 0.5, random);
  for (int i = 0; i < 3'000'000; ++i) {
    if (i % 300'000 == 0) {
      EXPECT_NEAR(static_cast<double>(arrivals.next().count()), (i + 0.5) * 1e9 / 3e5, 5) << i;
    }
    arrivals.Advance();
  }
  EXPECT_NEAR(static_cast<double>(arrivals.next().count()), 10e9, 2000) << "ten seconds have passed";
}

TEST(Arrivals, RandomOnesHaveTheRateAndTheSpreadOfAPoissonProcess) {
  testing::FakeRandom random(11);
  Arrivals arrivals(ArrivalKind::kPoisson, 1000, 0, random);
  constexpr int kCount = 200'000;
  double sum = 0;
  double squares = 0;
  int short_ones = 0;
  Duration last = arrivals.next();
  for (int i = 0; i < kCount; ++i) {
    arrivals.Advance();
    const double gap_ms = std::chrono::duration<double, std::milli>(arrivals.next() - last).count();
    ASSERT_GE(gap_ms, 0);
    last = arrivals.next();
    sum += gap_ms;
    squares += gap_ms * gap_ms;
    short_ones += gap_ms < 1 ? 1 : 0;
  }
  const double mean = sum / kCount;
  EXPECT_NEAR(mean, 1, 0.02);
  EXPECT_NEAR(squares / kCount - mean * mean, 1, 0.05) << "the variance of an exponential distribution of mean 1";
  EXPECT_NEAR(static_cast<double>(short_ones) / kCount, 1 - std::exp(-1), 0.01);
}

TEST(Arrivals, BeginWithTheirPhase) {
  testing::FakeRandom random;
  EXPECT_EQ(Arrivals(ArrivalKind::kConstant, 1000, 0.25, random).next(), std::chrono::microseconds(250));
  EXPECT_EQ(Arrivals(ArrivalKind::kPoisson, 1000, 0, random).next(), Duration(0));
}

}  // namespace
}  // namespace ntsd::load
