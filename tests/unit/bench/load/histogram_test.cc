#include "bench/load/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/support/fakes.h"

namespace ntsd::load {
namespace {

TEST(Histogram, OfNothingIsZero) {
  const Histogram histogram;
  EXPECT_EQ(histogram.count(), 0U);
  EXPECT_EQ(histogram.Percentile(99), Duration(0));
  EXPECT_EQ(histogram.max(), Duration(0));
  EXPECT_TRUE(histogram.Steps().empty());
}

TEST(Histogram, TellsSmallValuesExactly) {
  Histogram histogram;
  for (int i = 1; i <= 100; ++i) histogram.Record(Duration(i));
  EXPECT_EQ(histogram.Percentile(50), Duration(50));
  EXPECT_EQ(histogram.Percentile(99), Duration(99));
  EXPECT_EQ(histogram.Percentile(100), Duration(100));
  EXPECT_EQ(histogram.Percentile(0.1), Duration(1));
  EXPECT_EQ(histogram.min(), Duration(1));
  EXPECT_EQ(histogram.mean(), Duration(50));
}

TEST(Histogram, IsRightWithinOnePercentOverNineDecades) {
  for (std::int64_t value = 1; value < std::int64_t{1} << 39; value = value * 5 / 4 + 1) {
    Histogram histogram;
    histogram.Record(Duration(value));
    histogram.Record(Duration(value * 2));
    const Duration told = histogram.Percentile(50);
    EXPECT_GE(told.count(), value) << "never below the value";
    EXPECT_LE(told.count(), value + value / 64) << value;
  }
}

TEST(Histogram, AgreesWithSortingRandomValues) {
  testing::FakeRandom random(7);
  Histogram histogram;
  std::vector<std::int64_t> values;
  for (int i = 0; i < 20'000; ++i) {
    values.push_back(static_cast<std::int64_t>(random.Next() >> (24 + random.Below(36))));
    histogram.Record(Duration(values.back()));
  }
  std::sort(values.begin(), values.end());
  for (const double percent : {1.0, 50.0, 90.0, 99.0, 99.9}) {
    const auto rank = static_cast<std::size_t>(std::ceil(static_cast<double>(values.size()) * percent / 100)) - 1;
    EXPECT_GE(histogram.Percentile(percent).count(), values[rank]);
    EXPECT_LE(histogram.Percentile(percent).count(), values[rank] + values[rank] / 64 + 1);
  }
}

TEST(Histogram, TakesWhatCannotBe) {
  Histogram histogram;
  histogram.Record(Duration(-5));
  histogram.Record(std::chrono::hours(24));
  EXPECT_EQ(histogram.min(), Duration(0));
  EXPECT_EQ(histogram.max(), Duration(std::int64_t{1} << 40));
}

TEST(Histogram, MergesAsIfOneHadCountedAll) {
  Histogram all;
  Histogram left;
  Histogram right;
  for (int i = 0; i < 1000; ++i) {
    all.Record(Duration(i * 977));
    (i % 3 == 0 ? left : right).Record(Duration(i * 977));
  }
  left.Merge(right);
  left.Merge(Histogram());
  EXPECT_EQ(left.count(), all.count());
  EXPECT_EQ(left.mean(), all.mean());
  EXPECT_EQ(left.min(), all.min());
  for (const double percent : {10.0, 50.0, 99.0, 100.0}) EXPECT_EQ(left.Percentile(percent), all.Percentile(percent));
}

TEST(Histogram, StepsHalveWhatIsLeft) {
  Histogram histogram;
  for (int i = 1; i <= 8; ++i) histogram.Record(Duration(i));
  const std::vector<Histogram::Step> steps = histogram.Steps();
  ASSERT_EQ(steps.size(), 4U);
  EXPECT_DOUBLE_EQ(steps[0].percent, 50);
  EXPECT_DOUBLE_EQ(steps[2].percent, 87.5);
  EXPECT_EQ(steps[2].value, Duration(7));
  EXPECT_EQ(steps[3].value, Duration(8));
}

TEST(Samples, KeepsSignsAndExactPercentiles) {
  Samples samples;
  Samples others;
  for (int i = -50; i <= 50; ++i) (i % 2 == 0 ? samples : others).Record(Duration(i));
  samples.Merge(others);
  const Samples::Summary summary = samples.Summarize();
  EXPECT_EQ(summary.count, 101U);
  EXPECT_EQ(summary.min, Duration(-50));
  EXPECT_EQ(summary.median, Duration(0));
  EXPECT_EQ(summary.p99, Duration(49));
  EXPECT_EQ(summary.max, Duration(50));
  EXPECT_EQ(summary.size_median, Duration(25));
  EXPECT_EQ(summary.size_p99, Duration(50));
  EXPECT_EQ(Samples().Summarize().count, 0U);
}

}  // namespace
}  // namespace ntsd::load
