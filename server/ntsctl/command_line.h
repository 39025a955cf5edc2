// What the operator typed, as values.
//
// Threads: any. Errors: an exit status and a text that says what is wrong.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "core/base/expected.h"
#include "server/control/message.h"
#include "server/ntsctl/query.h"

namespace ntsd {

inline constexpr char kDefaultControlSocket[] = "/run/ntsd/control.sock";

struct ControlTask {
  std::string socket = kDefaultControlSocket;
  ControlRequest request;
  std::string file;  // keys export, keys import
};

struct TopTask {
  std::string socket = kDefaultControlSocket;
  std::chrono::milliseconds interval{1000};
  std::uint64_t count = 0;  // looks; 0: until the operator has seen enough
};

struct CommandLine {
  bool wants_json = false;
  std::variant<ControlTask, TopTask, QuerySettings> task;
};

// Not an order to do something: --help, --version, or a mistake.
struct CommandLineEnd {
  int exit_status = 0;
  std::string text;  // for standard output when exit_status is 0, else for standard error
};

Expected<CommandLine, CommandLineEnd> ParseCommandLine(int argument_count, const char* const* arguments);

}  // namespace ntsd
