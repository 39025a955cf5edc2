// Requests on their way, and which of them an answer belongs to.
//
// A request's transmit timestamp is its number, encrypted: unpredictable to others, and decoded to the request's place
// when an answer brings it back as origin. In interleaved mode (RFC 9769) the origin is the request's receive
// timestamp, which carries the same number and one bit more.
//
// Threads: belongs to one thread. Memory: allocated once; a place is used again after `capacity` requests.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "bench/load/outcome.h"
#include "core/base/time.h"

namespace ntsd::load {

enum class FlightState : std::uint8_t {
  kFree,
  kOpen,     // waits for its answer
  kGivenUp,  // has waited too long; a late answer may still come
  kAnswered,
};

// One request; one cache line.
struct Flight {
  static constexpr std::uint16_t kNoStamp = 0xFFFF;

  std::int64_t intended_ns = 0;  // since the start of the run
  std::uint64_t number = 0;
  std::uint32_t lag_ns = 0;  // from then until it was handed to the kernel
  std::uint32_t client = 0;
  std::uint16_t size = 0;          // octets; an answer may not have more
  std::uint16_t stamp = kNoStamp;  // index of its kernel stamps, when they are taken
  RequestKind kind = RequestKind::kGood;
  FlightState state = FlightState::kFree;
  bool from_answer = false;  // its cookie came with an answer, not from NTS-KE
  std::array<std::uint8_t, 32> unique_id{};
};
static_assert(sizeof(Flight) == 64);

class FlightTable {
 public:
  // `capacity` is a power of two. `secret` makes the stamps of different tables differ.
  FlightTable(std::size_t capacity, std::uint64_t secret);

  // The place of the next request, cleared but for its number, and open. A request that is still open there is given
  // up.
  Flight& Begin();

  // What the number becomes on the wire: never zero ("unknown").
  NtpTimestamp TransmitOf(const Flight& flight) const { return Encode(flight.number << 1); }
  NtpTimestamp ReceiveOf(const Flight& flight) const { return Encode(flight.number << 1 | 1); }

  enum class Found : std::uint8_t { kFlight, kTooOld, kNothing };
  struct Match {
    Found found = Found::kNothing;
    Flight* flight = nullptr;     // of kFlight: in any state
    bool is_interleaved = false;  // the origin was our receive timestamp
  };
  Match Find(NtpTimestamp origin);

  // An answer to it has come.
  void Answer(Flight& flight) { Close(flight, FlightState::kAnswered); }
  // It was not sent after all.
  void Withdraw(Flight& flight) { Close(flight, FlightState::kFree); }
  // Gives up the requests that were meant to be sent before `time` and are still open.
  void GiveUp(std::int64_t before_ns);
  // How many wait for an answer.
  std::size_t open_count() const { return open_count_; }
  std::size_t capacity() const { return flights_.size(); }

 private:
  NtpTimestamp Encode(std::uint64_t value) const;
  std::uint64_t Decode(NtpTimestamp stamp) const;
  Flight& At(std::uint64_t number) { return flights_[number & (flights_.size() - 1)]; }

  void Close(Flight& flight, FlightState state);

  std::vector<Flight> flights_;
  std::uint64_t secret_;
  std::uint64_t next_ = 1;    // number of the next request
  std::uint64_t oldest_ = 1;  // no request before this one is open
  std::size_t open_count_ = 0;
};

}  // namespace ntsd::load
