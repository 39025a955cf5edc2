// The sandbox for this configuration: what it leaves within reach, and what is said about it.
//
// Threads: functions of their arguments, but GrantsFor() and FilesOutside(), which look at where links lead.
// Errors: none.
#pragma once

#include <string>
#include <vector>

#include "server/config/config.h"
#include "server/control/service.h"
#include "server/sandbox/sandbox.h"

namespace ntsd {

// The directories of everything that is read or written after the start.
std::vector<DirectoryGrant> GrantsFor(const Config& config, const std::string& config_path);

// In one line, what confines this process.
std::string DescribeConfinement(const Config& config, const Sandbox& sandbox, CapabilitiesLeft capabilities,
                                const std::string& engine);
// Why this is not all that `sandbox = "strict"` asks for; an empty text: it is.
std::string WhyNotStrict(const Sandbox& sandbox, CapabilitiesLeft capabilities);

// --- A reload that names files outside ---

// Of one [[ke]] table, what has to stay as it is until a restart.
struct KeFilesKept {
  bool certificates = false;
  bool pool_tokens = false;
};
// By [[ke]] table of `next`: whose files are there, and out of reach.
std::vector<KeFilesKept> FilesOutside(const Config& next, const Sandbox& sandbox);
// `next` with the files of `running` where they stay; moves their keys in `report` to what needs a restart.
Config KeepFiles(Config next, const Config& running, const std::vector<KeFilesKept>& kept, ReloadReport& report);

}  // namespace ntsd
