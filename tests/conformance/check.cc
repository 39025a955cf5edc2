#include "tests/conformance/check.h"

#include <algorithm>

namespace ntsd::conformance {

std::string_view LevelText(Level level) {
  switch (level) {
    case Level::kMust:
      return "MUST";
    case Level::kShould:
      return "SHOULD";
    case Level::kMay:
      return "MAY";
    case Level::kRecommended:
      return "recommended";
  }
  return "";
}

std::string_view VerdictText(Verdict verdict) {
  switch (verdict) {
    case Verdict::kPass:
      return "pass";
    case Verdict::kFail:
      return "fail";
    case Verdict::kWarning:
      return "warning";
    case Verdict::kSkipped:
      return "skipped";
  }
  return "";
}

bool IsSelected(std::string_view id, std::span<const std::string> selections) {
  if (selections.empty()) return true;
  return std::any_of(selections.begin(), selections.end(), [&](const std::string& selection) {
    return id == selection || (id.substr(0, selection.size()) == selection && id[selection.size()] == '-');
  });
}

}  // namespace ntsd::conformance
