#include "bench/load/report_sections.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "bench/load/chart.h"
#include "bench/load/result_text.h"
#include "core/base/escape.h"

namespace ntsd::load {
namespace {

using Json = nlohmann::ordered_json;

// A path such as "latency/p99_us": what stands there, or null.
const Json& At(const Json& json, const std::string& path) {
  static const Json kNothing;
  const Json* place = &json;
  for (std::size_t start = 0; start <= path.size();) {
    const std::size_t end = std::min(path.find('/', start), path.size());
    const auto found = place->is_object() ? place->find(path.substr(start, end - start)) : place->end();
    if (!place->is_object() || found == place->end()) return kNothing;
    place = &*found;
    start = end + 1;
  }
  return *place;
}

double Number(const Json& json, const std::string& path) {
  const Json& value = At(json, path);
  return value.is_number() ? value.get<double>() : 0;
}

std::string Word(const Json& json, const std::string& path) {
  const Json& value = At(json, path);
  if (value.is_string()) return value.get<std::string>();
  return value.is_null() ? std::string() : value.dump();
}

std::string Us(double us) { return TimeText(Duration(static_cast<std::int64_t>(us * 1000))); }

std::string Card(const std::string& figure, const std::string& label) {
  return fmt::format("<div class=\"card\"><b>{}</b><span>{}</span></div>", EscapeMarkup(figure), EscapeMarkup(label));
}

std::string Row(const std::vector<std::string>& cells, const char* kind = "td") {
  std::string html = "<tr>";
  for (const std::string& cell : cells) html += fmt::format("<{0}>{1}</{0}>", kind, EscapeMarkup(cell));
  return html + "</tr>";
}

std::string Limits(const Json& result) {
  std::string html;
  for (const Json& limit : At(result, "generator_limits")) {
    if (limit.is_string()) {
      html += fmt::format("<p class=\"warning\">The generator was the limit: {}.</p>",
                          EscapeMarkup(limit.get<std::string>()));
    }
  }
  return html;
}

Series PercentileSeries(const Json& histogram, const std::string& name, std::size_t colour) {
  Series series{.name = name, .points = {}, .colour = colour, .is_dashed = false, .has_marks = false};
  double last = 1;
  for (const Json& step : At(histogram, "percentiles")) {
    if (!step.is_array() || step.size() != 2 || !step[0].is_number() || !step[1].is_number()) continue;
    const double percent = step[0].get<double>();
    // The maximum stands one halving beyond the last step.
    last = percent < 100 ? 100 / (100 - percent) : last * 2;
    series.points.emplace_back(last, step[1].get<double>());
  }
  return series;
}

Chart PercentileChart(const std::string& title, std::vector<Series> series) {
  return {.title = title,
          .x = {"of all answers, this share is faster", AxisScale::kLog, AxisUnit::kPercentile},
          .y = {"latency", AxisScale::kLog, AxisUnit::kMicroseconds},
          .series = std::move(series)};
}

std::string LatencyTable(const Json& result, const std::vector<std::pair<std::string, std::string>>& rows) {
  std::string html = "<table>" + Row({"", "p50", "p90", "p99", "p99.9", "max", "count"}, "th");
  for (const auto& [label, field] : rows) {
    const Json& histogram = At(result, field);
    if (Number(histogram, "count") == 0) continue;
    html += Row({label, Us(Number(histogram, "p50_us")), Us(Number(histogram, "p90_us")),
                 Us(Number(histogram, "p99_us")), Us(Number(histogram, "p99.9_us")), Us(Number(histogram, "max_us")),
                 CountText(Number(histogram, "count"))});
  }
  return html + "</table>";
}

// A table of counts: a row for each key of `rows`, with what it holds.
std::string CountTable(const Json& rows, const std::string& first) {
  if (!rows.is_object() || rows.empty()) return {};
  std::string html = "<table>" + Row({first, "", ""}, "th");
  for (const auto& [name, counts] : rows.items()) {
    bool is_first = true;
    for (const auto& [kind, count] : counts.items()) {
      html += Row({is_first ? name : "", kind, count.dump()});
      is_first = false;
    }
  }
  return html + "</table>";
}

std::string StampsTable(const Json& result) {
  const Json& stamps = At(result, "stamps");
  if (!stamps.is_object()) return {};
  std::string html = "<h3>Timestamps of the server against kernel stamps</h3><table>" +
                     Row({"", "p1", "p10", "p50", "p90", "p99", "count"}, "th");
  for (const auto& [label, field] :
       {std::pair("T2 − real sending", "receive_error"), std::pair("real receiving − T3", "transmit_error"),
        std::pair("offset error", "offset_error")}) {
    const Json& samples = At(stamps, field);
    html += Row({label, Us(Number(samples, "p1_us")), Us(Number(samples, "p10_us")), Us(Number(samples, "p50_us")),
                 Us(Number(samples, "p90_us")), Us(Number(samples, "p99_us")), CountText(Number(samples, "count"))});
  }
  return html + "</table>";
}

std::string ServerCard(const Json& result, const std::string& field, const std::string& label) {
  return At(result, field).is_number() ? Card(fmt::format("{:.2f} µs", Number(result, field)), label) : std::string();
}

std::string NtpSection(const Json& result) {
  std::string html = "<div class=\"cards\">";
  html += Card(CountText(Number(result, "answer_rate")) + "/s", "answers");
  html += Card(CountText(Number(result, "offered_rate")) + "/s", "offered");
  html += Card(fmt::format("{:.3f} %", Number(result, "loss") * 100), "lost or late");
  html += Card(Us(Number(result, "latency/p50_us")), "median latency");
  html += Card(Us(Number(result, "latency/p99_us")), "99 % within");
  html += ServerCard(result, "server_us_per_answer", "server CPU an answer") + "</div>";
  html += Limits(result);
  html += "<div class=\"pair\">";
  html += DrawChart(PercentileChart("Latency by percentile, from the intended time of sending",
                                    {PercentileSeries(At(result, "latency"), "latency", 0),
                                     PercentileSeries(At(result, "send_lag"), "of it, lag of the generator", 5)}));
  html += "<div>" + LatencyTable(result, {{"latency", "latency"}, {"send lag", "send_lag"}});
  html += "<h3>Answers by kind</h3>" + CountTable(At(result, "answers/by_request"), "request");
  return html + StampsTable(result) + "</div></div>";
}

// A field of the curve over what was really sent, which is less than was asked for when the generator was the limit.
std::vector<std::pair<double, double>> Curve(const Json& result, const std::string& field) {
  std::vector<std::pair<double, double>> points;
  for (const Json& point : At(result, "curve")) {
    if (At(point, field).is_number()) points.emplace_back(Number(point, "sent_rate"), Number(point, field));
  }
  std::sort(points.begin(), points.end());
  return points;
}

// What a server that answers everything would do.
Series Ideal(double most) { return {"every request answered", {{0, 0}, {most, most}}, 7, true, false}; }

Chart OverloadChart(std::vector<Series> series) {
  double most = 0;
  for (const Series& one : series) {
    for (const auto& point : one.points) most = std::max(most, point.second);
  }
  series.push_back(Ideal(most));
  return {.title = "Answers against offered load",
          .x = {"offered, requests a second", AxisScale::kLinear, AxisUnit::kCount},
          .y = {"answers a second", AxisScale::kLinear, AxisUnit::kCount},
          .series = std::move(series),
          .empty_text = "no curve was taken"};
}

std::string SweepSection(const Json& result) {
  std::string html = "<div class=\"cards\">";
  html += Card(CountText(Number(result, "median")) + "/s", "highest rate, median");
  html += Card(CountText(Number(result, "least")) + " to " + CountText(Number(result, "most")), "spread");
  html += Card(CountText(Number(result, "peak_answer_rate")) + "/s", "peak of answers");
  if (At(result, "answers_at_double_rate").is_number()) {
    html +=
        Card(fmt::format("{:.1f} %", Number(result, "answers_at_double_rate") * 100), "of the peak at twice the rate");
  }
  html += "</div>" + Limits(result);
  html += fmt::format("<p>The highest rate with loss ≤ {:.2f} % and a 99th percentile ≤ {}.</p>",
                      Number(result, "settings/loss_max") * 100, Us(Number(result, "settings/p99_max_us")));
  html += "<div class=\"pair\">";
  html += DrawChart(OverloadChart({{"answers", Curve(result, "answer_rate"), 0}}));
  html += DrawChart({.title = "Latency against offered load",
                     .x = {"offered, requests a second", AxisScale::kLinear, AxisUnit::kCount},
                     .y = {"latency", AxisScale::kLog, AxisUnit::kMicroseconds},
                     .series = {{"p50", Curve(result, "p50_us"), 0},
                                {"p99", Curve(result, "p99_us"), 1},
                                {"p99.9", Curve(result, "p99.9_us"), 2}},
                     .empty_text = "no curve was taken"});
  html += "</div>";
  html += "<div class=\"pair\">";
  html += DrawChart({.title = "Requests without an answer in time",
                     .x = {"offered, requests a second", AxisScale::kLinear, AxisUnit::kCount},
                     .y = {"lost or late", AxisScale::kLinear, AxisUnit::kShare},
                     .series = {{"loss", Curve(result, "loss"), 1}},
                     .empty_text = "no curve was taken"});
  html += DrawChart({.title = "CPU time of the server for each answer",
                     .x = {"offered, requests a second", AxisScale::kLinear, AxisUnit::kCount},
                     .y = {"CPU an answer", AxisScale::kLinear, AxisUnit::kMicroseconds},
                     .series = {{"server", Curve(result, "server_us_per_answer"), 3}},
                     .empty_text = "it is measured when --server-pid tells which process the server is"});
  html += "</div>";
  html += "<details><summary>All points of the curve</summary><table>" +
          Row({"offered", "sent", "answers", "loss", "p50", "p99", "p99.9", "server", "generator"}, "th");
  for (const Json& point : At(result, "curve")) {
    const bool has_cpu = At(point, "server_us_per_answer").is_number();
    html += Row({CountText(Number(point, "rate")), CountText(Number(point, "sent_rate")),
                 CountText(Number(point, "answer_rate")), fmt::format("{:.3f} %", Number(point, "loss") * 100),
                 Us(Number(point, "p50_us")), Us(Number(point, "p99_us")), Us(Number(point, "p99.9_us")),
                 has_cpu ? fmt::format("{:.2f} µs", Number(point, "server_us_per_answer")) : "–",
                 At(point, "generator_limits").empty() ? "" : "was the limit"});
  }
  return html + "</table></details>";
}

std::string KeSection(const Json& result) {
  std::string html = "<div class=\"cards\">";
  html += Card(fmt::format("{:.0f}/s", Number(result, "ok_rate")), "handshakes with cookies");
  html += Card(Us(Number(result, "total/p50_us")), "median");
  html += Card(Us(Number(result, "total/p99_us")), "99 % within");
  html += ServerCard(result, "server_us_per_handshake", "server CPU a handshake") + "</div>";
  html += Limits(result);
  html += "<div class=\"pair\">";
  html += DrawChart(PercentileChart(
      "Time by phase",
      {PercentileSeries(At(result, "total"), "all, from the intended time", 0),
       PercentileSeries(At(result, "connect"), "connect", 3), PercentileSeries(At(result, "tls"), "TLS", 1),
       PercentileSeries(At(result, "exchange"), "exchange", 2)}));
  html += "<div>" + LatencyTable(result, {{"connect", "connect"},
                                          {"TLS", "tls"},
                                          {"exchange", "exchange"},
                                          {"all", "total"},
                                          {"misbehaving, until the end", "held"}});
  return html + "<h3>How connections ended</h3>" + CountTable(At(result, "endings"), "client") + "</div></div>";
}

std::string Facts(const Json& result) {
  std::string html = "<details><summary>Command, settings and machine</summary>";
  html += fmt::format("<pre>{}</pre><table>", EscapeMarkup(Word(result, "host/command")));
  for (const char* const field : {"date", "ntsload", "cpu", "cpus", "cpus_allowed", "machine", "kernel", "governor",
                                  "mitigations", "virtual", "load_average", "aead_implementation"}) {
    const std::string value = Word(result, std::string("host/") + field);
    if (!value.empty()) html += Row({field, value});
  }
  html += "</table>";
  return html + fmt::format("<pre>{}</pre></details>", EscapeMarkup(At(result, "settings").dump(2)));
}

}  // namespace

std::string CompareSweeps(const std::vector<NamedResult>& results) {
  std::vector<Series> answers;
  std::vector<Series> latencies;
  for (const NamedResult& named : results) {
    if (Word(*named.result, "kind") != "sweep") continue;
    answers.push_back({named.name, Curve(*named.result, "answer_rate"), answers.size()});
    latencies.push_back({named.name, Curve(*named.result, "p99_us"), latencies.size()});
  }
  if (answers.size() < 2) return {};
  return "<section><h2>Servers side by side</h2><div class=\"pair\">" + DrawChart(OverloadChart(std::move(answers))) +
         DrawChart({.title = "99th percentile of latency against offered load",
                    .x = {"offered, requests a second", AxisScale::kLinear, AxisUnit::kCount},
                    .y = {"latency", AxisScale::kLog, AxisUnit::kMicroseconds},
                    .series = std::move(latencies)}) +
         "</div></section>";
}

std::string CompareLatencies(const std::vector<NamedResult>& results) {
  std::vector<Series> series;
  for (const NamedResult& named : results) {
    if (Word(*named.result, "kind") != "ntp") continue;
    series.push_back(PercentileSeries(At(*named.result, "latency"), named.name, series.size()));
  }
  if (series.size() < 2) return {};
  return "<section><h2>Latencies side by side</h2>" +
         DrawChart(PercentileChart("Latency by percentile", std::move(series))) + "</section>";
}

std::string SectionOf(const NamedResult& named) {
  const Json& result = *named.result;
  const std::string kind = Word(result, "kind");
  std::string html = fmt::format("<section><h2>{}</h2><p class=\"note\">{} · {} · {}</p>", EscapeMarkup(named.name),
                                 EscapeMarkup(kind), EscapeMarkup(Word(result, "target/address")),
                                 EscapeMarkup(Word(result, "host/date")));
  if (kind == "ntp") html += NtpSection(result);
  if (kind == "sweep") html += SweepSection(result);
  if (kind == "ke") html += KeSection(result);
  return html + Facts(result) + "</section>";
}

}  // namespace ntsd::load
