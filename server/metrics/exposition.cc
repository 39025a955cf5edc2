#include "server/metrics/exposition.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <limits>
#include <sstream>
#include <utility>
#include <vector>

#include "core/base/check.h"

namespace ntsd {
namespace {

prometheus::MetricType ToPrometheus(MetricKind kind) {
  switch (kind) {
    case MetricKind::kCounter:
      return prometheus::MetricType::Counter;
    case MetricKind::kGauge:
      return prometheus::MetricType::Gauge;
    case MetricKind::kHistogram:
      return prometheus::MetricType::Histogram;
  }
  return prometheus::MetricType::Untyped;
}

prometheus::ClientMetric::Histogram ToPrometheus(const HistogramSnapshot& histogram) {
  CHECK(histogram.counts.size() == histogram.bounds.size() + 1);
  prometheus::ClientMetric::Histogram converted;
  converted.sample_sum = histogram.sum;
  for (std::size_t i = 0; i < histogram.counts.size(); ++i) {
    converted.sample_count += histogram.counts[i];
    const double bound = i < histogram.bounds.size() ? histogram.bounds[i] : std::numeric_limits<double>::infinity();
    converted.bucket.push_back({converted.sample_count, bound});
  }
  return converted;
}

prometheus::ClientMetric ToPrometheus(const MetricSeries& series, MetricKind kind) {
  prometheus::ClientMetric metric;
  for (const auto& [name, value] : series.labels) metric.label.push_back({name, value});
  switch (kind) {
    case MetricKind::kCounter:
      metric.counter.value = series.value;
      break;
    case MetricKind::kGauge:
      metric.gauge.value = series.value;
      break;
    case MetricKind::kHistogram:
      metric.histogram = ToPrometheus(series.histogram);
      break;
  }
  return metric;
}

}  // namespace

std::string ExpositionText(std::span<const MetricFamily> families) {
  std::vector<prometheus::MetricFamily> converted;
  for (const MetricFamily& family : families) {
    prometheus::MetricFamily& target = converted.emplace_back();
    target.name = family.name;
    target.help = family.help;
    target.type = ToPrometheus(family.kind);
    for (const MetricSeries& series : family.series) target.metric.push_back(ToPrometheus(series, family.kind));
  }
  std::ostringstream text;
  prometheus::TextSerializer().Serialize(text, converted);
  return std::move(text).str();
}

}  // namespace ntsd
