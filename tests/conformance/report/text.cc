#include <fmt/format.h>

#include "tests/conformance/report/report.h"

namespace ntsd::conformance {
namespace {

std::string_view Colour(Verdict verdict, const Palette& palette) {
  switch (verdict) {
    case Verdict::kPass:
      return palette.good;
    case Verdict::kFail:
      return palette.bad;
    case Verdict::kWarning:
      return palette.warning;
    case Verdict::kSkipped:
      return palette.dim;
  }
  return {};
}

}  // namespace

std::string ResultText(const Result& result, const Palette& palette) {
  const Verdict verdict = result.verdict();
  std::string text = fmt::format("{}{:<7}{}  {:<9}  {}\n", Colour(verdict, palette), VerdictText(verdict),
                                 palette.plain, result.check.id, result.check.title);
  const Finding& finding = result.finding;
  if (verdict == Verdict::kSkipped) text += fmt::format("{}{:20}{}{}\n", palette.dim, "", finding.came, palette.plain);
  if (verdict == Verdict::kFail || verdict == Verdict::kWarning) {
    text += fmt::format("{:20}{}, {}\n", "", LevelText(result.check.level), result.check.section);
    text += fmt::format("{:20}sent:     {}\n{:20}expected: {}\n{:20}came:     {}\n", "", finding.sent, "",
                        finding.expected, "", finding.came);
  }
  return text;
}

std::string SummaryText(const Report& report, const Palette& palette) {
  const std::size_t failed = report.Count(Verdict::kFail);
  std::string text = fmt::format("\n{}: {} passed, {} failed, {} warnings, {} skipped, in {:.1f} s\n", report.host,
                                 report.Count(Verdict::kPass), failed, report.Count(Verdict::kWarning),
                                 report.Count(Verdict::kSkipped), report.seconds);
  if (failed > 0) {
    return text + fmt::format("{}The server does not do everything that it must.{}\n", palette.bad, palette.plain);
  }
  return text + fmt::format("{}Everything that it must do and that was looked at, the server does.{}\n", palette.good,
                            palette.plain);
}

std::string ListText(std::span<const Check> checks) {
  std::string text;
  for (const Check& check : checks) {
    text += fmt::format("{:<9}  {:<11}  {:<20}  {}\n", check.id, LevelText(check.level), check.section, check.title);
    if (check.run == nullptr) text += fmt::format("{:11}not visible from outside: {}\n", "", check.reason);
  }
  return text;
}

}  // namespace ntsd::conformance
