// Whether the files that a configuration names are there and look like what they should be: for --check and start.
//
// Threads: any. Errors: as values of kind kEnvironment. What is in a file never stands in a message.
#pragma once

#include <vector>

#include "server/config/config.h"
#include "server/config/error.h"

namespace ntsd {

// Opens certificates, their keys, pool tokens, the key file and the leap second list as the user who runs this, and
// looks up `process.user` when started as root. A key file that does not exist yet is fine when we generate keys.
std::vector<ConfigError> CheckFiles(const Config& config, const ConfigOrigins& origins);

}  // namespace ntsd
