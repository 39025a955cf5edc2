#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>

#include "bench/echo/echo.h"
#include "core/base/socket_address.h"

namespace ntsd::echo {
namespace {

constexpr int kReceiveBufferSize = 8 << 20;

bool SetOption(int fd, int level, int name, int value) {
  return setsockopt(fd, level, name, &value, sizeof(value)) == 0;
}

bool SetOptions(int fd, const Options& options) {
  if (!SetOption(fd, SOL_SOCKET, SO_RCVBUFFORCE, kReceiveBufferSize)) {
    SetOption(fd, SOL_SOCKET, SO_RCVBUF, kReceiveBufferSize);
  }
  if (options.receive_stamps && !SetOption(fd, SOL_SOCKET, SO_TIMESTAMPNS, 1)) return false;
  if (!options.packet_info) return true;
  return options.listen.address.is_v4 ? SetOption(fd, IPPROTO_IP, IP_PKTINFO, 1)
                                      : SetOption(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
}

bool Bind(int fd, const IpEndpoint& endpoint) {
  const SocketAddress name(endpoint);
  return bind(fd, name.get(), name.size()) == 0;
}

}  // namespace

Expected<int, std::string> OpenSocket(const Options& options) {
  const int fd = socket(options.listen.address.is_v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd >= 0 && SetOptions(fd, options) && Bind(fd, options.listen)) return fd;
  const int error = errno;
  if (fd >= 0) close(fd);
  return Unexpected("cannot listen on " + options.listen.ToString() + ": " + std::strerror(error));
}

void TurnAround(msghdr& message, const Options& options) {
  timespec stamp{};
  cmsghdr* info = nullptr;
  for (cmsghdr* control = CMSG_FIRSTHDR(&message); control != nullptr; control = CMSG_NXTHDR(&message, control)) {
    if (control->cmsg_level == SOL_SOCKET && control->cmsg_type == SO_TIMESTAMPNS) {
      std::memcpy(&stamp, CMSG_DATA(control), sizeof(stamp));
    } else if (control->cmsg_type == IP_PKTINFO || control->cmsg_type == IPV6_PKTINFO) {
      info = control;
    }
  }
  // The stamp has been read, as a time server must; an empty statement with an input keeps the compiler from leaving
  // it.
  asm volatile("" : : "r"(stamp.tv_nsec));
  if (info == nullptr || !options.packet_info) {
    message.msg_control = nullptr;
    message.msg_controllen = 0;
    return;
  }
  if (info->cmsg_level == IPPROTO_IP) {
    // The kernel tells the address that was asked in ipi_addr and takes the one to answer from in ipi_spec_dst.
    in_pktinfo packet;
    std::memcpy(&packet, CMSG_DATA(info), sizeof(packet));
    packet.ipi_spec_dst = packet.ipi_addr;
    packet.ipi_ifindex = 0;
    std::memcpy(CMSG_DATA(info), &packet, sizeof(packet));
  }
  message.msg_control = info;
  message.msg_controllen = info->cmsg_len;
}

}  // namespace ntsd::echo
