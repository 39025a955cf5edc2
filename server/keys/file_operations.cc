#include "server/keys/file_operations.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cstdio>

namespace ntsd {

int SystemFileOperations::Open(const std::string& path, int flags, mode_t mode) {
  return ::open(path.c_str(), flags | O_CLOEXEC, mode);
}
int SystemFileOperations::Stat(int fd, struct stat* status) { return ::fstat(fd, status); }
int SystemFileOperations::StatPath(const std::string& path, bool follow_links, struct stat* status) {
  return ::fstatat(AT_FDCWD, path.c_str(), status, follow_links ? 0 : AT_SYMLINK_NOFOLLOW);
}
ssize_t SystemFileOperations::Read(int fd, ByteSpan target) { return ::read(fd, target.data(), target.size()); }
ssize_t SystemFileOperations::Write(int fd, ByteView octets) { return ::write(fd, octets.data(), octets.size()); }
int SystemFileOperations::ChangeMode(int fd, mode_t mode) { return ::fchmod(fd, mode); }
int SystemFileOperations::Sync(int fd) { return ::fsync(fd); }
int SystemFileOperations::Close(int fd) { return ::close(fd); }
int SystemFileOperations::Rename(const std::string& from, const std::string& to) {
  return ::rename(from.c_str(), to.c_str());
}
int SystemFileOperations::Unlink(const std::string& path) { return ::unlink(path.c_str()); }
int SystemFileOperations::Lock(int fd) { return ::flock(fd, LOCK_EX | LOCK_NB); }
uid_t SystemFileOperations::EffectiveUser() { return ::geteuid(); }

}  // namespace ntsd
