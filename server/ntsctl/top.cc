#include "server/ntsctl/top.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <vector>

namespace ntsd {
namespace {

// How often each thing of a family happened between the two looks.
class Changes {
 public:
  Changes(const StatsReport& before, const StatsReport& after, double seconds)
      : before_(before), after_(after), seconds_(seconds) {}

  struct Rate {
    std::string what;  // the values of its labels
    double per_s = 0;
  };
  // Busiest first; what did not happen is left out.
  std::vector<Rate> Of(std::string_view family) const {
    std::vector<Rate> rates;
    const MetricFamily* const now = Find(after_, family);
    if (now == nullptr) return rates;
    for (const MetricSeries& series : now->series) {
      const MetricSeries* const then = FindSeries(before_, family, series.labels);
      const double change = series.value - (then != nullptr ? then->value : 0);
      if (change > 0) rates.push_back({Name(series), change / seconds_});
    }
    std::stable_sort(rates.begin(), rates.end(),
                     [](const Rate& one, const Rate& other) { return one.per_s > other.per_s; });
    return rates;
  }

  double SumOf(std::string_view family) const {
    double sum = 0;
    for (const Rate& rate : Of(family)) sum += rate.per_s;
    return sum;
  }

  std::optional<double> Gauge(std::string_view family) const {
    const MetricFamily* const now = Find(after_, family);
    if (now == nullptr || now->series.empty()) return std::nullopt;
    return now->series.front().value;
  }

  // The upper end of the bucket that holds this share of what came between the looks; nothing when nothing came.
  std::optional<double> Quantile(std::string_view family, double share) const {
    const MetricSeries* const now = FindSeries(after_, family, {});
    const MetricSeries* const then = FindSeries(before_, family, {});
    if (now == nullptr || then == nullptr) return std::nullopt;
    const HistogramSnapshot& counts = now->histogram;
    if (counts.bounds.empty() || counts.counts.size() != then->histogram.counts.size()) return std::nullopt;
    std::vector<double> changes;
    double total = 0;
    for (std::size_t i = 0; i < counts.counts.size(); ++i) {
      changes.push_back(static_cast<double>(counts.counts[i]) - static_cast<double>(then->histogram.counts[i]));
      total += changes.back();
    }
    if (total <= 0) return std::nullopt;
    double seen = 0;
    for (std::size_t i = 0; i < counts.bounds.size() && i < changes.size(); ++i) {
      seen += changes[i];
      if (seen >= share * total) return counts.bounds[i];
    }
    return counts.bounds.back();
  }

 private:
  using Labels = std::vector<std::pair<std::string, std::string>>;

  static const MetricFamily* Find(const StatsReport& report, std::string_view name) {
    const auto found = std::find_if(report.families.begin(), report.families.end(),
                                    [name](const MetricFamily& family) { return family.name == name; });
    return found == report.families.end() ? nullptr : &*found;
  }
  static const MetricSeries* FindSeries(const StatsReport& report, std::string_view name, const Labels& labels) {
    const MetricFamily* const family = Find(report, name);
    if (family == nullptr) return nullptr;
    const auto found = std::find_if(family->series.begin(), family->series.end(),
                                    [&labels](const MetricSeries& series) { return series.labels == labels; });
    return found == family->series.end() ? nullptr : &*found;
  }
  static std::string Name(const MetricSeries& series) {
    std::string name;
    for (const auto& [label, value] : series.labels) name += (name.empty() ? "" : " ") + Printable(value);
    return name;
  }

  const StatsReport& before_;
  const StatsReport& after_;
  double seconds_;
};

std::string Section(const Changes& changes, std::string_view title, std::string_view family, const Palette& palette) {
  std::string text = fmt::format("{} {:>12.1f}/s\n", palette.Bold(fmt::format("{:<22}", title)), changes.SumOf(family));
  for (const Changes::Rate& rate : changes.Of(family))
    text += fmt::format("  {:<32} {:>12.1f}\n", rate.what, rate.per_s);
  return text;
}

std::string Times(const Changes& changes, std::string_view title, std::string_view family) {
  const auto middle = changes.Quantile(family, 0.5);
  const auto worst = changes.Quantile(family, 0.99);
  if (!middle || !worst) return {};
  return fmt::format("  {:<32} half within {}, 99 % within {}\n", title, FormatSeconds(*middle), FormatSeconds(*worst));
}

std::string ClockLine(const Changes& changes, const Palette& palette) {
  const bool is_synchronized = changes.Gauge("ntsd_reference_synchronized").value_or(0) == 1;
  return fmt::format("{} {}, offset {}\n", palette.Bold(fmt::format("{:<22}", "clock")),
                     is_synchronized ? palette.Good("synchronized") : palette.Bad("NOT SYNCHRONIZED"),
                     FormatOffset(changes.Gauge("ntsd_reference_offset_seconds").value_or(0)));
}

}  // namespace

std::string TopText(const StatsReport& before, const StatsReport& after, double seconds, const Palette& palette) {
  const Changes changes(before, after, seconds);
  std::string text = ClockLine(changes, palette);
  if (changes.Gauge("ntsd_ntp_socket_drops_total")) {
    text += Section(changes, "NTP requests", "ntsd_ntp_requests_total", palette);
    text += Section(changes, "NTP answers", "ntsd_ntp_responses_total", palette);
    text += Times(changes, "from arrival to answer", "ntsd_ntp_service_seconds");
    text += Section(changes, "NTS without a good cookie", "ntsd_ntp_naks_total", palette);
    text += Section(changes, "NTP without an answer", "ntsd_ntp_dropped_total", palette);
    const double drops = changes.SumOf("ntsd_ntp_socket_drops_total");
    if (drops > 0) text += palette.Bad(fmt::format("  {:<32} {:>12.1f}\n", "dropped by the kernel", drops));
    text += Section(changes, "cookies by key age", "ntsd_ntp_cookies_opened_total", palette);
  }
  if (changes.Gauge("ntsd_ke_active")) {
    text += Section(changes, "NTS-KE connections", "ntsd_ke_connections_total", palette);
    text += Times(changes, "from start to end", "ntsd_ke_seconds");
  }
  return text;
}

}  // namespace ntsd
