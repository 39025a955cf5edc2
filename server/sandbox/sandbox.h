// The sandbox as a whole: two moments of a start at which doors shut, and what came of it.
//
// Threads: main's. EnterDirectories() before there are others; FilterCalls() when all run. Afterwards read-only.
// Errors: what is not possible is kept in missing(), with the kernel's reason. Whether that is a reason not to start is
//         the caller's to say.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "server/sandbox/capabilities.h"
#include "server/sandbox/landlock.h"

namespace ntsd {

class Sandbox {
 public:
  // Forbids all files outside these directories. Privileges are gone by then.
  void EnterDirectories(std::span<const DirectoryGrant> grants);
  // Forbids all system calls but those of call_filter.cc.
  void FilterCalls();

  // True when `path` is there and lies, with its links followed, outside the directories that were granted.
  bool KeepsFromUs(const std::string& path) const;

  // For people, in order: "Landlock on 3 directories", "109 system calls".
  const std::vector<std::string>& in_force() const { return in_force_; }
  // The same for what could not be done, with the reason.
  const std::vector<std::string>& missing() const { return missing_; }

 private:
  std::optional<GrantedDirectories> directories_;
  std::vector<std::string> in_force_, missing_;
};

}  // namespace ntsd
