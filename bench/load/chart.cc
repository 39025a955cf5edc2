#include "bench/load/chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/base/escape.h"

namespace ntsd::load {
namespace {

constexpr double kWidth = 560;
constexpr double kHeight = 320;
constexpr double kLeft = 80;
constexpr double kRight = 18;
constexpr double kTop = 16;
constexpr double kBottom = 52;
constexpr std::size_t kColours = 8;

struct Range {
  double least = 0;
  double most = 1;
};

// Maps values of an axis to places on the page.
class Ruler {
 public:
  Ruler(const Axis& axis, Range range, double from, double to) : axis_(axis), range_(range), from_(from), to_(to) {}

  double Place(double value) const {
    const double low = Scale(range_.least);
    const double high = Scale(range_.most);
    return from_ + (to_ - from_) * (Scale(value) - low) / (high - low);
  }
  bool Shows(double value) const { return axis_.scale == AxisScale::kLinear || value > 0; }
  std::vector<double> Ticks() const {
    return axis_.scale == AxisScale::kLog ? LogTicks(range_.least, range_.most)
                                          : LinearTicks(range_.least, range_.most);
  }

 private:
  double Scale(double value) const { return axis_.scale == AxisScale::kLog ? std::log10(value) : value; }

  const Axis& axis_;
  Range range_;
  double from_;
  double to_;
};

// From the least to the most of what is shown, with round ends.
std::optional<Range> RangeOf(const Chart& chart, bool of_x) {
  const Axis& axis = of_x ? chart.x : chart.y;
  std::optional<Range> range;
  for (const Series& series : chart.series) {
    for (const auto& [x, y] : series.points) {
      const double value = of_x ? x : y;
      if (!std::isfinite(value) || (axis.scale == AxisScale::kLog && value <= 0)) continue;
      if (!range) range = Range{value, value};
      range->least = std::min(range->least, value);
      range->most = std::max(range->most, value);
    }
  }
  if (!range) return range;
  if (axis.scale == AxisScale::kLog) {
    if (axis.unit != AxisUnit::kPercentile) range->least = std::pow(10, std::floor(std::log10(range->least)));
    range->most = std::max(range->most * 1.05, range->least * 10);
  } else {
    range->least = std::min(0.0, range->least);
    if (range->most <= range->least) range->most = range->least + 1;
    range->most += (range->most - range->least) * 0.04;
  }
  return range;
}

std::string DrawGrid(const Chart& chart, const Ruler& x, const Ruler& y) {
  const double bottom = kHeight - kBottom;
  const double right = kWidth - kRight;
  std::string svg = "<g class=\"grid\">";
  for (const double tick : y.Ticks()) {
    const double place = y.Place(tick);
    svg += fmt::format("<line x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>", kLeft, right, place, place);
    svg += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>", kLeft - 8, place + 4,
                       TickText(tick, chart.y.unit));
  }
  for (const double tick : x.Ticks()) {
    const double place = x.Place(tick);
    svg += fmt::format("<line x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>", place, place, kTop, bottom);
    svg += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>", place, bottom + 18,
                       TickText(tick, chart.x.unit));
  }
  svg += "</g>";
  svg += fmt::format("<text class=\"axis\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>",
                     (kLeft + right) / 2, kHeight - 10, EscapeMarkup(chart.x.label));
  svg += fmt::format(
      "<text class=\"axis\" transform=\"translate(14 {:.1f}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
      (kTop + bottom) / 2, EscapeMarkup(chart.y.label));
  return svg;
}

std::string DrawSeries(const Chart& chart, const Series& series, const Ruler& x, const Ruler& y) {
  std::string path;
  std::string marks;
  for (const auto& [value_x, value_y] : series.points) {
    if (!x.Shows(value_x) || !y.Shows(value_y) || !std::isfinite(value_x) || !std::isfinite(value_y)) continue;
    const double place_x = x.Place(value_x);
    const double place_y = y.Place(value_y);
    path += fmt::format("{}{:.1f} {:.1f}", path.empty() ? "M" : "L", place_x, place_y);
    if (series.has_marks) {
      marks += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3.2\"><title>{}: {} at {}</title></circle>",
                           place_x, place_y, EscapeMarkup(series.name), TickText(value_y, chart.y.unit),
                           TickText(value_x, chart.x.unit));
    }
  }
  return fmt::format("<g class=\"s{}{}\"><path d=\"{}\"/>{}</g>", series.colour % kColours,
                     series.is_dashed ? " dashed" : "", path, marks);
}

std::string DrawLegend(const Chart& chart) {
  std::string html = "<div class=\"legend\">";
  for (const Series& series : chart.series) {
    html += fmt::format("<span class=\"s{}{}\"><i></i>{}</span>", series.colour % kColours,
                        series.is_dashed ? " dashed" : "", EscapeMarkup(series.name));
  }
  return html + "</div>";
}

// 1, 2 or 5 times a power of ten, so that about six steps make `span`.
double RoundStep(double span) {
  const double raw = span / 6;
  const double power = std::pow(10, std::floor(std::log10(raw)));
  const double lead = raw / power;
  return power * (lead <= 1.5 ? 1 : lead <= 3.5 ? 2 : lead <= 7.5 ? 5 : 10);
}

// As few digits as tell it.
std::string ShortNumber(double value) {
  std::string text = fmt::format("{:.2f}", value);
  while (text.back() == '0') text.pop_back();
  if (text.back() == '.') text.pop_back();
  return text == "-0" ? "0" : text;
}

}  // namespace

std::vector<double> LinearTicks(double least, double most) {
  std::vector<double> ticks;
  if (!(most > least)) return ticks;
  const double step = RoundStep(most - least);
  // Ends: at most ten steps make the span.
  for (double k = std::ceil(least / step); k * step <= most + step * 1e-9; ++k) ticks.push_back(k * step);
  return ticks;
}

std::vector<double> LogTicks(double least, double most) {
  std::vector<double> ticks;
  if (!(least > 0) || !(most > least)) return ticks;
  const double decades = std::log10(most / least);
  for (double power = std::pow(10, std::floor(std::log10(least))); power <= most; power *= 10) {
    for (const double lead : {1.0, 2.0, 5.0}) {
      if (lead > 1 && decades > 3) continue;
      const double tick = power * lead;
      if (tick >= least * (1 - 1e-9) && tick <= most * (1 + 1e-9)) ticks.push_back(tick);
    }
  }
  return ticks;
}

std::string TickText(double value, AxisUnit unit) {
  const double size = std::abs(value);
  switch (unit) {
    case AxisUnit::kCount:
      if (size >= 1e6) return ShortNumber(value / 1e6) + " M";
      if (size >= 1e3) return ShortNumber(value / 1e3) + " k";
      return ShortNumber(value);
    case AxisUnit::kMicroseconds:
      if (size >= 1e6) return ShortNumber(value / 1e6) + " s";
      if (size >= 1e3) return ShortNumber(value / 1e3) + " ms";
      if (size > 0 && size < 0.1) return ShortNumber(value * 1e3) + " ns";
      return ShortNumber(value) + " µs";
    case AxisUnit::kShare:
      return ShortNumber(value * 100) + " %";
    case AxisUnit::kPercentile: {
      const double percent = 100 - 100 / value;
      // As many nines as the value has zeros.
      const int digits = std::max(0, static_cast<int>(std::ceil(std::log10(value) - 1e-9)) - 2);
      return fmt::format("{:.{}f} %", percent, digits);
    }
  }
  return {};
}

std::string DrawChart(const Chart& chart) {
  const std::optional<Range> x_range = RangeOf(chart, true);
  const std::optional<Range> y_range = RangeOf(chart, false);
  std::string html = fmt::format("<figure><figcaption>{}</figcaption>", EscapeMarkup(chart.title));
  if (!x_range || !y_range)
    return html + fmt::format("<p class=\"note\">{}</p></figure>", EscapeMarkup(chart.empty_text));
  const Ruler x(chart.x, *x_range, kLeft, kWidth - kRight);
  const Ruler y(chart.y, *y_range, kHeight - kBottom, kTop);
  html += fmt::format("<svg viewBox=\"0 0 {:.0f} {:.0f}\" role=\"img\" aria-label=\"{}\">", kWidth, kHeight,
                      EscapeMarkup(chart.title));
  html += DrawGrid(chart, x, y);
  for (const Series& series : chart.series) html += DrawSeries(chart, series, x, y);
  return html + "</svg>" + DrawLegend(chart) + "</figure>";
}

}  // namespace ntsd::load
