#include "tests/conformance/probe/udp.h"

#include <netinet/in.h>
#include <poll.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "core/base/socket_address.h"

namespace ntsd::conformance {
namespace {

constexpr std::size_t kDatagramSizeMax = 65536;

UnixTime FromTimespec(const timespec& time) {
  return UnixTime(std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec));
}

std::optional<UnixTime> StampOf(const msghdr& message) {
  for (const cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(const_cast<msghdr*>(&message), const_cast<cmsghdr*>(header))) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_TIMESTAMPNS) continue;
    timespec stamp{};
    std::memcpy(&stamp, CMSG_DATA(header), sizeof(stamp));
    return FromTimespec(stamp);
  }
  return std::nullopt;
}

}  // namespace

UnixTime WallClock() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return FromTimespec(now);
}

Expected<UdpSocket, std::string> UdpSocket::Open(const IpEndpoint& source, int hop_limit) {
  const SocketAddress address(source);
  Socket socket(::socket(address.family(), SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const int yes = 1;
  const int buffer_size = 4 << 20;
  if (!socket.is_open()) return Unexpected(SystemError(errno));
  setsockopt(socket.fd(), SOL_SOCKET, SO_TIMESTAMPNS, &yes, sizeof(yes));
  setsockopt(socket.fd(), SOL_SOCKET, SO_RCVBUF, &buffer_size, sizeof(buffer_size));
  if (source.port != 0) setsockopt(socket.fd(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
  if (hop_limit != 0) {
    const bool is_v4 = source.address.is_v4;
    setsockopt(socket.fd(), is_v4 ? IPPROTO_IP : IPPROTO_IPV6, is_v4 ? IP_TTL : IPV6_UNICAST_HOPS, &hop_limit,
               sizeof(hop_limit));
  }
  if (bind(socket.fd(), address.get(), address.size()) != 0) {
    return Unexpected(SystemError(errno));
  }
  return UdpSocket(std::move(socket));
}

bool UdpSocket::Send(const IpEndpoint& to, ByteView octets) {
  const SocketAddress address(to);
  return sendto(socket_.fd(), octets.data(), octets.size(), MSG_NOSIGNAL, address.get(), address.size()) ==
         static_cast<ssize_t>(octets.size());
}

std::optional<ReceivedDatagram> UdpSocket::Receive(SteadyTime deadline) {
  if (!WaitFor(socket_.fd(), POLLIN, deadline)) return std::nullopt;
  ReceivedDatagram datagram;
  datagram.octets.resize(kDatagramSizeMax);
  sockaddr_storage from{};
  alignas(cmsghdr) std::array<char, 256> control;
  iovec vector{datagram.octets.data(), datagram.octets.size()};
  msghdr message{};
  message.msg_name = &from;
  message.msg_namelen = sizeof(from);
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t size = recvmsg(socket_.fd(), &message, MSG_DONTWAIT);
  if (size < 0) return std::nullopt;
  datagram.received = StampOf(message).value_or(WallClock());
  datagram.octets.resize(static_cast<std::size_t>(size));
  datagram.from = ReadSocketAddress(&from, message.msg_namelen).value_or(IpEndpoint{});
  return datagram;
}

}  // namespace ntsd::conformance
