#include "server/udp/udp_port.h"

namespace ntsd {

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
    case PortEvent::kCount:
      break;
  }
  return "unknown";
}

}  // namespace ntsd
