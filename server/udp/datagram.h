// What stands beside a datagram's payload: when it came and where it was sent to; and, for an answer, where it shall
// seem to come from (RFC 5905 §5, R-NTP-12: from the address that was asked), and whether the kernel shall tell when it
// leaves.
//
// Threads: functions of their arguments. Memory: the caller's.
// Errors: missing or cut off control messages leave the fields as they were.
#pragma once

#include <time.h>
// errqueue.h uses timespec, and does not include it.
#include <linux/errqueue.h>
#include <linux/net_tstamp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "core/base/ip_address.h"
#include "core/base/socket_address.h"
#include "core/base/time.h"
#include "core/ntp/card_clock.h"

namespace ntsd {

// Room for a receive timestamp, the card that it is of, and the larger packet info.
inline constexpr std::size_t kReceiveControlSize =
    CMSG_SPACE(sizeof(scm_timestamping)) + CMSG_SPACE(sizeof(scm_ts_pktinfo)) + CMSG_SPACE(sizeof(in6_pktinfo));
// Room for a source address and a request for the departure.
inline constexpr std::size_t kSendControlSize = CMSG_SPACE(sizeof(in6_pktinfo)) + CMSG_SPACE(sizeof(std::uint32_t));
// Room for a departure: the stamp, its number with an address that is not used, and packet info.
inline constexpr std::size_t kDepartureControlSize = CMSG_SPACE(sizeof(scm_timestamping)) +
                                                     CMSG_SPACE(sizeof(sock_extended_err) + sizeof(sockaddr_in6)) +
                                                     CMSG_SPACE(sizeof(in6_pktinfo));

// What the network card said, which may be below a bond or a VLAN.
struct CardStamp {
  CardTime time;
  unsigned interface = 0;  // 0: the kernel does not tell
};

struct Arrival {
  std::optional<UnixTime> received;  // the kernel's stamp
  std::optional<CardStamp> card;     // only where it was asked for
  // From packet info; nothing when the socket is bound to one address and does not ask for it.
  std::optional<IpAddress> local;
  unsigned interface = 0;
  bool to_unicast = true;
};

// What the error queue of a socket tells of a datagram that was sent with a request for it.
struct KernelDeparture {
  std::uint32_t number = 0;  // the kernel's: counts the requests of the socket from 0
  UnixTime left{};
};

// Reads the control messages of one datagram. `message` has msg_control and msg_controllen as the kernel gave them.
Arrival ReadArrival(msghdr& message);

// Reads the control messages of one message of an error queue; nothing when it is of another kind.
std::optional<KernelDeparture> ReadDeparture(msghdr& message);

// Makes an answer leave from `local`: fills `control` (kSendControlSize octets, aligned for cmsghdr) and gives the
// octets used.
std::size_t WriteSourceControl(const IpAddress& local, unsigned interface, void* control);

// Asks the kernel to tell when the answer leaves; likewise.
std::size_t WriteDepartureRequest(void* control);

}  // namespace ntsd
