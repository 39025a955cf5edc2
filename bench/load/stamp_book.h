// How far a server's timestamps are from what really happened: kernel stamps of sending and receiving on our side,
// which are right within a microsecond when both sides share one clock (loopback, network namespaces).
//
//   T2 − departure of the request: never negative for an honest server, and small
//   arrival of the answer − T3: likewise; negative when the server stamps ahead of time
//   offset: half of their difference, the error that a client's clock would get
//
// Threads: belongs to one thread. Memory: a ring of exchanges, allocated once; see Samples.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "bench/load/histogram.h"
#include "core/base/time.h"

namespace ntsd::load {

struct StampQuality {
  Samples receive_error;   // T2 − real departure of the request
  Samples transmit_error;  // real arrival of the answer − T3
  Samples offset_error;
  std::uint64_t incomplete = 0;  // exchanges without an answer, or without one of our own stamps
  std::uint64_t interleaved = 0;

  void Merge(const StampQuality& other);
};

class StampBook {
 public:
  // Exchanges that may be under way; beyond that the oldest is given up.
  static constexpr std::size_t kExchangesMax = 4096;

  explicit StampBook(std::size_t client_count) : exchanges_(kExchangesMax), clients_(client_count) {}

  // The next request of a socket that takes stamps: the index to find it by. The kernel numbers datagrams likewise.
  std::uint16_t Begin(std::uint32_t client);
  // The last Begin() was in vain: the request was not sent.
  void Withdraw();
  // The kernel tells when it sent the datagram with that number.
  void Sent(std::uint32_t number, UnixTime departure);
  // An answer with these stamps has come. Interleaved: its transmit stamp is of the answer before.
  void Answered(std::uint16_t index, NtpTimestamp receive, NtpTimestamp transmit, UnixTime arrival, bool interleaved);

  // What has been learned; exchanges that are still under way count as incomplete.
  StampQuality Finish();

 private:
  struct Exchange {
    bool is_open = false;
    std::uint32_t client = 0;
    std::optional<UnixTime> departure;
    std::optional<UnixTime> arrival;
    NtpTimestamp receive;
    NtpTimestamp transmit;
    bool is_interleaved = false;
  };
  // Of the exchange before, for interleaved answers.
  struct Previous {
    std::optional<Duration> there;  // T2 − departure
    std::optional<UnixTime> arrival;
  };

  void Conclude(Exchange& exchange);

  std::vector<Exchange> exchanges_;
  std::vector<Previous> clients_;
  std::uint32_t next_ = 0;
  StampQuality quality_;
};

}  // namespace ntsd::load
