#include "server/config/values.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <limits>
#include <utility>

namespace ntsd {
namespace {

struct TimeUnit {
  std::string_view name;
  std::int64_t nanoseconds;
};
// Largest first, so that the first that divides a duration says it in the fewest digits.
constexpr std::array<TimeUnit, 7> kTimeUnits = {{
    {"d", 86'400'000'000'000},
    {"h", 3'600'000'000'000},
    {"m", 60'000'000'000},
    {"s", 1'000'000'000},
    {"ms", 1'000'000},
    {"us", 1'000},
    {"ns", 1},
}};

// The whole number in front of `text`, which is cut off it.
template <typename Number>
std::optional<Number> TakeNumber(std::string_view& text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || text.front() == '-') return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

bool IsAlphanumeric(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

bool IsHostLabel(std::string_view label) {
  return !label.empty() && label.size() <= 63 && label.front() != '-' && label.back() != '-' &&
         std::all_of(label.begin(), label.end(), [](char c) { return IsAlphanumeric(c) || c == '-'; });
}

}  // namespace

std::optional<Duration> ParseDuration(std::string_view text) {
  const std::optional<std::int64_t> number = TakeNumber<std::int64_t>(text);
  if (!number) return std::nullopt;
  for (const TimeUnit& unit : kTimeUnits) {
    if (unit.name != text) continue;
    if (*number > std::numeric_limits<std::int64_t>::max() / unit.nanoseconds) return std::nullopt;
    return Duration(*number * unit.nanoseconds);
  }
  return std::nullopt;
}

std::string FormatDuration(Duration duration) {
  for (const TimeUnit& unit : kTimeUnits) {
    // "24h" and "48h" are how people write key periods; days begin where hours stop to be readable.
    if (unit.name == "d" && duration < std::chrono::hours(72)) continue;
    if (duration.count() != 0 && duration.count() % unit.nanoseconds == 0) {
      return fmt::format("{}{}", duration.count() / unit.nanoseconds, unit.name);
    }
  }
  return "0s";
}

std::optional<std::vector<unsigned>> ParseCpuList(std::string_view text) {
  std::vector<unsigned> cpus;
  // Ends: every turn takes at least one digit off the text.
  while (true) {
    const std::optional<unsigned> first = TakeNumber<unsigned>(text);
    if (!first) return std::nullopt;
    unsigned last = *first;
    if (text.starts_with('-')) {
      text.remove_prefix(1);
      const std::optional<unsigned> end = TakeNumber<unsigned>(text);
      if (!end || *end < *first) return std::nullopt;
      last = *end;
    }
    if (last >= kCpuCountMax) return std::nullopt;
    for (unsigned cpu = *first; cpu <= last; ++cpu) {
      if (std::find(cpus.begin(), cpus.end(), cpu) != cpus.end()) return std::nullopt;
      cpus.push_back(cpu);
    }
    if (text.empty()) return cpus;
    if (!text.starts_with(',')) return std::nullopt;
    text.remove_prefix(1);
  }
}

std::string FormatCpuList(std::span<const unsigned> cpus) {
  std::string text;
  for (std::size_t first = 0; first < cpus.size();) {
    std::size_t last = first;
    while (last + 1 < cpus.size() && cpus[last + 1] == cpus[last] + 1) ++last;
    if (!text.empty()) text += ',';
    text += last == first ? fmt::format("{}", cpus[first]) : fmt::format("{}-{}", cpus[first], cpus[last]);
    first = last + 1;
  }
  return text;
}

bool IsNtpServerName(std::string_view text) {
  if (text.empty() || text.size() > 99) return false;
  if (IpAddress::Parse(text)) return true;
  if (text.ends_with('.')) text.remove_suffix(1);
  // Ends: every turn takes a label off the text.
  while (true) {
    const std::size_t dot = text.find('.');
    const std::string_view label = text.substr(0, dot);
    if (!IsHostLabel(label)) return false;
    if (dot == std::string_view::npos) {
      // A last label of digits alone would be a malformed address, which resolvers take for one.
      return !std::all_of(label.begin(), label.end(), [](char c) { return c >= '0' && c <= '9'; });
    }
    text.remove_prefix(dot + 1);
  }
}

std::optional<std::uint32_t> ParseReferenceId(std::string_view text) {
  if (const std::optional<IpAddress> address = IpAddress::Parse(text)) {
    if (!address->is_v4) return std::nullopt;
    ByteReader reader(address->view());
    return reader.ReadU32();
  }
  if (text.empty() || text.size() > 4) return std::nullopt;
  std::uint32_t id = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    const char c = i < text.size() ? text[i] : '\0';
    if (i < text.size() && (c < 0x20 || c > 0x7E)) return std::nullopt;
    id = id << 8 | static_cast<std::uint8_t>(c);
  }
  return id;
}

std::span<const Word<PlainNtpPolicy>> WordsOf(PlainNtpPolicy) {
  static constexpr Word<PlainNtpPolicy> kWords[] = {
      {"no", PlainNtpPolicy::kServe}, {"ignore", PlainNtpPolicy::kIgnore}, {"deny", PlainNtpPolicy::kDeny}};
  return kWords;
}

std::span<const Word<Smear>> WordsOf(Smear) {
  static constexpr Word<Smear> kWords[] = {{"none", Smear::kNone}, {"linear-24h", Smear::kLinear24h}};
  return kWords;
}

std::span<const Word<EngineChoice>> WordsOf(EngineChoice) {
  static constexpr Word<EngineChoice> kWords[] = {{"auto", EngineChoice::kAuto},
                                                  {"io_uring", EngineChoice::kIoUring},
                                                  {"mmsg", EngineChoice::kMmsg},
                                                  {"xdp", EngineChoice::kXdp}};
  return kWords;
}
std::span<const Word<SpreadChoice>> WordsOf(SpreadChoice) {
  static constexpr Word<SpreadChoice> kWords[] = {{"hash", SpreadChoice::kHash}, {"cpu", SpreadChoice::kCpu}};
  return kWords;
}

std::span<const Word<KeySourceKind>> WordsOf(KeySourceKind) {
  static constexpr Word<KeySourceKind> kWords[] = {
      {"generate", KeySourceKind::kGenerate}, {"follow", KeySourceKind::kFollow}, {"etcd", KeySourceKind::kEtcd}};
  return kWords;
}

std::span<const Word<ReferenceSource>> WordsOf(ReferenceSource) {
  static constexpr Word<ReferenceSource> kWords[] = {{"chrony", ReferenceSource::kChrony},
                                                     {"ntp", ReferenceSource::kNtp},
                                                     {"kernel", ReferenceSource::kKernel},
                                                     {"local", ReferenceSource::kLocal}};
  return kWords;
}

std::span<const Word<SandboxMode>> WordsOf(SandboxMode) {
  static constexpr Word<SandboxMode> kWords[] = {
      {"strict", SandboxMode::kStrict}, {"auto", SandboxMode::kAuto}, {"off", SandboxMode::kOff}};
  return kWords;
}

std::span<const Word<LogLevel>> WordsOf(LogLevel) {
  static constexpr Word<LogLevel> kWords[] = {{"debug", LogLevel::kDebug},
                                              {"info", LogLevel::kInfo},
                                              {"warning", LogLevel::kWarning},
                                              {"error", LogLevel::kError}};
  return kWords;
}

std::span<const Word<LogFormat>> WordsOf(LogFormat) {
  static constexpr Word<LogFormat> kWords[] = {{"text", LogFormat::kText}, {"json", LogFormat::kJson}};
  return kWords;
}

std::string QuoteToml(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      quoted += fmt::format("\\u{:04X}", static_cast<unsigned char>(c));
    } else {
      quoted += c;
    }
  }
  return quoted + '"';
}

}  // namespace ntsd
