// Sockets that close themselves, deadlines, and addresses: the little of the socket API that ntsconform needs.
//
// Threads: values. Errors: a text, empty when all is well.
#pragma once

#include <sys/socket.h>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "core/base/expected.h"
#include "core/base/ip_address.h"

namespace ntsd::conformance {

using SteadyTime = std::chrono::steady_clock::time_point;
using Milliseconds = std::chrono::milliseconds;

class Socket {
 public:
  Socket() = default;
  explicit Socket(int fd) : fd_(fd) {}
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Socket& operator=(Socket&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Socket();

  int fd() const { return fd_; }
  bool is_open() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

inline SteadyTime DeadlineIn(Milliseconds time) { return std::chrono::steady_clock::now() + time; }
// True: one of `events` of poll(2) came before the deadline.
bool WaitFor(int fd, short events, SteadyTime deadline);

// The addresses of a name or address, in the order in which the system wants them tried; an error in words.
Expected<std::vector<IpAddress>, std::string> Resolve(const std::string& host);

// A TCP connection that sends what it is given at once.
Expected<Socket, std::string> ConnectTcp(const IpEndpoint& peer, Milliseconds timeout);

// "connection refused" and the like.
std::string SystemError(int error);

}  // namespace ntsd::conformance
