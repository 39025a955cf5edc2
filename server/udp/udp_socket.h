// Opens the sockets of a listener, before privileges are dropped.
//
// Threads: main's. Errors: one line for the operator, with the address and what to do.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "core/base/expected.h"
#include "core/base/ip_address.h"

namespace ntsd {

// Owns a file descriptor.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(other.Release()) {}
  Descriptor& operator=(Descriptor&& other) noexcept;
  ~Descriptor();

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  // Gives it away.
  int Release();

 private:
  int fd_ = -1;
};

// Refuses an address that another process (or another ntsd) serves already: several sockets with SO_REUSEPORT would
// share its traffic without a word. Ask for every address before opening any. Waits two seconds for a server that is
// just ending.
Expected<void, std::string> CheckUdpAddressFree(const IpEndpoint& address);
Expected<void, std::string> CheckTcpAddressFree(const IpEndpoint& address);

// One of a group of sockets for NTP on the same address, between which the kernel spreads the clients. It has a large
// receive buffer, kernel receive timestamps, and packet info when bound to a wildcard; answers are never fragmented by
// us and leave with `dscp`.
Expected<Descriptor, std::string> OpenUdpSocket(const IpEndpoint& address, std::uint8_t dscp);

// Gives the same options to a bound socket that somebody else opened.
Expected<void, std::string> PrepareUdpSocket(int fd, const IpEndpoint& address, std::uint8_t dscp);

// Beside its own stamps, the kernel shall give those of the network cards, and say which card each is of. False: it
// refuses, and everything is as before.
bool AskForCardStamps(int fd);

// No stamps at all, not even the kernel's. For benchmarks of what they cost.
bool ForgoStamps(int fd);

// Has the kernel give each datagram to the socket whose worker has the CPU that received it: the n-th socket of the
// group of `fd` (in the order of binding) is that of cpus[n]. What comes in on any other CPU is spread by the hash.
Expected<void, std::string> SpreadByCpu(int fd, const IpEndpoint& address, std::span<const unsigned> cpus);

// A listening socket for NTS-KE.
Expected<Descriptor, std::string> OpenTcpListener(const IpEndpoint& address);

// Datagrams that the kernel has dropped because the socket's buffer was full.
std::uint64_t ReadSocketDrops(int fd);

}  // namespace ntsd
