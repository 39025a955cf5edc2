#include "server/control/socket.h"

#include <fmt/format.h>
#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

namespace ntsd {
namespace {

constexpr int kBacklog = 16;
// Linux allows 65,536 groups a process; somebody with more of them than this is not one of our operators.
constexpr std::size_t kGroupsMax = 4096;

std::string ErrorText(int error) { return std::generic_category().message(error); }

std::optional<sockaddr_un> AddressOf(const std::string& path) {
  sockaddr_un address{};
  if (path.size() >= sizeof(address.sun_path)) return std::nullopt;
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

FileDescriptor NewSocket() { return FileDescriptor(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)); }

int Connect(const FileDescriptor& fd, const sockaddr_un& address) {
  return connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
}

std::optional<gid_t> GroupId(const std::string& name) {
  const group* const entry = getgrnam(name.c_str());  // NOLINT(concurrency-mt-unsafe): before other threads exist
  return entry == nullptr ? std::nullopt : std::optional(entry->gr_gid);
}

// "" when `path` is free, or was a socket that nobody listens at.
std::string ClearStaleSocket(const std::string& path, const sockaddr_un& address) {
  struct stat status {};
  if (lstat(path.c_str(), &status) != 0) {
    return errno == ENOENT ? "" : fmt::format("cannot look at {}: {}", path, ErrorText(errno));
  }
  if (!S_ISSOCK(status.st_mode))
    return fmt::format("{} exists and is not a socket; remove it or choose another name", path);
  const FileDescriptor probe = NewSocket();
  if (Connect(probe, address) == 0)
    return fmt::format("another ntsd listens at {}; stop it or choose another name", path);
  if (errno != ECONNREFUSED)
    return fmt::format("cannot tell whether somebody listens at {}: {}", path, ErrorText(errno));
  if (unlink(path.c_str()) != 0) return fmt::format("cannot remove the old socket {}: {}", path, ErrorText(errno));
  return "";
}

// One folder, as a systemd unit would have made it; deeper ones are somebody's decision.
std::string MakeFolder(const std::string& path, uid_t owner) {
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  std::error_code error;
  if (std::filesystem::is_directory(folder, error)) return "";
  if (mkdir(folder.c_str(), 0755) != 0) {
    return fmt::format("cannot create the folder {}: {}", folder.string(), ErrorText(errno));
  }
  if (geteuid() == 0 && lchown(folder.c_str(), owner, static_cast<gid_t>(-1)) != 0) {
    return fmt::format("cannot give the folder {} to its user: {}", folder.string(), ErrorText(errno));
  }
  return "";
}

// The umask decides the mode at birth, so that there is no moment in which others could connect. It is not changed by
// name afterwards: whoever owns the folder could have put something else there meanwhile.
std::string BindAndListen(const FileDescriptor& fd, const std::string& path, const sockaddr_un& address, mode_t mask) {
  const mode_t old_mask = umask(mask);
  const int bound = bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  const int error = errno;
  umask(old_mask);
  if (bound != 0) return fmt::format("cannot make the socket {}: {}", path, ErrorText(error));
  if (listen(fd.get(), kBacklog) != 0) return fmt::format("cannot listen at {}: {}", path, ErrorText(errno));
  return "";
}

}  // namespace

Expected<BoundSocket, std::string> BindControlSocket(const std::string& path, const std::string& group, uid_t owner) {
  const std::optional<sockaddr_un> address = AddressOf(path);
  if (!address) return Unexpected(fmt::format("{} is too long for the name of a socket", path));
  BoundSocket socket;
  if (!group.empty()) socket.group = GroupId(group);
  if (!group.empty() && !socket.group) {
    socket.warning = fmt::format("there is no group {}: only root and the user of ntsd can use ntsctl", group);
  }
  std::string problem = MakeFolder(path, owner);
  if (problem.empty()) problem = ClearStaleSocket(path, *address);
  if (!problem.empty()) return Unexpected(std::move(problem));
  socket.fd = NewSocket();
  if (socket.fd.get() < 0) return Unexpected(fmt::format("cannot make a socket: {}", ErrorText(errno)));
  problem = BindAndListen(socket.fd, path, *address, socket.group ? 0117 : 0177);
  if (!problem.empty()) return Unexpected(std::move(problem));
  struct stat status {};
  if (lstat(path.c_str(), &status) == 0) {
    socket.device = status.st_dev;
    socket.inode = status.st_ino;
  }
  const uid_t new_owner = geteuid() == 0 ? owner : static_cast<uid_t>(-1);
  if (lchown(path.c_str(), new_owner, socket.group.value_or(static_cast<gid_t>(-1))) != 0) {
    socket.warning = fmt::format("cannot give {} to the group {}: {}", path, group, ErrorText(errno));
  }
  return socket;
}

void RemoveSocket(const std::string& path, const BoundSocket& socket) {
  struct stat status {};
  if (lstat(path.c_str(), &status) != 0 || status.st_dev != socket.device || status.st_ino != socket.inode) return;
  // A folder that is not ours keeps the socket; the next start finds that nobody listens and removes it.
  unlink(path.c_str());
}

Expected<FileDescriptor, std::string> ConnectControlSocket(const std::string& path) {
  const std::optional<sockaddr_un> address = AddressOf(path);
  if (!address) return Unexpected(fmt::format("{} is too long for the name of a socket", path));
  FileDescriptor fd = NewSocket();
  if (fd.get() >= 0 && Connect(fd, *address) == 0) return fd;
  const int error = errno;
  struct stat status {};
  if (error == ECONNREFUSED && lstat(path.c_str(), &status) == 0 && !S_ISSOCK(status.st_mode)) {
    return Unexpected(fmt::format("{} is no socket; --socket names that of ntsd", path));
  }
  switch (error) {
    case ENOENT:
      return Unexpected(fmt::format("there is no {}: is ntsd running? --socket names another one", path));
    case ECONNREFUSED:
      return Unexpected(fmt::format("nobody listens at {}: ntsd is not running", path));
    case EACCES:
      return Unexpected(fmt::format("{} is not for you: become root or a member of its group", path));
    default:
      return Unexpected(fmt::format("cannot connect to {}: {}", path, ErrorText(error)));
  }
}

std::optional<PeerIdentity> IdentityOfPeer(int fd) {
  ucred credentials{};
  socklen_t size = sizeof(credentials);
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) return std::nullopt;
  PeerIdentity peer{credentials.uid, std::vector<gid_t>(kGroupsMax)};
  size = static_cast<socklen_t>(peer.groups.size() * sizeof(gid_t));
  const bool has_groups = getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, peer.groups.data(), &size) == 0;
  peer.groups.resize(has_groups ? size / sizeof(gid_t) : 0);
  peer.groups.push_back(credentials.gid);
  return peer;
}

}  // namespace ntsd
