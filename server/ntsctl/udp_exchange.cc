#include "server/ntsctl/udp_exchange.h"

#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>

#include "core/base/socket_address.h"

namespace ntsd {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::size_t kDatagramSizeMax = 65536;

std::string ErrorText(int error) {
  if (error == ECONNREFUSED) return "nobody listens there (ICMP port unreachable)";
  return std::generic_category().message(error);
}

UnixTime FromTimespec(const timespec& time) {
  return UnixTime(std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec));
}

UnixTime Now() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return FromTimespec(now);
}

// Fills `answer` with one datagram and its stamp. False when there was none after all.
bool Receive(int fd, UdpAnswer& answer) {
  answer.datagram.resize(kDatagramSizeMax);
  alignas(cmsghdr) std::array<char, 256> control;
  iovec vector{answer.datagram.data(), answer.datagram.size()};
  msghdr message{};
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t size = recvmsg(fd, &message, MSG_DONTWAIT);
  answer.received = Now();
  if (size < 0) return false;
  answer.datagram.resize(static_cast<std::size_t>(size));
  for (const cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(&message, const_cast<cmsghdr*>(header))) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_TIMESTAMPNS) continue;
    timespec stamp{};
    std::memcpy(&stamp, CMSG_DATA(header), sizeof(stamp));
    answer.received = FromTimespec(stamp);
  }
  return true;
}

}  // namespace

Expected<std::vector<IpEndpoint>, std::string> ResolveUdp(const std::string& host, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_DGRAM;
  addrinfo* found = nullptr;
  const std::string service = fmt::format("{}", port);
  const int error = getaddrinfo(host.c_str(), service.c_str(), &hints, &found);
  if (error != 0) return Unexpected(fmt::format("cannot find the address of {}: {}", host, gai_strerror(error)));
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, &freeaddrinfo);
  std::vector<IpEndpoint> endpoints;
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    const std::optional<IpEndpoint> endpoint = ReadSocketAddress(one->ai_addr, one->ai_addrlen);
    if (endpoint) endpoints.push_back(*endpoint);
  }
  if (endpoints.empty()) return Unexpected(fmt::format("{} has no IPv4 or IPv6 address", host));
  return endpoints;
}

Expected<UdpExchange, std::string> UdpExchange::Open(const IpEndpoint& server) {
  const SocketAddress address(server);
  UdpExchange exchange(socket(address.family(), SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const int yes = 1;
  if (exchange.fd_ < 0 || setsockopt(exchange.fd_, SOL_SOCKET, SO_TIMESTAMPNS, &yes, sizeof(yes)) != 0 ||
      connect(exchange.fd_, address.get(), address.size()) != 0) {
    return Unexpected(fmt::format("cannot reach {}: {}", server.ToString(), ErrorText(errno)));
  }
  return exchange;
}

UdpExchange::UdpExchange(UdpExchange&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

UdpExchange::~UdpExchange() {
  if (fd_ >= 0) close(fd_);
}

Expected<UdpAnswer, std::string> UdpExchange::Ask(ByteView request, std::chrono::milliseconds timeout,
                                                  const std::function<bool(const UdpAnswer&)>& accept) {
  UdpAnswer answer;
  SteadyClock::time_point deadline = SteadyClock::now() + timeout;
  answer.sent = Now();
  if (send(fd_, request.data(), request.size(), MSG_NOSIGNAL) < 0)
    return Unexpected("cannot send: " + ErrorText(errno));
  // Ends: at the deadline, which only comes nearer.
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - SteadyClock::now());
    pollfd polled{fd_, POLLIN, 0};
    const int ready = poll(&polled, 1, static_cast<int>(std::max<std::int64_t>(0, left.count())));
    if (ready < 0 && errno != EINTR) return Unexpected("cannot wait: " + ErrorText(errno));
    if (ready == 0) return Unexpected(std::string("no answer"));
    if (ready < 0) continue;
    if (!Receive(fd_, answer)) {
      if (errno == EAGAIN || errno == EINTR) continue;
      return Unexpected(ErrorText(errno));
    }
    if (accept(answer)) return answer;
    deadline = std::min(deadline, SteadyClock::now() + kPatience);
  }
}

}  // namespace ntsd
