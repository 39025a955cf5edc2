// Keeps the list of leap seconds as it is on disk.
//
// Threads: belongs to one thread, which may wait for a disk. Memory: the list, a few kilobytes.
// Errors: a file that cannot be used is logged once, and the last good list is kept until it expires.
#pragma once

#include <optional>
#include <string>

#include "core/ntp/leap_file.h"
#include "server/log.h"

namespace ntsd {

class LeapList {
 public:
  // An empty `path`: there is no list.
  LeapList(std::string path, Log& log) : path_(std::move(path)), log_(log) {}

  // Reads the file. True when the list has changed. Nothing to do without a path.
  bool Reload(UnixTime now);
  const std::optional<LeapTable>& table() const { return table_; }
  // Why the file could not be used at the last Reload(); empty when it could.
  const std::string& problem() const { return problem_; }

 private:
  void Report(std::string problem);

  std::string path_;
  Log& log_;
  std::optional<LeapTable> table_;
  std::string problem_;
};

}  // namespace ntsd
