// Short ways to a configuration and to what is wrong with one.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "server/config/load.h"

namespace ntsd::testing {

inline LoadResult Parse(std::string_view text, const std::vector<std::string>& overrides = {}) {
  return ParseConfig(text, "ntsd.toml", overrides);
}

// The configuration that `text` says; the test fails when it is refused.
inline Config Good(std::string_view text, const std::vector<std::string>& overrides = {}) {
  const LoadResult result = Parse(text, overrides);
  if (!result) {
    for (const ConfigError& error : result.error()) ADD_FAILURE() << error.ToString();
    return {};
  }
  return result->config;
}

// What is said about `text`, one line an error; empty when it is good.
inline std::vector<std::string> Complaints(std::string_view text, const std::vector<std::string>& overrides = {}) {
  std::vector<std::string> lines;
  const LoadResult result = Parse(text, overrides);
  if (!result) {
    for (const ConfigError& error : result.error()) lines.push_back(error.ToString());
  }
  return lines;
}

}  // namespace ntsd::testing
