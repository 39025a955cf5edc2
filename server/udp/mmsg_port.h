// Datagrams by recvmmsg and sendmsg, for hosts and containers where io_uring is forbidden or too old.
//
// Threads, memory, errors: as udp_port.h.
#pragma once

#include <memory>
#include <vector>

#include "core/base/clock.h"
#include "server/udp/udp_port.h"

namespace ntsd {

// `sockets` stay open as long as the port; `cards`, whose stamps are used, outlive it.
std::unique_ptr<UdpPort> MakeMmsgPort(std::vector<UdpSocket> sockets, const Clock& clock,
                                      const CardClocks* cards = nullptr);

}  // namespace ntsd
