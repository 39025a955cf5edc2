// Plots as inline SVG, for a page that needs nothing from elsewhere.
//
// Threads: functions of their arguments. Colours come from the page's CSS (classes s0 … s7), so that they follow its
// theme.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ntsd::load {

enum class AxisScale : std::uint8_t { kLinear, kLog };
enum class AxisUnit : std::uint8_t {
  kCount,         // 250 k, 1.2 M
  kMicroseconds,  // 40 µs, 2 ms, 1 s
  kShare,         // 0.1 %, 50 %
  kPercentile,    // values are 100 / (100 - percent): 50 %, 90 %, 99 % … lie evenly apart on a log scale
};

struct Axis {
  std::string label;
  AxisScale scale = AxisScale::kLinear;
  AxisUnit unit = AxisUnit::kCount;
};

struct Series {
  std::string name;
  std::vector<std::pair<double, double>> points;  // by ascending x
  std::size_t colour = 0;                         // s0 … s7
  bool is_dashed = false;
  bool has_marks = true;
};

struct Chart {
  std::string title;
  Axis x;
  Axis y;
  std::vector<Series> series;
  std::string empty_text = "nothing to show";
};

// One figure with its legend. What is not positive has no place on a log axis and is left out.
std::string DrawChart(const Chart& chart);

// Where the marks of an axis from `least` to `most` stand: round values, five to nine of them, ascending.
std::vector<double> LinearTicks(double least, double most);
// Powers of ten, and halves between them (2, 5) where there is room.
std::vector<double> LogTicks(double least, double most);
std::string TickText(double value, AxisUnit unit);

}  // namespace ntsd::load
