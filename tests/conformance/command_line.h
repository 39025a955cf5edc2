// What the operator typed, as values.
//
// Threads: a function of its arguments. Errors: the text to print and the exit status.
#pragma once

#include <string>
#include <vector>

#include "core/base/expected.h"
#include "tests/conformance/probe/probe.h"

namespace ntsd::conformance {

struct CommandLine {
  Target target;
  std::vector<std::string> only;  // "R-KE", "R-KE-05"; empty: all
  bool wants_list = false;
  bool wants_json = false;
  bool is_quiet = false;  // only what did not pass
  std::string junit_file;
};

struct CommandLineEnd {
  int exit_status = 0;
  std::string text;
};

Expected<CommandLine, CommandLineEnd> ParseCommandLine(int argument_count, const char* const* arguments);

// The first token of a pool token file; an error in words.
Expected<std::string, std::string> ReadToken(const std::string& file);

}  // namespace ntsd::conformance
