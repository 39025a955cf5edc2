// The names under which the figures are known outside: one family for each metric, with help, kind and series.
//
// Threads: a function of its argument. Errors: none; a family without series is left out.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "server/metrics/snapshot.h"

namespace ntsd {

enum class MetricKind : std::uint8_t { kCounter, kGauge, kHistogram };

struct MetricSeries {
  std::vector<std::pair<std::string, std::string>> labels;
  double value = 0;             // counters and gauges
  HistogramSnapshot histogram;  // histograms
};

struct MetricFamily {
  std::string name;
  std::string help;
  MetricKind kind = MetricKind::kGauge;
  std::vector<MetricSeries> series;
};

std::vector<MetricFamily> MetricFamilies(const MetricsSnapshot& snapshot);

}  // namespace ntsd
