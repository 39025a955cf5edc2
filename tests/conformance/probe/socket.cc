#include "tests/conformance/probe/socket.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <system_error>

#include "core/base/socket_address.h"

namespace ntsd::conformance {

Socket::~Socket() {
  if (fd_ >= 0) close(fd_);
}

bool WaitFor(int fd, short events, SteadyTime deadline) {
  pollfd waiting{fd, events, 0};
  // Ends: at the deadline, which only comes nearer.
  while (true) {
    const auto left = std::chrono::ceil<Milliseconds>(deadline - std::chrono::steady_clock::now());
    const int count = poll(&waiting, 1, static_cast<int>(std::max<std::int64_t>(0, left.count())));
    if (count > 0) return true;
    if (count == 0 || errno != EINTR) return false;
  }
}

Expected<std::vector<IpAddress>, std::string> Resolve(const std::string& host) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(host.c_str(), nullptr, &hints, &found);
  if (error != 0) return Unexpected("cannot find the address of " + host + ": " + gai_strerror(error));
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, &freeaddrinfo);
  std::vector<IpAddress> addresses;
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    const std::optional<IpEndpoint> found_one = ReadSocketAddress(one->ai_addr, one->ai_addrlen);
    if (!found_one) continue;
    const IpAddress& address = found_one->address;
    if (std::find(addresses.begin(), addresses.end(), address) == addresses.end()) addresses.push_back(address);
  }
  if (addresses.empty()) return Unexpected(host + " has no IPv4 or IPv6 address");
  return addresses;
}

Expected<Socket, std::string> ConnectTcp(const IpEndpoint& peer, Milliseconds timeout) {
  const SocketAddress address(peer);
  Socket socket(::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  if (!socket.is_open()) return Unexpected(SystemError(errno));
  const int yes = 1;
  setsockopt(socket.fd(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
  if (connect(socket.fd(), address.get(), address.size()) == 0) return socket;
  if (errno != EINPROGRESS) return Unexpected(SystemError(errno));
  if (!WaitFor(socket.fd(), POLLOUT, DeadlineIn(timeout))) return Unexpected(std::string("no answer to TCP's SYN"));
  int error = 0;
  socklen_t error_size = sizeof(error);
  getsockopt(socket.fd(), SOL_SOCKET, SO_ERROR, &error, &error_size);
  if (error != 0) return Unexpected(SystemError(error));
  return socket;
}

std::string SystemError(int error) { return std::generic_category().message(error); }

}  // namespace ntsd::conformance
