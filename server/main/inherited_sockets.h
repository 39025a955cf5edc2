// Sockets that the service manager opened and holds (LISTEN_FDS, sd_listen_fds(3)): over a restart the kernel queues
// what comes, and nothing is lost.
//
// Threads: main's, once at the start. Errors: one line for the operator.
#pragma once

#include <string>
#include <vector>

#include "core/base/expected.h"
#include "core/base/ip_address.h"
#include "server/udp/udp_socket.h"

namespace ntsd {

class InheritedSockets {
 public:
  // Takes what the environment names, and the names out of the environment. None is no error; what cannot serve us is.
  static Expected<InheritedSockets, std::string> Take();

  bool Has(const IpEndpoint& address, bool is_udp) const;
  // All sockets bound to that address; they are the caller's from now on.
  std::vector<Descriptor> Release(const IpEndpoint& address, bool is_udp);
  // An empty text when nothing is left over; else which address nobody of ours wants.
  std::string Leftover() const;

 private:
  struct Socket {
    IpEndpoint address;
    bool is_udp = false;
    Descriptor descriptor;
  };
  std::vector<Socket> sockets_;
};

}  // namespace ntsd
