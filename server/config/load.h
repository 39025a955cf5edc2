// From ntsd.toml and --set to a Config, with every mistake named at once.
//
// Threads: any, one call at a time per argument. Errors: as values; nothing is logged here.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/expected.h"
#include "server/config/config.h"
#include "server/config/error.h"

namespace ntsd {

// Larger files are refused: no honest configuration comes near it.
inline constexpr std::size_t kConfigFileSizeMax = 1 << 20;

struct LoadedConfig {
  Config config;
  ConfigOrigins origins;  // to say where a value stands when something else finds it wrong
};
using LoadResult = Expected<LoadedConfig, std::vector<ConfigError>>;

// Reads `path`, applies `overrides` ("table.key=value", "ntp[0].listen=[…]") in their order, and checks the whole.
// A value of an override is TOML, or, when it is not, a bare text: log.level=debug.
LoadResult LoadConfig(const std::string& path, std::span<const std::string> overrides);
// The same for text that is already in memory; `name` is how messages call it.
LoadResult ParseConfig(std::string_view text, const std::string& name, std::span<const std::string> overrides);

// True when something is wrong with the text itself (exit status 2), not only with files around it (exit status 1).
bool HasTextError(std::span<const ConfigError> errors);

}  // namespace ntsd
