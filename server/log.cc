#include "server/log.h"

#include <fmt/format.h>
#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <algorithm>
#include <array>
#include <mutex>
#include <utility>

namespace ntsd {
namespace {

constexpr std::array<std::pair<LogLevel, std::string_view>, 4> kLevelNames = {{
    {LogLevel::kDebug, "debug"},
    {LogLevel::kInfo, "info"},
    {LogLevel::kWarning, "warning"},
    {LogLevel::kError, "error"},
}};

spdlog::level::level_enum ToSpdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

LogLevel FromSpdlog(spdlog::level::level_enum level) {
  if (level <= spdlog::level::debug) return LogLevel::kDebug;
  if (level == spdlog::level::info) return LogLevel::kInfo;
  return level == spdlog::level::warn ? LogLevel::kWarning : LogLevel::kError;
}

// Control characters could forge a line or move an operator's terminal; they are written as escapes. Octets from 0x80
// pass: they are UTF-8 of file names and certificates.
std::string Quoted(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (c == '\n') {
      quoted += "\\n";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      quoted += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
    } else {
      quoted += c;
    }
  }
  return quoted + '"';
}

bool NeedsQuotes(std::string_view value) {
  return value.empty() || std::any_of(value.begin(), value.end(), [](char c) {
           return static_cast<unsigned char>(c) <= 0x20 || c == '"' || c == '=' || c == '\\' || c == 0x7F;
         });
}

bool HasControl(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
}

class FunctionSink : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit FunctionSink(Log::Sink write_line) : function_(std::move(write_line)) {}

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    function_(std::string_view(line.data(), line.size()));
  }
  void flush_() override {}

  Log::Sink function_;
};

}  // namespace

class Log::Writer {
 public:
  Writer(LogLevel level, LogFormat format, std::shared_ptr<spdlog::sinks::sink> sink, const char* end_of_line)
      : logger_("ntsd", std::move(sink)) {
    // Times are UTC with their zone: lines of several hosts are compared, and summer time repeats an hour.
    const char* const pattern = format == LogFormat::kJson ? R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l",%v})"
                                                           : "%Y-%m-%dT%H:%M:%S.%eZ %-7l %v";
    logger_.set_formatter(
        std::make_unique<spdlog::pattern_formatter>(pattern, spdlog::pattern_time_type::utc, end_of_line));
    logger_.set_level(ToSpdlog(level));
    logger_.flush_on(spdlog::level::trace);
  }
  spdlog::logger& logger() { return logger_; }

 private:
  spdlog::logger logger_;
};

Log::Log(LogLevel level, LogFormat format)
    : format_(format),
      writer_(std::make_unique<Writer>(level, format, std::make_shared<spdlog::sinks::stderr_sink_mt>(), "\n")) {}

Log::Log(LogLevel level, LogFormat format, Sink sink)
    : format_(format),
      writer_(std::make_unique<Writer>(level, format, std::make_shared<FunctionSink>(std::move(sink)), "")) {}

Log::~Log() = default;

void Log::Debug(std::string_view message, const std::vector<LogField>& fields) {
  Write(LogLevel::kDebug, message, fields);
}
void Log::Info(std::string_view message, const std::vector<LogField>& fields) {
  Write(LogLevel::kInfo, message, fields);
}
void Log::Warning(std::string_view message, const std::vector<LogField>& fields) {
  Write(LogLevel::kWarning, message, fields);
}
void Log::Error(std::string_view message, const std::vector<LogField>& fields) {
  Write(LogLevel::kError, message, fields);
}

void Log::Write(LogLevel level, std::string_view message, const std::vector<LogField>& fields) {
  if (!writer_->logger().should_log(ToSpdlog(level))) return;
  const std::string line = format_ == LogFormat::kJson ? LogJson(message, fields) : LogText(message, fields);
  writer_->logger().log(ToSpdlog(level), spdlog::string_view_t(line.data(), line.size()));
}

void Log::SetLevel(LogLevel level) { writer_->logger().set_level(ToSpdlog(level)); }

LogLevel Log::level() const { return FromSpdlog(writer_->logger().level()); }

std::string_view LogLevelName(LogLevel level) {
  for (const auto& [value, name] : kLevelNames) {
    if (value == level) return name;
  }
  return "info";
}

std::optional<LogLevel> ParseLogLevel(std::string_view name) {
  for (const auto& [value, known] : kLevelNames) {
    if (known == name) return value;
  }
  return std::nullopt;
}

std::string LogText(std::string_view message, const std::vector<LogField>& fields) {
  std::string line = HasControl(message) ? Quoted(message) : std::string(message);
  for (const LogField& field : fields) {
    line += fmt::format(" {}={}", field.name, NeedsQuotes(field.value) ? Quoted(field.value) : field.value);
  }
  return line;
}

std::string LogJson(std::string_view message, const std::vector<LogField>& fields) {
  std::string line = "\"message\":" + Quoted(message);
  for (const LogField& field : fields) line += fmt::format(",{}:{}", Quoted(field.name), Quoted(field.value));
  return line;
}

}  // namespace ntsd
