// The spelling of configuration values: durations, CPU lists and the words of a set.
//
// Threads: functions of their arguments. Errors: nothing comes back when the text is not of that form.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/time.h"
#include "server/config/config.h"

namespace ntsd {

// "500ms", "5s", "24h": one whole number and one of ns, us, ms, s, m, h, d.
std::optional<Duration> ParseDuration(std::string_view text);
// In the largest unit that says it exactly.
std::string FormatDuration(Duration duration);

// "0-3,8": ascending or not, every CPU once, numbers below kCpuCountMax.
inline constexpr unsigned kCpuCountMax = 1024;
std::optional<std::vector<unsigned>> ParseCpuList(std::string_view text);
std::string FormatCpuList(std::span<const unsigned> cpus);

// What an NTPv4 Server record may carry (RFC 8915 §4.1.7): an address without zone, or a host name in ASCII.
// At most 99 octets, because ntpsec's client takes no more.
bool IsNtpServerName(std::string_view text);

// A reference id: up to four printable ASCII characters, or an IPv4 address in dotted form.
std::optional<std::uint32_t> ParseReferenceId(std::string_view text);

template <typename Value>
struct Word {
  std::string_view name;
  Value value;
};
// The words of every enumeration in the configuration, in the order in which messages name them.
std::span<const Word<PlainNtpPolicy>> WordsOf(PlainNtpPolicy);
std::span<const Word<Smear>> WordsOf(Smear);
std::span<const Word<EngineChoice>> WordsOf(EngineChoice);
std::span<const Word<SpreadChoice>> WordsOf(SpreadChoice);
std::span<const Word<KeySourceKind>> WordsOf(KeySourceKind);
std::span<const Word<ReferenceSource>> WordsOf(ReferenceSource);
std::span<const Word<SandboxMode>> WordsOf(SandboxMode);
std::span<const Word<LogLevel>> WordsOf(LogLevel);
std::span<const Word<LogFormat>> WordsOf(LogFormat);

template <typename Value>
std::string_view WordFor(Value value) {
  for (const Word<Value>& word : WordsOf(Value{})) {
    if (word.value == value) return word.name;
  }
  return {};
}

// `text` as a TOML basic string, quotes included.
std::string QuoteToml(std::string_view text);

}  // namespace ntsd
