// What a worker asks of an engine that moves datagrams: receive a batch, send answers, give the batch back.
//
// Threads: made by main, then used by one worker thread; Wake() and counters() by anyone.
// Memory: all buffers belong to the port and are allocated when it is made.
// Errors: nothing that happens to a datagram ends the service; it is a PortEvent, counted.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "core/base/clock.h"
#include "core/base/counters.h"
#include "core/base/time.h"
#include "core/nts/responder.h"
#include "server/udp/card_clocks.h"
#include "server/udp/datagram.h"

namespace ntsd {

enum class PortEvent : std::uint8_t {
  kReceived,          // datagrams taken from the kernel
  kSent,              // answers handed to the kernel
  kSendFailed,        // answers that it refused: buffers full, no route, forbidden by a filter
  kStampMissing,      // datagrams without a kernel receive timestamp: stamped when we saw them
  kDepartureMissing,  // answers whose departure the kernel was asked for, and did not tell in time
  kSenderUnknown,     // datagrams whose sender's address made no sense
  kBuffersExhausted,  // times when the kernel found no buffer of ours; the datagrams waited in the socket
  kRearmed,           // times when a receive had to be started again
  kReceiveFailed,     // errors of a receive other than the above
  // Where stamps of network cards are in use, each datagram counts once more:
  kCardStamped,    // stamped by its card
  kCardSilent,     // by the kernel only
  kCardUnmapped,   // by both, and as CardRefusal says: the card's clock is not known; from here on in its order
  kCardStale,      // its stamp is too far from the last look at its clock
  kCardDisagrees,  // with the kernel's stamp
  kCount,
};
inline constexpr std::size_t kPortEventCount = static_cast<std::size_t>(PortEvent::kCount);
// "received", "send_failed" …: for metrics and `ntsctl stats`.
std::string_view PortEventName(PortEvent event);

// One socket of a worker.
struct UdpSocket {
  int fd = -1;                   // non-blocking; stays the owner's
  std::size_t listener = 0;      // index of its policy
  bool has_packet_info = false;  // bound to a wildcard: answers need their source address set
};

class UdpPort {
 public:
  // `cards`: whose stamps are used where they can be; nullptr: the kernel's alone.
  explicit UdpPort(const Clock& clock, const CardClocks* cards = nullptr) : clock_(clock), cards_(cards) {}
  virtual ~UdpPort() = default;

  // Called by the worker's thread before anything else. An empty text: done; otherwise why not.
  virtual std::string Begin() = 0;
  // Waits for datagrams when `may_wait`, and gives up to kBatchSizeMax of them, with room for their answers; nothing
  // after Wake(). Valid until Release().
  virtual std::span<Exchange> Receive(bool may_wait) = 0;
  // Sends the answers of a part of the batch, those with a reply_size. Returns when the kernel has them.
  virtual void Send(std::span<Exchange> group) = 0;
  // Gives the batch's buffers back.
  virtual void Release() = 0;
  // What the kernel has told since the last call of answers that had a sample; does not wait. Between batches.
  virtual std::span<const Departure> Departures() = 0;

  // Ends the waiting of Receive(), now or the next time. Any thread; async-signal-safe.
  virtual void Wake() = 0;

  const Counters<kPortEventCount>& counters() const { return counters_; }

 protected:
  void Count(PortEvent event, std::uint64_t amount = 1) { counters_.Add(static_cast<std::size_t>(event), amount); }
  // When a datagram came: by its card where that is known and agrees with the kernel, else by the kernel, else by a
  // look at the clock.
  UnixTime StampOf(const Arrival& arrival) {
    if (arrival.received && cards_ == nullptr) return *arrival.received;
    return StampFrom(arrival);
  }

 private:
  UnixTime StampFrom(const Arrival& arrival);

  const Clock& clock_;
  const CardClocks* const cards_;
  Counters<kPortEventCount> counters_;
};

}  // namespace ntsd
