#include "server/reference/datagram_socket.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "core/base/socket_address.h"

namespace ntsd {
namespace {

// Late answers to earlier questions. More than a few means that somebody floods us; then the question may as well fail.
constexpr int kStaleDatagramsMax = 64;

std::string ErrorText(const std::string& what, int error) {
  return what + ": " + std::error_code(error, std::generic_category()).message();
}

bool FitsUnixAddress(const std::string& path) { return path.size() < sizeof(sockaddr_un::sun_path); }

sockaddr_un ToUnixAddress(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), std::min(path.size(), sizeof(address.sun_path) - 1));
  return address;
}

// Nobody listens: refused by ICMP or by a socket that nobody has open, or the path is not there.
ReferenceFault FaultOf(int error) {
  const bool is_absent = error == ECONNREFUSED || error == ENOENT || error == ENOTSOCK || error == ECONNRESET;
  return is_absent ? ReferenceFault::kNotRunning : ReferenceFault::kSystem;
}

}  // namespace

Expected<std::unique_ptr<DatagramSocket>, std::string> DatagramSocket::ConnectUdp(const IpEndpoint& peer) {
  const int family = peer.address.is_v4 ? AF_INET : AF_INET6;
  const int descriptor = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (descriptor < 0) return Unexpected(ErrorText("cannot open a UDP socket", errno));
  const SocketAddress address(peer);
  if (connect(descriptor, address.get(), address.size()) != 0) {
    const int error = errno;
    close(descriptor);
    return Unexpected(ErrorText("cannot reach " + peer.ToString(), error));
  }
  return std::unique_ptr<DatagramSocket>(new DatagramSocket(descriptor, {}, {}));
}

Expected<std::unique_ptr<DatagramSocket>, std::string> DatagramSocket::OpenUnix(const std::string& peer_path) {
  const std::string folder = peer_path.substr(0, peer_path.rfind('/') + 1);
  const std::string own_path = folder + "ntsd." + std::to_string(getpid()) + ".sock";
  if (!FitsUnixAddress(peer_path) || !FitsUnixAddress(own_path)) return Unexpected(peer_path + ": too long a path");
  const int descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (descriptor < 0) return Unexpected(ErrorText("cannot open a Unix socket", errno));
  unlink(own_path.c_str());  // of an earlier process with our id
  const sockaddr_un address = ToUnixAddress(own_path);
  // chronyd runs as a user of its own and has to be able to write to our end.
  if (bind(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
      chmod(own_path.c_str(), 0666) != 0) {
    const int error = errno;
    close(descriptor);
    return Unexpected(ErrorText("cannot bind " + own_path, error));
  }
  return std::unique_ptr<DatagramSocket>(new DatagramSocket(descriptor, peer_path, own_path));
}

DatagramSocket::~DatagramSocket() {
  close(descriptor_);
  if (!own_path_.empty()) unlink(own_path_.c_str());
}

Expected<void, ReferenceFault> DatagramSocket::Send(ByteView request) {
  std::array<std::uint8_t, 1> stale{};
  // Ends with the first error: nothing left, or one that is pending and must not be held against this question.
  for (int i = 0; i < kStaleDatagramsMax && recv(descriptor_, stale.data(), stale.size(), MSG_TRUNC) >= 0; ++i) {
  }
  ssize_t sent = 0;
  if (peer_path_.empty()) {
    sent = send(descriptor_, request.data(), request.size(), 0);
  } else {
    const sockaddr_un peer = ToUnixAddress(peer_path_);
    sent =
        sendto(descriptor_, request.data(), request.size(), 0, reinterpret_cast<const sockaddr*>(&peer), sizeof(peer));
  }
  if (sent < 0) return Unexpected(FaultOf(errno));
  return {};
}

Expected<std::size_t, ReferenceFault> DatagramSocket::Receive(ByteSpan reply, Duration timeout) {
  pollfd waiting{.fd = descriptor_, .events = POLLIN, .revents = 0};
  const auto timeout_ms = std::chrono::ceil<std::chrono::milliseconds>(std::max(timeout, Duration::zero()));
  const int ready = poll(&waiting, 1, static_cast<int>(timeout_ms.count()));
  if (ready == 0 || (ready < 0 && errno == EINTR)) return Unexpected(ReferenceFault::kNoAnswer);
  if (ready < 0) return Unexpected(ReferenceFault::kSystem);
  const ssize_t size = recv(descriptor_, reply.data(), reply.size(), 0);
  if (size < 0) return Unexpected(errno == EAGAIN ? ReferenceFault::kNoAnswer : FaultOf(errno));
  return static_cast<std::size_t>(size);
}

}  // namespace ntsd
