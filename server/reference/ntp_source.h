// Asks the NTP port of a daemon on this host, as a client would, and mirrors what it answers.
//
// Threads, Memory, Errors: as clock_source.h says.
#pragma once

#include <memory>

#include "server/reference/clock_source.h"
#include "server/reference/datagram_socket.h"

namespace ntsd {

class NtpSource final : public ClockSource {
 public:
  NtpSource(std::unique_ptr<DatagramSocket> socket, const Clock& clock, Random& random);

  Expected<ReferenceSample, ReferenceFault> Poll() override;

 private:
  std::unique_ptr<DatagramSocket> socket_;
  const Clock& clock_;
  Random& random_;
};

}  // namespace ntsd
