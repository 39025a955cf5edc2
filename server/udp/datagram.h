// What stands beside a datagram's payload: when it came and where it was sent to; and, for an answer, where it shall
// seem to come from (RFC 5905 §5, R-NTP-12: from the address that was asked).
//
// Threads: functions of their arguments. Memory: the caller's.
// Errors: missing or cut off control messages leave the fields as they were.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "core/base/ip_address.h"
#include "core/base/time.h"

namespace ntsd {

// Room for a receive timestamp and the larger packet info.
inline constexpr std::size_t kReceiveControlSize = CMSG_SPACE(sizeof(timespec)) + CMSG_SPACE(sizeof(in6_pktinfo));
inline constexpr std::size_t kSendControlSize = CMSG_SPACE(sizeof(in6_pktinfo));

struct Arrival {
  std::optional<UnixTime> received;  // the kernel's stamp
  // From packet info; nothing when the socket is bound to one address and does not ask for it.
  std::optional<IpAddress> local;
  unsigned interface = 0;
  bool to_unicast = true;
};

// Reads the control messages of one datagram. `message` has msg_control and msg_controllen as the kernel gave them.
Arrival ReadArrival(msghdr& message);

// The sender of a datagram; nothing when it is neither IPv4 nor IPv6, or shorter than its family wants.
std::optional<IpEndpoint> ReadSender(const void* name, std::size_t size);

// Writes `endpoint` as a socket address; returns its size. `interface` becomes the scope of a link-local address.
socklen_t WriteSocketAddress(const IpEndpoint& endpoint, unsigned interface, sockaddr_storage& storage);

// Makes an answer leave from `local`: fills `control` (kSendControlSize octets, aligned for cmsghdr) and gives the
// octets used.
std::size_t WriteSourceControl(const IpAddress& local, unsigned interface, void* control);

}  // namespace ntsd
