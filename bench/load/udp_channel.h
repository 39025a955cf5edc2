// The sockets of one load thread: many source ports (and addresses), all connected to the server, sending and receiving
// in batches.
//
// Sends go through UDP segmentation where several requests of one size are due together: the kernel then takes its way
// through the stack once for all of them, so that one core can offer more than a server core can answer. Receives are
// recvmmsg on those sockets that epoll names.
//
// Threads: belongs to one thread. Memory: room for one batch, allocated when it is opened.
// Errors: opening gives one line; what happens to datagrams later is counted.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "bench/load/answer_judge.h"
#include "core/base/bytes.h"
#include "core/base/expected.h"
#include "core/base/ip_address.h"

namespace ntsd::load {

struct UdpChannelOptions {
  IpEndpoint server;
  std::size_t socket_count = 16;
  std::vector<IpAddress> sources;  // in turn; empty: what the route gives
  std::size_t segments = 16;
  bool has_stamps = false;  // one more socket, whose datagrams get kernel stamps in both directions
};

struct UdpChannelCounts {
  std::uint64_t send_calls = 0;
  std::uint64_t send_failed = 0;  // requests that the kernel did not take
  std::uint64_t refused = 0;      // ICMP says that nobody listens
  std::uint64_t truncated = 0;    // answers longer than any that could be right
};

class UdpChannel {
 public:
  static Expected<std::unique_ptr<UdpChannel>, std::string> Open(const UdpChannelOptions& options);
  ~UdpChannel();
  UdpChannel(const UdpChannel&) = delete;
  UdpChannel& operator=(const UdpChannel&) = delete;

  // Sends datagrams, at most 64, from the next source port in turn. Bit i is set when the kernel took the i-th.
  std::uint64_t Send(std::span<const ByteView> datagrams);
  // Sends one from the socket with kernel stamps.
  bool SendStamped(ByteView datagram);
  // The departures that the kernel has noted: the number of the stamped datagram, counted from 0, and when.
  void ReadDepartures(const std::function<void(std::uint32_t, UnixTime)>& take);

  // Waits up to `wait` for datagrams (zero: not at all) and gives a batch of them, without their time of arrival.
  // Valid until the next call.
  std::span<Arrival> Receive(Duration wait);

  const UdpChannelCounts& counts() const { return counts_; }

 private:
  struct Buffers;

  UdpChannel();
  std::string Add(const UdpChannelOptions& options, std::size_t index, bool with_stamps);
  struct Message {
    std::size_t first = 0;
    std::size_t count = 0;
  };
  void Compose(std::span<const ByteView> datagrams);
  std::uint64_t HandOver(int fd);
  std::size_t Drain(std::size_t socket, std::size_t room_start);
  void NoteError(int error);

  std::vector<int> sockets_;
  int stamp_socket_ = -1;  // also the last of sockets_
  int epoll_ = -1;
  std::size_t segments_ = 1;
  std::size_t next_ = 0;
  std::size_t plain_count_ = 0;  // sockets without stamps
  std::unique_ptr<Buffers> buffers_;
  std::array<Message, kBatchSizeMax> messages_{};  // to be sent: which datagrams each carries
  std::size_t message_count_ = 0;
  std::vector<int> ready_;  // sockets that may still have more
  UdpChannelCounts counts_;
};

}  // namespace ntsd::load
