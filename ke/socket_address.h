// Addresses of the socket API in our own words.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <optional>

#include "core/base/ip_address.h"

namespace ntsd::ke {

inline IpEndpoint EndpointOf(const sockaddr* address) {
  if (address->sa_family == AF_INET) {
    const auto* const v4 = reinterpret_cast<const sockaddr_in*>(address);
    return {IpAddress::V4(ntohl(v4->sin_addr.s_addr)), ntohs(v4->sin_port)};
  }
  const auto* const v6 = reinterpret_cast<const sockaddr_in6*>(address);
  return {IpAddress::FromOctets(ByteView(v6->sin6_addr.s6_addr, 16)), ntohs(v6->sin6_port)};
}

// The end of a connection that is ours.
inline std::optional<IpEndpoint> LocalEndpoint(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  auto* const plain = reinterpret_cast<sockaddr*>(&address);
  if (getsockname(fd, plain, &size) != 0) return std::nullopt;
  return EndpointOf(plain);
}

}  // namespace ntsd::ke
