// What a check is, and what it comes to: the vocabulary of ntsconform.
//
// Threads: values.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace ntsd::conformance {

class Probe;

// How strongly a text binds the server. kRecommended: no keyword of a text, but clients depend on it.
enum class Level : std::uint8_t { kMust, kShould, kMay, kRecommended };
std::string_view LevelText(Level level);

enum class Outcome : std::uint8_t { kHolds, kBroken, kSkipped };

// What one check has seen. The three texts are for people; octets of the server stand in them as hexadecimal digits or
// escaped, never raw.
struct Finding {
  Outcome outcome = Outcome::kSkipped;
  std::string sent;
  std::string expected;
  std::string came;  // of a skipped check: why
};

inline Finding Judge(bool holds, std::string sent, std::string expected, std::string came) {
  return {holds ? Outcome::kHolds : Outcome::kBroken, std::move(sent), std::move(expected), std::move(came)};
}
inline Finding Skip(std::string reason) { return {Outcome::kSkipped, {}, {}, std::move(reason)}; }

// One requirement. Without `run` it cannot be seen from outside, and `reason` says why.
struct Check {
  std::string_view id;       // "R-KE-05"
  std::string_view section;  // "RFC 8915 §4.1.3"
  Level level{};
  std::string_view title;
  Finding (*run)(Probe&) = nullptr;
  std::string_view reason;
};

enum class Verdict : std::uint8_t { kPass, kFail, kWarning, kSkipped };
// Only what a server must do can fail; what it should do is worth a warning.
constexpr Verdict VerdictOf(Level level, Outcome outcome) {
  if (outcome == Outcome::kSkipped) return Verdict::kSkipped;
  if (outcome == Outcome::kHolds) return Verdict::kPass;
  return level == Level::kMust ? Verdict::kFail : Verdict::kWarning;
}
std::string_view VerdictText(Verdict verdict);

// True when `id` is `selection` or stands under it: "R-KE" selects "R-KE-05", "R-K" does not.
bool IsSelected(std::string_view id, std::span<const std::string> selections);

}  // namespace ntsd::conformance
