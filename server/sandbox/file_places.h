// Which directories a file has to be found in, links included, so that it can be replaced there and read again.
//
// Threads: functions of their arguments and of the file system. Errors: none; what does not exist has no places.
#pragma once

#include <string>
#include <vector>

namespace ntsd {

// The directory of `path` as it is named, the directories of whatever its links lead to, and, where a directory on the
// way is itself a link to its neighbour ("current" to "release-7"), the directory that holds both: the next release
// will lie there. Not the root directory, of which every path is a part. Without repetitions.
std::vector<std::string> PlacesOf(const std::string& path);

}  // namespace ntsd
