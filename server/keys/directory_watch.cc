#include "server/keys/directory_watch.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <array>

namespace ntsd {

DirectoryWatch::DirectoryWatch(const std::string& directory) : fd_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
  if (fd_ < 0) return;
  // A file that is written in place counts when its writer closes it, not at each write.
  constexpr std::uint32_t kEvents = IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_DELETE | IN_ATTRIB | IN_ONLYDIR;
  if (::inotify_add_watch(fd_, directory.c_str(), kEvents) >= 0) return;
  ::close(fd_);
  fd_ = -1;
}

DirectoryWatch::~DirectoryWatch() {
  if (fd_ >= 0) ::close(fd_);
}

bool DirectoryWatch::Drain() {
  if (fd_ < 0) return false;
  bool happened = false;
  alignas(inotify_event) std::array<char, 4096> events;
  // Ends: events come from what people and programs do to a directory, more slowly than they are read.
  while (::read(fd_, events.data(), events.size()) > 0) happened = true;
  return happened;
}

}  // namespace ntsd
