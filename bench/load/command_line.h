// What the user typed, as values.
//
// Threads: any. Errors: an exit status and a text that says what is wrong.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "bench/load/resolve.h"
#include "bench/load/settings.h"
#include "core/base/expected.h"

namespace ntsd::load {

struct NtpTask {
  NtpSettings settings;
};
struct KeTask {
  KeSettings settings;
};
struct SweepTask {
  SweepSettings settings;
};
struct ReportTask {
  std::vector<std::string> inputs;
  std::string output = "ntsload.html";
  std::string title = "ntsload";
};

struct CommandLine {
  Target target;
  Family family = Family::kAny;
  std::string json_file;  // empty: none; "-": standard output, and no table
  bool is_quiet = false;  // no line of progress
  std::variant<NtpTask, KeTask, SweepTask, ReportTask> task;
};

// Not an order to do something: --help, --version, or a mistake.
struct CommandLineEnd {
  int exit_status = 0;
  std::string text;  // for standard output when exit_status is 0, else for standard error
};

Expected<CommandLine, CommandLineEnd> ParseCommandLine(int argument_count, const char* const* arguments);

// "192.0.2.1", or a prefix such as "127.0.1.0/28", which stands for its addresses, at most kSourcesMax. Nothing:
// neither.
inline constexpr std::size_t kSourcesMax = 4096;
std::optional<std::vector<IpAddress>> ParseSources(const std::string& text);

}  // namespace ntsd::load
