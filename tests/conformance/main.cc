// ntsconform: is this NTS server correct? Checks any server from outside, requirement by requirement.
//
// Exit status: 0 every MUST that was looked at holds; 1 one does not; 2 the command line is wrong, or there is no
// server.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "tests/conformance/checks/checks.h"
#include "tests/conformance/command_line.h"
#include "tests/conformance/probe/probe.h"
#include "tests/conformance/report/report.h"

namespace ntsd::conformance {
namespace {

constexpr int kAllMustHold = 0;
constexpr int kSomeMustFails = 1;
constexpr int kNotRun = 2;

// https://no-color.org is the custom.
Palette PaletteForOutput() {
  const char* const no_color = std::getenv("NO_COLOR");  // NOLINT(concurrency-mt-unsafe): there is one thread
  const bool is_wanted = no_color == nullptr || *no_color == '\0';
  return is_wanted && isatty(STDOUT_FILENO) == 1 ? Palette::ForTerminal() : Palette{};
}

void Print(const std::string& text) {
  std::fputs(text.c_str(), stdout);
  std::fflush(stdout);  // a polite run takes minutes, and people watch it
}

int Fail(const std::string& problem) {
  std::fprintf(stderr, "ntsconform: %s\n", problem.c_str());
  return kNotRun;
}

int RunAll(const CommandLine& line, std::vector<Check> checks) {
  if (line.target.is_plain) std::erase_if(checks, [](const Check& check) { return NeedsNtsKe(check.id); });
  if (checks.empty()) return Fail("--only names no check; --list shows them");
  const auto start = std::chrono::steady_clock::now();
  Probe probe(line.target);
  if (const std::string problem = probe.Start(); !problem.empty()) return Fail(problem);
  const Palette palette = PaletteForOutput();
  Report report;
  report.host = line.target.host;
  if (!line.target.is_plain) report.ke_server = probe.ke_server().ToString();
  report.ntp_server = probe.ntp_server().ToString();
  if (!line.wants_json) {
    Print(fmt::format("NTS-KE at {}, NTP at {}\n\n", report.ke_server.empty() ? "none" : report.ke_server,
                      report.ntp_server));
  }
  report.results = RunChecks(checks, probe, [&](const Result& result) {
    const bool is_news = result.verdict() == Verdict::kFail || result.verdict() == Verdict::kWarning;
    if (!line.wants_json && (is_news || !line.is_quiet)) Print(ResultText(result, palette));
  });
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  Print(line.wants_json ? ReportJson(report) : SummaryText(report, palette));
  if (!line.junit_file.empty()) {
    std::ofstream file(line.junit_file);
    file << ReportJunit(report);
    if (!file.flush()) return Fail(line.junit_file + ": cannot be written");
  }
  if (!probe.StillAnswers()) {
    Fail("the server has stopped answering ordinary requests during this run");
    return kSomeMustFails;
  }
  return report.AllMustHold() ? kAllMustHold : kSomeMustFails;
}

int Main(int argument_count, const char* const* arguments) {
  const Expected<CommandLine, CommandLineEnd> line = ParseCommandLine(argument_count, arguments);
  if (!line) {
    std::fputs(line.error().text.c_str(), line.error().exit_status == 0 ? stdout : stderr);
    return line.error().exit_status;
  }
  std::vector<Check> checks = AllChecks();
  std::erase_if(checks, [&](const Check& check) { return !IsSelected(check.id, line->only); });
  if (!line->wants_list) return RunAll(*line, std::move(checks));
  Print(line->wants_json ? ListJson(checks) : ListText(checks));
  return kAllMustHold;
}

}  // namespace
}  // namespace ntsd::conformance

int main(int argument_count, char** arguments) { return ntsd::conformance::Main(argument_count, arguments); }
