#include <nlohmann/json.hpp>

#include "tests/conformance/report/report.h"

namespace ntsd::conformance {
namespace {

using Json = nlohmann::ordered_json;

Json CheckJson(const Check& check) {
  return {{"id", check.id}, {"section", check.section}, {"level", LevelText(check.level)}, {"title", check.title}};
}

std::string Dump(const Json& json) { return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n"; }

}  // namespace

std::string ReportJson(const Report& report) {
  Json checks = Json::array();
  for (const Result& result : report.results) {
    Json one = CheckJson(result.check);
    one["verdict"] = VerdictText(result.verdict());
    if (result.finding.outcome == Outcome::kSkipped) {
      one["reason"] = result.finding.came;
    } else {
      one["sent"] = result.finding.sent;
      one["expected"] = result.finding.expected;
      one["came"] = result.finding.came;
    }
    one["seconds"] = result.seconds;
    checks.push_back(std::move(one));
  }
  return Dump({{"host", report.host},
               {"ke_server", report.ke_server},
               {"ntp_server", report.ntp_server},
               {"seconds", report.seconds},
               {"passed", report.Count(Verdict::kPass)},
               {"failed", report.Count(Verdict::kFail)},
               {"warnings", report.Count(Verdict::kWarning)},
               {"skipped", report.Count(Verdict::kSkipped)},
               {"checks", std::move(checks)}});
}

std::string ListJson(std::span<const Check> checks) {
  Json list = Json::array();
  for (const Check& check : checks) {
    Json one = CheckJson(check);
    one["visible"] = check.run != nullptr;
    if (check.run == nullptr) one["reason"] = check.reason;
    list.push_back(std::move(one));
  }
  return Dump(list);
}

}  // namespace ntsd::conformance
