// A UDP socket that takes datagrams from anybody, so that an answer from the wrong address is seen.
//
// Threads: an object belongs to one. Errors: Open() says why in words; what cannot be sent is as good as lost.
#pragma once

#include <optional>
#include <string>

#include "core/base/time.h"
#include "core/nts/client.h"
#include "tests/conformance/probe/socket.h"

namespace ntsd::conformance {

struct ReceivedDatagram {
  Octets octets;
  IpEndpoint from;
  UnixTime received{};  // by the kernel's stamp
};

class UdpSocket {
 public:
  // `source` is our own end: its address may be unspecified, its port 0. hop_limit 0: the system's.
  static Expected<UdpSocket, std::string> Open(const IpEndpoint& source, int hop_limit = 0);

  bool Send(const IpEndpoint& to, ByteView octets);
  std::optional<ReceivedDatagram> Receive(SteadyTime deadline);

 private:
  explicit UdpSocket(Socket socket) : socket_(std::move(socket)) {}
  Socket socket_;
};

UnixTime WallClock();

}  // namespace ntsd::conformance
