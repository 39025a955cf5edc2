// The control socket in the file system: made, found again, removed; and who is at its other end.
//
// Threads: any; BindControlSocket() before others exist, because it sets the umask for a moment.
// Errors: one line that says what is wrong and what to do.
#pragma once

#include <sys/types.h>
#include <unistd.h>

#include <optional>
#include <string>
#include <utility>

#include "core/base/expected.h"
#include "server/control/access.h"

namespace ntsd {

// Closes what it holds.
class FileDescriptor {
 public:
  explicit FileDescriptor(int fd = -1) : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~FileDescriptor() {
    if (fd_ >= 0) close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

struct BoundSocket {
  FileDescriptor fd;
  std::optional<gid_t> group;  // who may read
  std::string warning;
  dev_t device = 0;
  ino_t inode = 0;
};

// A listening socket at `path` with mode 0660 (0600 when there is no such group), of `owner` and `group`.
Expected<BoundSocket, std::string> BindControlSocket(const std::string& path, const std::string& group, uid_t owner);
// Only if it is still the one that we made.
void RemoveSocket(const std::string& path, const BoundSocket& socket);

// A connection to the socket at `path`.
Expected<FileDescriptor, std::string> ConnectControlSocket(const std::string& path);

// What the kernel noted when the peer connected.
std::optional<PeerIdentity> IdentityOfPeer(int fd);

}  // namespace ntsd
