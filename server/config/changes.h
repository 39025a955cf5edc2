// What a reload does with a changed configuration: which keys take effect at once and which need a restart.
//
// Threads: functions of their arguments. Errors: none.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "server/config/config.h"

namespace ntsd {

struct ConfigChanges {
  std::vector<std::string> applied;        // "ke[0].certificates", "log.level"
  std::vector<std::string> needs_restart;  // "workers.ntp", "ntp[1]" for a table that came or went
};
ConfigChanges CompareConfigs(const Config& running, const Config& next);

// True for certificates, pool tokens, access, limits and the log level.
bool IsReloadable(std::string_view table, std::string_view key);

// `running` with all that can change without a restart taken from `next`: what is in force after a reload.
Config MergeReloadable(const Config& running, const Config& next);

}  // namespace ntsd
