// One question and its answers to a daemon on this host, over UDP or a Unix datagram socket.
//
// Threads: belongs to one thread. Memory: one descriptor; for a Unix socket also a file beside the daemon's, which is
// where the daemon sends its answer, removed on destruction.
// Errors: as ReferenceFault; the socket stays usable. A Unix daemon that was restarted is found again by its path.
#pragma once

#include <memory>
#include <string>

#include "core/base/bytes.h"
#include "core/base/expected.h"
#include "core/base/ip_address.h"
#include "core/base/time.h"
#include "core/ntp/reference_sample.h"

namespace ntsd {

class DatagramSocket {
 public:
  static Expected<std::unique_ptr<DatagramSocket>, std::string> ConnectUdp(const IpEndpoint& peer);
  // Our own end is bound in the folder of `peer_path`, so that folder must let us write.
  static Expected<std::unique_ptr<DatagramSocket>, std::string> OpenUnix(const std::string& peer_path);

  DatagramSocket(const DatagramSocket&) = delete;
  DatagramSocket& operator=(const DatagramSocket&) = delete;
  ~DatagramSocket();

  // Throws away what lies in the socket from earlier questions, then sends.
  Expected<void, ReferenceFault> Send(ByteView request);
  // The next datagram from the peer, at most `timeout` from now; gives its size.
  Expected<std::size_t, ReferenceFault> Receive(ByteSpan reply, Duration timeout);

 private:
  DatagramSocket(int descriptor, std::string peer_path, std::string own_path)
      : descriptor_(descriptor), peer_path_(std::move(peer_path)), own_path_(std::move(own_path)) {}

  int descriptor_;
  std::string peer_path_;  // empty for UDP, which is connected
  std::string own_path_;
};

}  // namespace ntsd
