#include "server/config/error.h"

#include <fmt/format.h>

#include <utility>

namespace ntsd {

std::string ConfigError::ToString() const {
  std::string text = source;
  if (line != 0) text += fmt::format(":{}:{}", line, column);
  for (const std::string& part : {key, problem}) {
    if (part.empty()) continue;
    if (!text.empty()) text += ": ";
    text += part;
  }
  return text;
}

ConfigError ConfigOrigins::ErrorAt(std::string_view key, std::string problem, ConfigError::Kind kind) const {
  ConfigError error{kind, file_, 0, 0, std::string(key), std::move(problem)};
  // Ends: every turn makes the key shorter: "ke[0].timeout", "ke[0]", "ke".
  for (std::string_view place = key; !place.empty(); place = place.substr(0, place.find_last_of(".["))) {
    const auto found = origins_.find(place);
    if (found != origins_.end()) {
      error.source = found->second.source;
      error.line = found->second.line;
      error.column = found->second.column;
      break;
    }
    if (place.find_last_of(".[") == std::string_view::npos) break;
  }
  return error;
}

}  // namespace ntsd
