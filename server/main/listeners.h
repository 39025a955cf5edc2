// All sockets that clients reach, opened before privileges go: none is opened later, since a socket of another user
// cannot join a SO_REUSEPORT group, and one of the same user could steal its traffic.
//
// Threads: main's. Errors: one line for the operator.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/base/expected.h"
#include "server/config/config.h"
#include "server/main/inherited_sockets.h"
#include "server/udp/udp_port.h"
#include "server/udp/udp_socket.h"

namespace ntsd {

struct NtpListener {
  IpEndpoint address;
  std::vector<Descriptor> sockets;  // one a worker
};

struct KeListener {
  std::size_t table = 0;  // which [[ke]]
  IpEndpoint address;
  Descriptor socket;
};

struct Listeners {
  std::vector<NtpListener> ntp;
  std::vector<KeListener> ke;

  // The sockets of one worker, for its port.
  std::vector<UdpSocket> SocketsOf(std::size_t worker) const;
  // Datagrams that the kernel dropped, of all sockets.
  std::uint64_t SocketDrops() const;
};

// Opens what the service manager has not opened already.
Expected<Listeners, std::string> OpenListeners(const Config& config, std::size_t ntp_worker_count,
                                               InheritedSockets inherited);

// workers.spread = "cpu": each worker gets what its own CPU receives. `worker_cpus`: where each of them is pinned.
Expected<void, std::string> SpreadByCpu(const Listeners& listeners,
                                        std::span<const std::optional<unsigned>> worker_cpus);

}  // namespace ntsd
