// A report as text for people, as JSON for programs, and as JUnit XML for those who run tests.
//
// Threads: functions of their arguments. Errors: none; texts of strangers are escaped, whatever is in them.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "tests/conformance/run.h"

namespace ntsd::conformance {

// Escape sequences, or nothing at all when the output is no terminal.
struct Palette {
  std::string_view good, bad, warning, dim, plain;
  static Palette ForTerminal() { return {"\x1b[32m", "\x1b[31m", "\x1b[33m", "\x1b[2m", "\x1b[0m"}; }
};

// One line for a check that passed, a few for one that did not.
std::string ResultText(const Result& result, const Palette& palette);
std::string SummaryText(const Report& report, const Palette& palette);
// Every check with its level and RFC section, and why some cannot be run.
std::string ListText(std::span<const Check> checks);

std::string ReportJson(const Report& report);
std::string ReportJunit(const Report& report);
std::string ListJson(std::span<const Check> checks);

}  // namespace ntsd::conformance
