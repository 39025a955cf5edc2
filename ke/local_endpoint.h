// Which address of ours a connection came to.
#pragma once

#include <sys/socket.h>

#include <optional>

#include "core/base/socket_address.h"

namespace ntsd::ke {

inline std::optional<IpEndpoint> LocalEndpoint(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return std::nullopt;
  return ReadSocketAddress(&address, size);
}

}  // namespace ntsd::ke
