// A UDP server that does nothing but send every datagram back: the floor under every figure of a real one.
//
// Threads: one engine, run by main's thread until `stop` is set by a signal handler; signals interrupt the waiting.
// Memory: allocated before the first datagram.
// Errors: setting up gives one line; a failed send is counted.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <csignal>
#include <cstddef>
#include <cstdint>
#include <string>

#include "core/base/expected.h"
#include "core/base/ip_address.h"

namespace ntsd::echo {

enum class Engine : std::uint8_t {
  kBlocking,      // recvmsg, sendto, one datagram at a time; with packet info sendmsg
  kRecvmmsgSend,  // recvmmsg, then one sendto a datagram; likewise
  kRecvmmsgSendmmsg,
  kUring,  // as a worker of ntsd: multishot receive, groups of sends, the same flags
};

struct Options {
  IpEndpoint listen;
  Engine engine = Engine::kRecvmmsgSendmmsg;
  bool receive_stamps = false;  // SO_TIMESTAMPNS, and the stamp is read
  bool packet_info = false;     // IP_PKTINFO: the answer leaves from the address that was asked
  std::size_t batch = 64;       // datagrams taken together
  std::size_t group = 4;        // io_uring: sends submitted together
};

inline constexpr std::size_t kBatchMax = 256;
inline constexpr std::size_t kDatagramSizeMax = 2048;
// Room for a receive stamp and the larger packet info.
inline constexpr std::size_t kControlSize = CMSG_SPACE(sizeof(timespec)) + CMSG_SPACE(sizeof(in6_pktinfo));

struct Totals {
  std::uint64_t received = 0;
  std::uint64_t sent = 0;
  std::uint64_t send_failed = 0;
};

// A bound socket with a receive buffer as large as a worker's, and the wanted options. The error is one line.
Expected<int, std::string> OpenSocket(const Options& options);

// Turns what came with a datagram into what goes with its answer, in place: reads the stamp, keeps the packet info of
// an address of ours, and drops the rest. `message` is as recvmsg left it; afterwards it is ready to be sent.
void TurnAround(msghdr& message, const Options& options);

// Each runs until `stop`.
Totals RunBlocking(int fd, const Options& options, const volatile std::sig_atomic_t& stop);
Totals RunMmsg(int fd, const Options& options, const volatile std::sig_atomic_t& stop);
// The error says why this kernel has no io_uring for us.
Expected<Totals, std::string> RunUring(int fd, const Options& options, const volatile std::sig_atomic_t& stop);

}  // namespace ntsd::echo
