#include <fmt/format.h>

#include "core/base/escape.h"
#include "tests/conformance/report/report.h"

namespace ntsd::conformance {
namespace {

std::string Body(const Result& result) {
  const Finding& finding = result.finding;
  const std::string text =
      fmt::format("sent: {}; expected: {}; came: {}", finding.sent, finding.expected, finding.came);
  switch (result.verdict()) {
    case Verdict::kFail:
      return fmt::format("<failure message=\"{}\">{}</failure>", EscapeMarkup(finding.came), EscapeMarkup(text));
    case Verdict::kSkipped:
      return fmt::format("<skipped message=\"{}\"/>", EscapeMarkup(finding.came));
    // JUnit knows no warnings: the case has passed, and says in its output what should be better.
    case Verdict::kWarning:
      return fmt::format("<system-out>warning: {}</system-out>", EscapeMarkup(text));
    case Verdict::kPass:
      return fmt::format("<system-out>{}</system-out>", EscapeMarkup(text));
  }
  return {};
}

}  // namespace

std::string ReportJunit(const Report& report) {
  std::string xml = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
  xml += fmt::format(
      "<testsuites><testsuite name=\"ntsconform {}\" tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"{}\" "
      "time=\"{:.3f}\">\n",
      EscapeMarkup(report.host), report.results.size(), report.Count(Verdict::kFail), report.Count(Verdict::kSkipped),
      report.seconds);
  for (const Result& result : report.results) {
    xml += fmt::format("<testcase classname=\"{}\" name=\"{} {}\" time=\"{:.3f}\">{}</testcase>\n",
                       EscapeMarkup(LevelText(result.check.level)), result.check.id, EscapeMarkup(result.check.title),
                       result.seconds, Body(result));
  }
  return xml + "</testsuite></testsuites>\n";
}

}  // namespace ntsd::conformance
