#include "bench/load/resolve.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <memory>

#include "core/base/socket_address.h"

namespace ntsd::load {

Expected<IpEndpoint, std::string> Resolve(const std::string& host, std::uint16_t port, Family family) {
  addrinfo hints{};
  hints.ai_family = family == Family::kAny ? AF_UNSPEC : family == Family::kV4 ? AF_INET : AF_INET6;
  hints.ai_socktype = SOCK_DGRAM;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(host.c_str(), nullptr, &hints, &found);
  if (error != 0) return Unexpected(host + ": " + gai_strerror(error));
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, &freeaddrinfo);
  const std::optional<IpEndpoint> endpoint = ReadSocketAddress(found->ai_addr, found->ai_addrlen);
  if (!endpoint) return Unexpected(host + " has no IPv4 or IPv6 address");
  return IpEndpoint{endpoint->address, port};
}

}  // namespace ntsd::load
