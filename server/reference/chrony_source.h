// Asks chronyd's monitoring port, or its Unix socket, for tracking.
//
// Threads, Memory, Errors: as clock_source.h says.
#pragma once

#include <cstdint>
#include <memory>

#include "server/reference/clock_source.h"
#include "server/reference/datagram_socket.h"

namespace ntsd {

class ChronySource final : public ClockSource {
 public:
  ChronySource(std::unique_ptr<DatagramSocket> socket, const Clock& clock, Random& random);

  Expected<ReferenceSample, ReferenceFault> Poll() override;

 private:
  std::unique_ptr<DatagramSocket> socket_;
  const Clock& clock_;
  Random& random_;
};

}  // namespace ntsd
