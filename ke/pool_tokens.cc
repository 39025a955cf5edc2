#include "ke/pool_tokens.h"

#include <algorithm>
#include <string_view>

#include "core/nts/exchange.h"
#include "ke/secret_file.h"

namespace ntsd::ke {

namespace {

constexpr std::size_t kTokenSizeMin = 16;

bool IsVisible(char c) { return c > ' ' && c < '\x7F'; }

std::string_view Trim(std::string_view line) {
  while (!line.empty() && (line.back() == '\r' || line.back() == ' ' || line.back() == '\t')) line.remove_suffix(1);
  while (!line.empty() && (line.front() == ' ' || line.front() == '\t')) line.remove_prefix(1);
  return line;
}

// An empty text: it will do.
std::string_view WhatIsWrong(std::string_view token) {
  if (!std::all_of(token.begin(), token.end(), IsVisible)) return "a token has visible ASCII characters only";
  if (token.size() < kTokenSizeMin) return "a token has at least 16 characters";
  if (token.size() > kKePoolTokenSizeMax) return "a token has at most 128 characters";
  return {};
}

}  // namespace

Expected<std::vector<std::string>, std::string> LoadPoolTokens(const std::string& path) {
  SecretFile file;
  if (std::string error = file.Read(path); !error.empty()) return Unexpected(std::move(error));
  std::vector<std::string> tokens;
  std::string_view rest = file.text();
  // Ends: every turn takes a line away.
  for (std::size_t number = 1; !rest.empty(); ++number) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = Trim(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.empty() || line.front() == '#') continue;
    if (const std::string_view wrong = WhatIsWrong(line); !wrong.empty()) {
      return Unexpected(path + ":" + std::to_string(number) + ": " + std::string(wrong));
    }
    tokens.emplace_back(line);
  }
  if (tokens.empty()) return Unexpected(path + ": holds no token");
  return tokens;
}

}  // namespace ntsd::ke
