#include "bench/load/chart.h"

#include <gtest/gtest.h>

#include <cmath>

namespace ntsd::load {
namespace {

TEST(Chart, TicksAreRoundAndFew) {
  for (double most = 0.003; most < 1e9; most *= 3.7) {
    const std::vector<double> ticks = LinearTicks(0, most);
    EXPECT_GE(ticks.size(), 4U) << most;
    EXPECT_LE(ticks.size(), 11U) << most;
    EXPECT_DOUBLE_EQ(ticks.front(), 0);
    EXPECT_LE(ticks.back(), most * 1.0001);
  }
  EXPECT_TRUE(LinearTicks(1, 1).empty());
  EXPECT_EQ(LogTicks(10, 1000), (std::vector<double>{10, 20, 50, 100, 200, 500, 1000}));
  EXPECT_EQ(LogTicks(1, 1e5).size(), 6U);
  EXPECT_TRUE(LogTicks(0, 10).empty());
}

TEST(Chart, UnitsReadWell) {
  EXPECT_EQ(TickText(250'000, AxisUnit::kCount), "250 k");
  EXPECT_EQ(TickText(1'200'000, AxisUnit::kCount), "1.2 M");
  EXPECT_EQ(TickText(0, AxisUnit::kCount), "0");
  EXPECT_EQ(TickText(40, AxisUnit::kMicroseconds), "40 µs");
  EXPECT_EQ(TickText(2500, AxisUnit::kMicroseconds), "2.5 ms");
  EXPECT_EQ(TickText(1, AxisUnit::kPercentile), "0 %");
  EXPECT_EQ(TickText(2, AxisUnit::kPercentile), "50 %");
  EXPECT_EQ(TickText(10, AxisUnit::kPercentile), "90 %");
  EXPECT_EQ(TickText(1000, AxisUnit::kPercentile), "99.9 %");
}

TEST(Chart, DrawsEachSeriesWithItsLegend) {
  Chart chart;
  chart.title = "a < b";
  chart.series = {{"one", {{0, 1}, {1, 2}, {2, 4}}, 0}, {"two", {{0, 3}, {2, 1}}, 1, true, false}};
  const std::string html = DrawChart(chart);
  EXPECT_NE(html.find("a &lt; b"), std::string::npos);
  EXPECT_NE(html.find("class=\"s0\""), std::string::npos);
  EXPECT_NE(html.find("class=\"s1 dashed\""), std::string::npos);
  EXPECT_EQ(html.find("nan"), std::string::npos);
  EXPECT_NE(html.find("one: 4 at 2"), std::string::npos) << "each mark tells its value";
}

TEST(Chart, SurvivesWhatHasNoPlace) {
  Chart chart;
  chart.y = {"latency", AxisScale::kLog, AxisUnit::kMicroseconds};
  EXPECT_NE(DrawChart(chart).find("nothing to show"), std::string::npos);
  chart.series = {{"zero", {{0, 0}, {1, NAN}}, 0}};
  EXPECT_NE(DrawChart(chart).find("nothing to show"), std::string::npos);
  chart.series[0].points.push_back({2, 30});
  const std::string html = DrawChart(chart);
  EXPECT_EQ(html.find("nan"), std::string::npos);
  EXPECT_EQ(html.find("inf"), std::string::npos);
}

}  // namespace
}  // namespace ntsd::load
