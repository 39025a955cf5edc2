// Endpoints in the form of the socket API, and back: bytes only, no socket and no system call.
//
// Threads: functions of their arguments, and a value. Errors: what is no whole IPv4 or IPv6 address gives nothing.
#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <optional>

#include "core/base/ip_address.h"

namespace ntsd {

// fe80::/10: means something only together with an interface.
bool IsLinkLocal(const IpAddress& address);

// The `size` octets at `address`, as the kernel or getaddrinfo() gave them; nothing when they are neither IPv4 nor
// IPv6, or fewer than their family wants.
std::optional<IpEndpoint> ReadSocketAddress(const void* address, std::size_t size);

// Writes `endpoint` over the begin of `storage`; returns its size. `interface` becomes the scope of a link-local
// address.
socklen_t WriteSocketAddress(const IpEndpoint& endpoint, unsigned interface, sockaddr_storage& storage);

// An endpoint as bind(), connect() and sendto() want it.
class SocketAddress {
 public:
  explicit SocketAddress(const IpEndpoint& endpoint) : size_(WriteSocketAddress(endpoint, 0, storage_)) {}

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage_); }
  socklen_t size() const { return size_; }
  int family() const { return storage_.ss_family; }

 private:
  sockaddr_storage storage_{};
  socklen_t size_;
};

}  // namespace ntsd
