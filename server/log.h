// What the service tells its operator while it runs: few lines, each with a message and named values.
//
// Threads: any thread may log and ask for the level at any time.
// Memory: a line is built on the caller's heap. The NTP workers do not log after start: nothing that a client sends
//         may cause a line, it is counted instead.
// Errors: none; a line that cannot be written is lost.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ntsd {

enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarning, kError };
enum class LogFormat : std::uint8_t { kText, kJson };

std::string_view LogLevelName(LogLevel level);  // "debug", "info", "warning", "error"
std::optional<LogLevel> ParseLogLevel(std::string_view name);

// A named value beside the message: {"listener", "0.0.0.0:123"}.
struct LogField {
  std::string_view name;
  std::string value;
};

class Log {
 public:
  using Sink = std::function<void(std::string_view line)>;

  // Writes whole lines to stderr.
  Log(LogLevel level, LogFormat format);
  // Hands finished lines, without their newline, to `sink`, one at a time: for tests.
  Log(LogLevel level, LogFormat format, Sink sink);
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  void Debug(std::string_view message, const std::vector<LogField>& fields = {});
  void Info(std::string_view message, const std::vector<LogField>& fields = {});
  void Warning(std::string_view message, const std::vector<LogField>& fields = {});
  void Error(std::string_view message, const std::vector<LogField>& fields = {});

  // Lines below `level` are left out from now on.
  void SetLevel(LogLevel level);
  LogLevel level() const;

 private:
  class Writer;  // spdlog, in log.cc alone
  void Write(LogLevel level, std::string_view message, const std::vector<LogField>& fields);

  LogFormat format_;
  std::unique_ptr<Writer> writer_;
};

// The pure part: one line without time and level. Text: `message name=value name="a value"`; JSON: `"message":…` pairs.
std::string LogText(std::string_view message, const std::vector<LogField>& fields);
std::string LogJson(std::string_view message, const std::vector<LogField>& fields);

}  // namespace ntsd
