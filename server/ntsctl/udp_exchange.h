// One request and the answer to it over UDP, with the kernel's stamp of the answer's arrival.
//
// Threads: an object belongs to one. Errors: one line.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/expected.h"
#include "core/base/ip_address.h"
#include "core/base/time.h"

namespace ntsd {

// The addresses of a name or address, in the order in which the system wants them tried.
Expected<std::vector<IpEndpoint>, std::string> ResolveUdp(const std::string& host, std::uint16_t port);

struct UdpAnswer {
  std::vector<std::uint8_t> datagram;
  UnixTime sent{};
  UnixTime received{};
};

class UdpExchange {
 public:
  // A socket that receives from `server` alone.
  static Expected<UdpExchange, std::string> Open(const IpEndpoint& server);
  UdpExchange(UdpExchange&& other) noexcept;
  UdpExchange& operator=(UdpExchange&&) = delete;
  ~UdpExchange();

  // Sends `request`, then waits for datagrams until `accept` takes one. A datagram that it does not take may be forged:
  // the true answer is waited for, but then only kPatience more.
  static constexpr std::chrono::milliseconds kPatience{500};
  Expected<UdpAnswer, std::string> Ask(ByteView request, std::chrono::milliseconds timeout,
                                       const std::function<bool(const UdpAnswer&)>& accept);

 private:
  explicit UdpExchange(int fd) : fd_(fd) {}

  int fd_;
};

}  // namespace ntsd
