#include "server/config/toml_letters.h"

#include <algorithm>

namespace ntsd {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

// The end of the string that begins at `start` with `quote`: behind its closing quote, or, when it is not closed, where
// toml++ will refuse it.
std::size_t EndOfString(std::string_view text, std::size_t start, char quote) {
  const std::string_view triple = text.substr(start, 3);
  const bool is_multi_line = triple == std::string_view("\"\"\"") || triple == std::string_view("'''");
  std::size_t i = start + (is_multi_line ? 3 : 1);
  // Ends: every turn goes on by at least one octet.
  for (; i < text.size(); ++i) {
    if (text[i] == '\\' && quote == '"') {
      ++i;
    } else if (!is_multi_line && text[i] == '\n') {
      return i;
    } else if (text[i] == quote && (!is_multi_line || text.substr(i, 3) == triple)) {
      if (!is_multi_line) return i + 1;
      // One or two quotes may be the string's own last characters, in front of the three that close it.
      i += 3;
      while (i < text.size() && text[i] == quote) ++i;
      return i;
    }
  }
  return text.size();
}

// Whether a string can begin at `start`: a key or a value, and not in the middle of one, where toml++ reads on as if
// there were no quote.
bool MayBeginString(std::string_view text, std::size_t start) {
  const std::size_t before = text.substr(0, start).find_last_not_of(" \t\r");
  return before == std::string_view::npos ||
         std::string_view("=[,{.\n\xBF").find(text[before]) != std::string_view::npos;
}

}  // namespace

std::optional<std::size_t> FindLetterBeyondAscii(std::string_view text) {
  std::size_t i = text.substr(0, kByteOrderMark.size()) == kByteOrderMark ? kByteOrderMark.size() : 0;
  // Ends: every turn goes on by at least one octet.
  while (i < text.size()) {
    const char letter = text[i];
    if (letter == '#') {
      i = std::min(text.find('\n', i), text.size());
    } else if ((letter == '"' || letter == '\'') && MayBeginString(text, i)) {
      i = EndOfString(text, i, letter);
    } else if (static_cast<unsigned char>(letter) >= 0x80) {
      return i;
    } else {
      ++i;
    }
  }
  return std::nullopt;
}

}  // namespace ntsd
