// A peer on loopback that answers each datagram with what a function makes of it.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstring>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/check.h"

namespace ntsd::testing {

class Peer {
 public:
  // Any number of answers, in this order.
  using Answer = std::function<std::vector<std::vector<std::uint8_t>>(ByteView request)>;

  explicit Peer(Answer answer) : answer_(std::move(answer)) {
    descriptor_ = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_in own{};
    own.sin_family = AF_INET;
    own.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(bind(descriptor_, reinterpret_cast<sockaddr*>(&own), sizeof(own)) == 0);
    socklen_t size = sizeof(own);
    CHECK(getsockname(descriptor_, reinterpret_cast<sockaddr*>(&own), &size) == 0);
    address_ = "127.0.0.1:" + std::to_string(ntohs(own.sin_port));
    Serve();
  }
  Peer(const std::string& path, Answer answer) : answer_(std::move(answer)), address_(path) {
    descriptor_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_un own{};
    own.sun_family = AF_UNIX;
    std::memcpy(own.sun_path, path.data(), path.size());
    CHECK(bind(descriptor_, reinterpret_cast<sockaddr*>(&own), sizeof(own)) == 0);
    Serve();
  }
  ~Peer() {
    stop_ = true;
    thread_.join();
    close(descriptor_);
    if (address_[0] == '/') unlink(address_.c_str());
  }
  const std::string& address() const { return address_; }

 private:
  void Serve() {
    thread_ = std::thread([this] {
      while (!stop_) {
        pollfd waiting{.fd = descriptor_, .events = POLLIN, .revents = 0};
        if (poll(&waiting, 1, 20) <= 0) continue;
        std::array<std::uint8_t, 512> request;
        sockaddr_storage from{};
        socklen_t from_size = sizeof(from);
        const ssize_t size =
            recvfrom(descriptor_, request.data(), request.size(), 0, reinterpret_cast<sockaddr*>(&from), &from_size);
        if (size < 0) continue;
        for (const auto& reply : answer_(ByteView(request).first(static_cast<std::size_t>(size)))) {
          sendto(descriptor_, reply.data(), reply.size(), 0, reinterpret_cast<sockaddr*>(&from), from_size);
        }
      }
    });
  }

  Answer answer_;
  std::string address_;
  int descriptor_ = -1;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

}  // namespace ntsd::testing
