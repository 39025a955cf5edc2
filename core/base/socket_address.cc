#include "core/base/socket_address.h"

#include <netinet/in.h>

#include <cstring>

namespace ntsd {

bool IsLinkLocal(const IpAddress& address) {
  return !address.is_v4 && address.octets[0] == 0xFE && (address.octets[1] & 0xC0) == 0x80;
}

std::optional<IpEndpoint> ReadSocketAddress(const void* address, std::size_t size) {
  sa_family_t family;
  if (size < sizeof(family)) return std::nullopt;
  std::memcpy(&family, address, sizeof(family));
  if (family == AF_INET && size >= sizeof(sockaddr_in)) {
    sockaddr_in v4;
    std::memcpy(&v4, address, sizeof(v4));
    return IpEndpoint{IpAddress::V4(ntohl(v4.sin_addr.s_addr)), ntohs(v4.sin_port)};
  }
  if (family == AF_INET6 && size >= sizeof(sockaddr_in6)) {
    sockaddr_in6 v6;
    std::memcpy(&v6, address, sizeof(v6));
    return IpEndpoint{IpAddress::FromOctets(ByteView(v6.sin6_addr.s6_addr, 16)), ntohs(v6.sin6_port)};
  }
  return std::nullopt;
}

socklen_t WriteSocketAddress(const IpEndpoint& endpoint, unsigned interface, sockaddr_storage& storage) {
  if (endpoint.address.is_v4) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(endpoint.port);
    std::memcpy(&v4.sin_addr, endpoint.address.octets.data(), sizeof(v4.sin_addr));
    std::memcpy(&storage, &v4, sizeof(v4));
    return sizeof(v4);
  }
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(endpoint.port);
  std::memcpy(&v6.sin6_addr, endpoint.address.octets.data(), sizeof(v6.sin6_addr));
  if (IsLinkLocal(endpoint.address)) v6.sin6_scope_id = interface;
  std::memcpy(&storage, &v6, sizeof(v6));
  return sizeof(v6);
}

}  // namespace ntsd
