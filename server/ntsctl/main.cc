// ntsctl: asks a running ntsd over its control socket, or any server over the network, and prints what it hears.
//
// Exit status: 0 good; 1 the answer is bad, or there is none; 2 the command line is wrong.
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "server/ntsctl/command_line.h"
#include "server/ntsctl/control_client.h"
#include "server/ntsctl/key_file_transfer.h"
#include "server/ntsctl/query.h"
#include "server/ntsctl/report_text.h"
#include "server/ntsctl/top.h"

namespace ntsd {
namespace {

constexpr int kGood = 0;
constexpr int kBad = 1;
constexpr char kClearScreen[] = "\x1b[H\x1b[J";

// What a command comes to: for standard output, for standard error, and the exit status.
struct Outcome {
  std::string text;
  std::string problem;
  std::string note;  // beside a success: for standard error
  int exit_status = kGood;
};

Outcome Failure(std::string problem) {
  return {.text = "", .problem = std::move(problem), .note = "", .exit_status = kBad};
}

// https://no-color.org is the custom.
Palette PaletteForOutput() {
  const char* const no_color = std::getenv("NO_COLOR");  // NOLINT(concurrency-mt-unsafe): there is one thread
  const bool is_wanted = no_color == nullptr || *no_color == '\0';
  return is_wanted && isatty(STDOUT_FILENO) == 1 ? Palette::ForTerminal() : Palette::None();
}

// The text of a reply, made by `to_text` from what it carries.
template <typename Result, typename ToText>
Outcome Show(const std::string& line, ToText to_text) {
  const Expected<Result, std::string> result = ParseControlReply<Result>(line);
  if (!result) return Failure(result.error());
  return to_text(*result);
}

Outcome WriteExport(const std::string& line, const std::string& file) {
  return Show<KeyExport>(line, [&](const KeyExport& keys) {
    const std::string problem = WriteKeyFile(file, keys.text);
    if (!problem.empty()) return Failure(problem);
    Outcome outcome;
    outcome.note = keys.note;
    if (file != "-")
      outcome.text = fmt::format("keys written to {}; it is as secret as the server's own key file\n", file);
    return outcome;
  });
}

Outcome ShowReply(const ControlTask& task, const std::string& line, const Palette& palette) {
  const auto keys = [](const KeysReport& report) { return Outcome{.text = KeysText(report)}; };
  const auto done = [](const Done& report) { return Outcome{.text = report.note.empty() ? "" : report.note + "\n"}; };
  switch (task.request.command) {
    case ControlCommand::kStatus:
      return Show<StatusReport>(line, [&](const auto& status) { return Outcome{.text = StatusText(status, palette)}; });
    case ControlCommand::kStats:
      return Show<StatsReport>(line, [](const auto& stats) { return Outcome{.text = StatsText(stats)}; });
    case ControlCommand::kCheck:
      return Show<Health>(line, [&](const Health& health) {
        return Outcome{.text = HealthText(health, palette), .exit_status = health.IsFit() ? kGood : kBad};
      });
    case ControlCommand::kClients:
      return Show<ClientsReport>(line, [](const auto& clients) { return Outcome{.text = ClientsText(clients)}; });
    case ControlCommand::kKeys:
    case ControlCommand::kKeysRotate:
    case ControlCommand::kKeysRevoke:
    case ControlCommand::kKeysImport:
      return Show<KeysReport>(line, keys);
    case ControlCommand::kKeysExport:
      return WriteExport(line, task.file);
    case ControlCommand::kReload:
      return Show<ReloadReport>(line, [&](const ReloadReport& reload) {
        return Outcome{.text = ReloadText(reload, palette), .exit_status = reload.is_good ? kGood : kBad};
      });
    case ControlCommand::kDrain:
    case ControlCommand::kLogLevel:
      return Show<Done>(line, done);
  }
  return Failure("unknown command");
}

Outcome RunControl(ControlTask& task, bool wants_json) {
  if (task.request.command == ControlCommand::kKeysImport) {
    Expected<std::string, std::string> text = ReadKeyFile(task.file);
    if (!text) return Failure(text.error());
    task.request.text = *std::move(text);
  }
  const Expected<std::string, std::string> line = AskServer(task.socket, task.request);
  if (!line) return Failure(line.error());
  Outcome outcome = ShowReply(task, *line, PaletteForOutput());
  if (!wants_json) return outcome;
  if (task.request.command != ControlCommand::kKeysExport) {
    outcome.text = IndentJson(*line) + "\n";
  } else if (task.file != "-" && outcome.exit_status == kGood) {
    // Exported keys go to their file in either case, and nowhere else.
    outcome.text = IndentJson(FormatControlReply(Done{std::exchange(outcome.note, "")})) + "\n";
  }
  return outcome;
}

// Looks until it has looked often enough, nobody reads any more, or the server is gone.
Outcome RunTop(const TopTask& task, bool wants_json) {
  const Palette palette = PaletteForOutput();
  const bool is_screen = isatty(STDOUT_FILENO) == 1;
  std::optional<StatsReport> before;
  auto before_at = std::chrono::steady_clock::now();
  for (std::uint64_t look = 0; task.count == 0 || look <= task.count; ++look) {
    if (before) std::this_thread::sleep_for(task.interval);
    const Expected<std::string, std::string> line = AskServer(task.socket, {.command = ControlCommand::kStats});
    if (!line) return Failure(line.error());
    Expected<StatsReport, std::string> stats = ParseControlReply<StatsReport>(*line);
    if (!stats) return Failure(stats.error());
    const auto now = std::chrono::steady_clock::now();
    if (before) {
      const double seconds = std::chrono::duration<double>(now - before_at).count();
      const std::string text = wants_json ? *line + "\n" : TopText(*before, *stats, seconds, palette) + "\n";
      std::fputs((is_screen && !wants_json ? kClearScreen + text : text).c_str(), stdout);
      if (std::fflush(stdout) != 0) return Failure("cannot write");
    }
    before = std::move(*stats);
    before_at = now;
  }
  return {};
}

Outcome Run(const QuerySettings& settings, bool wants_json) {
  const QueryReport report = RunQuery(settings);
  return {.text = wants_json ? QueryJson(report) + "\n" : QueryText(report, PaletteForOutput()),
          .problem = report.problem,
          .exit_status = report.IsGood() ? kGood : kBad};
}

int Main(int argument_count, const char* const* arguments) {
  Expected<CommandLine, CommandLineEnd> command = ParseCommandLine(argument_count, arguments);
  if (!command) {
    std::fputs(command.error().text.c_str(), command.error().exit_status == 0 ? stdout : stderr);
    return command.error().exit_status;
  }
  Outcome outcome;
  if (auto* const task = std::get_if<ControlTask>(&command->task)) {
    outcome = RunControl(*task, command->wants_json);
  } else if (const auto* const top = std::get_if<TopTask>(&command->task)) {
    outcome = RunTop(*top, command->wants_json);
  } else {
    outcome = Run(std::get<QuerySettings>(command->task), command->wants_json);
  }
  // Who reads JSON finds in it what went wrong before there was an answer, too.
  if (command->wants_json && outcome.text.empty() && outcome.exit_status != kGood) {
    outcome.text = IndentJson(FormatControlError(outcome.problem)) + "\n";
  }
  std::fputs(outcome.text.c_str(), stdout);
  if (!outcome.problem.empty()) std::fprintf(stderr, "ntsctl: %s\n", outcome.problem.c_str());
  if (!outcome.note.empty()) std::fprintf(stderr, "ntsctl: note: %s\n", outcome.note.c_str());
  // A full disk or a closed pipe must not look like success.
  return std::fflush(stdout) == 0 ? outcome.exit_status : kBad;
}

}  // namespace
}  // namespace ntsd

int main(int argument_count, char** arguments) { return ntsd::Main(argument_count, arguments); }
