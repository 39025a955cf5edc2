// Reads from the sockets' error queues when answers left that had asked for it.
//
// The kernel numbers the requests of each socket; this counts along, so that each number finds the answer it belongs
// to. A send that failed may have taken a number or not: when a number comes that nobody waits for, the count goes on
// from there, and those who wait on that socket wait in vain.
//
// Threads: belongs to its port's thread. Memory: inside, taken at construction.
// Errors: none; what was waited for in vain is returned as a number.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "core/limits.h"
#include "core/nts/responder.h"
#include "server/udp/datagram.h"
#include "server/udp/udp_port.h"

namespace ntsd {

class DepartureReader {
 public:
  explicit DepartureReader(std::span<const UdpSocket> sockets);

  // An answer went to that socket with a request for its departure, known to the responder as `sample`.
  void Expect(std::size_t socket, std::uint32_t sample);
  bool IsWaiting() const { return waiting_count_ > 0; }

  // Takes what there is; does not wait.
  void Collect();
  // Empties the error queue of one socket, also when nobody waits for anything.
  void CollectFrom(std::size_t socket);

  // What was collected since the last call; valid until the next Collect().
  std::span<const Departure> Take();
  // How many were given up since the last call.
  std::size_t TakeMissing() { return std::exchange(missing_, 0); }

 private:
  struct Waiting {
    std::size_t socket = 0;
    std::uint32_t number = 0;
    std::uint32_t sample = 0;
    unsigned tries = 0;
  };

  bool ReadOne(std::size_t socket);
  void Settle(std::size_t socket, const KernelDeparture& departure);
  void GiveUp(std::size_t index);

  std::vector<int> files_;
  std::vector<std::uint32_t> next_numbers_;  // by socket
  std::array<Waiting, kDepartureSamplesPending> waiting_{};
  std::size_t waiting_count_ = 0;
  std::size_t missing_ = 0;
  std::array<Departure, kDepartureSamplesPending> collected_{};
  std::size_t collected_count_ = 0;
  bool is_taken_ = false;  // the collected ones may go
};

}  // namespace ntsd
