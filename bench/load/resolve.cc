#include "bench/load/resolve.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <memory>

namespace ntsd::load {

Expected<IpEndpoint, std::string> Resolve(const std::string& host, std::uint16_t port, Family family) {
  addrinfo hints{};
  hints.ai_family = family == Family::kAny ? AF_UNSPEC : family == Family::kV4 ? AF_INET : AF_INET6;
  hints.ai_socktype = SOCK_DGRAM;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(host.c_str(), nullptr, &hints, &found);
  if (error != 0) return Unexpected(host + ": " + gai_strerror(error));
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, &freeaddrinfo);
  if (found->ai_family == AF_INET) {
    const auto* const name = reinterpret_cast<const sockaddr_in*>(found->ai_addr);
    return IpEndpoint{IpAddress::V4(ntohl(name->sin_addr.s_addr)), port};
  }
  const auto* const name = reinterpret_cast<const sockaddr_in6*>(found->ai_addr);
  return IpEndpoint{IpAddress::FromOctets(ByteView(name->sin6_addr.s6_addr, 16)), port};
}

}  // namespace ntsd::load
