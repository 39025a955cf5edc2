#include "server/main/inherited_sockets.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "server/udp/datagram.h"

namespace ntsd {
namespace {

std::optional<int> Option(int fd, int level, int name) {
  int value = 0;
  socklen_t size = sizeof(value);
  if (getsockopt(fd, level, name, &value, &size) != 0) return std::nullopt;
  return value;
}

std::optional<IpEndpoint> BoundTo(int fd) {
  sockaddr_storage name{};
  socklen_t size = sizeof(name);
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&name), &size) != 0) return std::nullopt;
  return ReadSocketAddress(&name, size);
}

// What is wrong with a socket; an empty text: nothing.
std::string Fault(int fd, const std::optional<IpEndpoint>& address) {
  const std::optional<int> type = Option(fd, SOL_SOCKET, SO_TYPE);
  if (!address || (type != SOCK_DGRAM && type != SOCK_STREAM)) return "is no socket of UDP or TCP";
  if (type == SOCK_STREAM && Option(fd, SOL_SOCKET, SO_ACCEPTCONN) != 1) return "does not listen";
  if (!address->address.is_v4 && address->address.IsUnspecified() && Option(fd, IPPROTO_IPV6, IPV6_V6ONLY) != 1) {
    return "takes IPv4 as well, which has a listener of its own here (BindIPv6Only=ipv6-only)";
  }
  if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) != 0) return "cannot be made non-blocking";
  return {};
}

}  // namespace

Expected<InheritedSockets, std::string> InheritedSockets::Take() {
  InheritedSockets taken;
  const int count = sd_listen_fds(/*unset_environment=*/1);
  for (int fd = SD_LISTEN_FDS_START; fd < SD_LISTEN_FDS_START + count; ++fd) {
    const std::optional<IpEndpoint> address = BoundTo(fd);
    if (const std::string fault = Fault(fd, address); !fault.empty()) {
      return Unexpected(fmt::format("descriptor {} from the service manager{} {}", fd,
                                    address ? " (" + address->ToString() + ")" : "", fault));
    }
    const bool is_udp = Option(fd, SOL_SOCKET, SO_TYPE) == SOCK_DGRAM;
    taken.sockets_.push_back({.address = *address, .is_udp = is_udp, .descriptor = Descriptor(fd)});
  }
  return taken;
}

bool InheritedSockets::Has(const IpEndpoint& address, bool is_udp) const {
  return std::any_of(sockets_.begin(), sockets_.end(),
                     [&](const Socket& socket) { return socket.address == address && socket.is_udp == is_udp; });
}

std::vector<Descriptor> InheritedSockets::Release(const IpEndpoint& address, bool is_udp) {
  std::vector<Descriptor> released;
  std::vector<Socket> kept;
  for (Socket& socket : sockets_) {
    if (socket.address == address && socket.is_udp == is_udp) {
      released.push_back(std::move(socket.descriptor));
    } else {
      kept.push_back(std::move(socket));
    }
  }
  sockets_ = std::move(kept);
  return released;
}

std::string InheritedSockets::Leftover() const {
  if (sockets_.empty()) return {};
  const Socket& socket = sockets_.front();
  return fmt::format("the service manager passed a {} socket for {}, which is no address of {}",
                     socket.is_udp ? "UDP" : "TCP", socket.address.ToString(), socket.is_udp ? "[[ntp]]" : "[[ke]]");
}

}  // namespace ntsd
