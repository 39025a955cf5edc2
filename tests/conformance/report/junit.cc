#include <fmt/format.h>

#include "tests/conformance/report/report.h"

namespace ntsd::conformance {
namespace {

std::string Xml(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      default:
        // XML 1.0 has no place for control characters, not even escaped.
        escaped += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    }
  }
  return escaped;
}

std::string Body(const Result& result) {
  const Finding& finding = result.finding;
  const std::string text =
      fmt::format("sent: {}; expected: {}; came: {}", finding.sent, finding.expected, finding.came);
  switch (result.verdict()) {
    case Verdict::kFail:
      return fmt::format("<failure message=\"{}\">{}</failure>", Xml(finding.came), Xml(text));
    case Verdict::kSkipped:
      return fmt::format("<skipped message=\"{}\"/>", Xml(finding.came));
    // JUnit knows no warnings: the case has passed, and says in its output what should be better.
    case Verdict::kWarning:
      return fmt::format("<system-out>warning: {}</system-out>", Xml(text));
    case Verdict::kPass:
      return fmt::format("<system-out>{}</system-out>", Xml(text));
  }
  return {};
}

}  // namespace

std::string ReportJunit(const Report& report) {
  std::string xml = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
  xml += fmt::format(
      "<testsuites><testsuite name=\"ntsconform {}\" tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"{}\" "
      "time=\"{:.3f}\">\n",
      Xml(report.host), report.results.size(), report.Count(Verdict::kFail), report.Count(Verdict::kSkipped),
      report.seconds);
  for (const Result& result : report.results) {
    xml += fmt::format("<testcase classname=\"{}\" name=\"{} {}\" time=\"{:.3f}\">{}</testcase>\n",
                       Xml(LevelText(result.check.level)), result.check.id, Xml(result.check.title), result.seconds,
                       Body(result));
  }
  return xml + "</testsuite></testsuites>\n";
}

}  // namespace ntsd::conformance
