#include "server/udp/udp_port.h"

namespace ntsd {

static_assert(static_cast<std::size_t>(PortEvent::kCardUnmapped) + static_cast<std::size_t>(CardRefusal::kCount) ==
                  kPortEventCount,
              "the refusals of cards are the last events, in their order");

std::string_view PortEventName(PortEvent event) {
  switch (event) {
    case PortEvent::kReceived:
      return "received";
    case PortEvent::kSent:
      return "sent";
    case PortEvent::kSendFailed:
      return "send_failed";
    case PortEvent::kStampMissing:
      return "stamp_missing";
    case PortEvent::kDepartureMissing:
      return "departure_missing";
    case PortEvent::kSenderUnknown:
      return "sender_unknown";
    case PortEvent::kBuffersExhausted:
      return "buffers_exhausted";
    case PortEvent::kRearmed:
      return "rearmed";
    case PortEvent::kReceiveFailed:
      return "receive_failed";
    case PortEvent::kCardStamped:
      return "card_stamped";
    case PortEvent::kCardSilent:
      return "card_silent";
    case PortEvent::kCardUnmapped:
      return "card_unmapped";
    case PortEvent::kCardStale:
      return "card_stale";
    case PortEvent::kCardDisagrees:
      return "card_disagrees";
    case PortEvent::kCount:
      break;
  }
  return "unknown";
}

UnixTime UdpPort::StampFrom(const Arrival& arrival) {
  if (!arrival.received) {
    Count(PortEvent::kStampMissing);
    return clock_.Now();
  }
  if (!arrival.card) {
    Count(PortEvent::kCardSilent);
    return *arrival.received;
  }
  const auto stamp = cards_->Map(arrival.card->interface, arrival.card->time, *arrival.received);
  if (!stamp) {
    Count(static_cast<PortEvent>(static_cast<std::size_t>(PortEvent::kCardUnmapped) +
                                 static_cast<std::size_t>(stamp.error())));
    return *arrival.received;
  }
  Count(PortEvent::kCardStamped);
  return *stamp;
}

}  // namespace ntsd
