// Directories are all of the file system that this process can reach from now on (Landlock, landlock(7)).
//
// Landlock binds inodes, not names: a directory that is granted stays granted when it is renamed, and one that takes
// its place is not. So directories are named here and not files, which other programs replace all the time.
//
// Threads: Restrict() binds the calling thread and those that it makes later, so it comes before the first of them.
// Errors: what the kernel lacks is told, never worked around in silence; the caller decides whether to go on without.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/base/expected.h"

namespace ntsd {

enum class Reach : std::uint8_t {
  kRead,    // open files for reading
  kRemove,  // and remove them: where a socket of ours lies
  kWrite,   // and make, write and rename them
  kRun,     // open files for reading and run them: only what a sanitizer's report needs
};

struct DirectoryGrant {
  std::string directory;
  Reach reach = Reach::kRead;

  friend bool operator==(const DirectoryGrant&, const DirectoryGrant&) = default;
};

// Landlock's version in this kernel; 0: it has none, or a container forbids it.
int LandlockAbi();

// What was granted, to know later whether a file lies within.
class GrantedDirectories {
 public:
  // Forbids every other file, TCP connections, and signals to processes outside. Directories that do not exist are left
  // out. no_new_privs must be set before. The error says what the kernel refused; then nothing is forbidden.
  static Expected<GrantedDirectories, std::string> Restrict(std::span<const DirectoryGrant> grants);

  // True when `path` is there and lies, with its links followed, outside all granted directories.
  bool Excludes(const std::string& path) const;
  std::size_t size() const { return directories_.size(); }

 private:
  std::vector<std::pair<dev_t, ino_t>> directories_;
};

}  // namespace ntsd
