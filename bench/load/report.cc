#include "bench/load/report.h"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "bench/load/chart.h"
#include "bench/load/report_sections.h"
#include "core/base/escape.h"

namespace ntsd::load {
namespace {

// Colours that people with any kind of colour vision can tell apart, on white and on black.
constexpr const char* kStyle = R"(
:root{color-scheme:light dark;--paper:#fbfbf9;--ink:#1d2330;--soft:#667085;--line:#e3e5e8;--panel:#fff;--warn:#b54708;
--s0:#0b6bcb;--s1:#d9480f;--s2:#7c3aed;--s3:#0d8a6a;--s4:#c2255c;--s5:#8a94a6;--s6:#b7791f;--s7:#a3aab8}
@media(prefers-color-scheme:dark){:root{--paper:#12151b;--ink:#e6e9ef;--soft:#98a2b3;--line:#2a303b;--panel:#1a1f27;
--warn:#fdb022;--s0:#5aa9ff;--s1:#ff8a4c;--s2:#b794f6;--s3:#3ecfa5;--s4:#ff6b9a;--s5:#8a94a6;--s6:#f0b849;--s7:#5b6472}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;
font-variant-numeric:tabular-nums}
main{max-width:1180px;margin:0 auto;padding:40px 24px 64px}
header{margin-bottom:28px}
h1{font-size:30px;line-height:1.2;margin:0 0 4px;letter-spacing:-.02em}
h2{font-size:20px;margin:0 0 2px;letter-spacing:-.01em}
h3{font-size:15px;margin:24px 0 8px}
.note{color:var(--soft);margin:0 0 16px}
section{background:var(--panel);border:1px solid var(--line);border-radius:14px;padding:24px;margin:0 0 24px;
box-shadow:0 1px 2px rgba(16,24,40,.04)}
.cards{display:flex;flex-wrap:wrap;gap:12px;margin:0 0 16px}
.card{flex:1 1 140px;border:1px solid var(--line);border-radius:10px;padding:12px 14px}
.card b{display:block;font-size:21px;line-height:1.25;letter-spacing:-.01em;white-space:nowrap}
.card span{color:var(--soft);font-size:13px}
.warning{color:var(--warn);border-left:3px solid var(--warn);padding:2px 0 2px 10px;margin:0 0 12px}
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(440px,1fr));gap:8px 28px}
figure{margin:8px 0 16px;min-width:0;max-width:760px}
figcaption{font-weight:600;margin-bottom:6px}
svg{width:100%;height:auto;display:block;overflow:visible}
svg text{font-size:12px;fill:var(--soft)}
svg text.axis{fill:var(--ink)}
.grid line{stroke:var(--line);stroke-width:1}
svg path{fill:none;stroke-width:2.2;stroke-linejoin:round;stroke-linecap:round}
svg .dashed path{stroke-dasharray:5 5;stroke-width:1.6}
svg circle{stroke:var(--panel);stroke-width:1.4}
.legend{display:flex;flex-wrap:wrap;gap:4px 18px;padding-left:10%;font-size:13px;color:var(--soft)}
.legend i{display:inline-block;width:18px;height:0;border-top:3px solid;margin-right:7px;vertical-align:middle;border-radius:2px}
.legend .dashed i{border-top-style:dashed;border-top-width:2px}
table{border-collapse:collapse;width:100%;margin:8px 0}
th{text-align:right;font-weight:600;color:var(--soft);font-size:13px}
td{text-align:right}
th:first-child,td:first-child{text-align:left}
th,td{padding:5px 8px;border-bottom:1px solid var(--line)}
td+td{white-space:nowrap}
.pair>*{min-width:0}
.pair>div{overflow-x:auto}
.pair table{font-size:13px}
.pair th,.pair td{padding:5px 6px}
summary{cursor:pointer;color:var(--soft);margin-top:14px}
pre{white-space:pre-wrap;overflow-wrap:anywhere;background:var(--paper);border:1px solid var(--line);border-radius:8px;
padding:10px 12px;font-size:12.5px}
details table td{text-align:left}
)";

// .s3 and its like: a colour for a line, its marks and its place in the legend.
std::string ColourRules() {
  std::string css;
  for (int i = 0; i < 8; ++i) {
    css += fmt::format(
        ".s{0} path{{stroke:var(--s{0})}}.s{0} circle{{fill:var(--s{0})}}.s{0} i{{border-color:var(--s{0})}}\n", i);
  }
  return css;
}

}  // namespace

Expected<std::string, std::string> MakeReport(const std::string& title, const std::vector<ReportInput>& inputs) {
  std::vector<nlohmann::ordered_json> results;
  results.reserve(inputs.size());
  std::vector<NamedResult> named;
  for (const ReportInput& input : inputs) {
    nlohmann::ordered_json result = nlohmann::ordered_json::parse(input.json, nullptr, false);
    if (!result.is_object() || !result.contains("kind") || !result["kind"].is_string()) {
      return Unexpected(input.name + " is no JSON result of ntsload");
    }
    results.push_back(std::move(result));
    named.push_back({input.name, &results.back()});
  }
  std::string html = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width,initial-scale=1\"><title>{}</title><style>{}{}</style></head><body><main>\n",
      EscapeMarkup(title), kStyle, ColourRules());
  html += fmt::format("<header><h1>{}</h1><p class=\"note\">{} result{} of ntsload</p></header>\n", EscapeMarkup(title),
                      inputs.size(), inputs.size() == 1 ? "" : "s");
  html += CompareSweeps(named) + CompareLatencies(named);
  for (const NamedResult& result : named) html += SectionOf(result) + "\n";
  return html + "</main></body></html>\n";
}

std::string WriteReport(const ReportTask& task) {
  std::vector<ReportInput> inputs;
  for (const std::string& path : task.inputs) {
    std::ifstream file(path);
    std::stringstream text;
    text << file.rdbuf();
    if (!file) return "cannot read " + path;
    inputs.push_back({std::filesystem::path(path).stem().string(), text.str()});
  }
  const Expected<std::string, std::string> page = MakeReport(task.title, inputs);
  if (!page) return page.error();
  std::ofstream file(task.output, std::ios::trunc);
  file << *page;
  return file.flush() ? std::string() : "cannot write " + task.output;
}

}  // namespace ntsd::load
