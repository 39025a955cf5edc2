// An endpoint as the socket API wants it.
//
// Threads: a value.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstring>

#include "core/base/ip_address.h"

namespace ntsd::load {

class SocketName {
 public:
  explicit SocketName(const IpEndpoint& endpoint) {
    if (endpoint.address.is_v4) {
      auto* const name = reinterpret_cast<sockaddr_in*>(&storage_);
      name->sin_family = AF_INET;
      name->sin_port = htons(endpoint.port);
      std::memcpy(&name->sin_addr, endpoint.address.octets.data(), 4);
      size_ = sizeof(sockaddr_in);
    } else {
      auto* const name = reinterpret_cast<sockaddr_in6*>(&storage_);
      name->sin6_family = AF_INET6;
      name->sin6_port = htons(endpoint.port);
      std::memcpy(&name->sin6_addr, endpoint.address.octets.data(), 16);
      size_ = sizeof(sockaddr_in6);
    }
  }

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage_); }
  socklen_t size() const { return size_; }

 private:
  sockaddr_storage storage_{};
  socklen_t size_ = 0;
};

}  // namespace ntsd::load
