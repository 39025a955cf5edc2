// What no single value can get wrong: combinations, and what this version cannot do yet.
//
// Threads: functions of their arguments. Errors: all that apply, each at the key that has to change.
#pragma once

#include <vector>

#include "server/config/config.h"
#include "server/config/error.h"

namespace ntsd {

std::vector<ConfigError> CheckConfig(const Config& config, const ConfigOrigins& origins);

// Values that this version knows but does not do. When one is built, its line in check.cc goes.
std::vector<ConfigError> RefuseUnbuilt(const Config& config, const ConfigOrigins& origins);

// What is allowed and probably not meant; the server starts all the same.
std::vector<ConfigError> WarnOfConfig(const Config& config, const ConfigOrigins& origins);

}  // namespace ntsd
