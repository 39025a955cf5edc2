// Datagrams by io_uring: a multishot receive a socket into a ring of provided buffers, answers submitted in groups.
//
// Needs Linux 6.1 (deferred task work). The ring is set up disabled by main, restricted to the few operations it needs,
// and enabled by the worker's own thread, which is then the only one that may use it.
//
// Threads, memory, errors: as udp_port.h.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/base/clock.h"
#include "core/base/expected.h"
#include "server/udp/udp_port.h"

namespace ntsd {

// `sockets` stay open as long as the port; `cards`, whose stamps are used, outlive it. The error says why this kernel,
// container or user has no io_uring for us.
Expected<std::unique_ptr<UdpPort>, std::string> MakeUringPort(std::vector<UdpSocket> sockets, const Clock& clock,
                                                              const CardClocks* cards = nullptr);

}  // namespace ntsd
