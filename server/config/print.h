// The configuration in force, as an operator would have written it.
#pragma once

#include <string>
#include <vector>

#include "server/config/config.h"

namespace ntsd {

// One key with its table and its value in TOML: {"ke[0]", "timeout", "\"5s\""}.
struct ConfigEntry {
  std::string table;
  std::string key;
  std::string value;
};
// Every key, defaults included, in the order of the documentation.
std::vector<ConfigEntry> ConfigEntries(const Config& config);

// A file that LoadConfig() reads back as an equal Config. It names files with secrets, never what is in them.
std::string ConfigToToml(const Config& config);

}  // namespace ntsd
