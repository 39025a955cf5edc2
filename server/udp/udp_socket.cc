#include "server/udp/udp_socket.h"

#include <linux/filter.h>
#include <linux/net_tstamp.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>
#include <utility>
#include <vector>

#include "server/udp/datagram.h"

namespace ntsd {
namespace {

// The kernel's default of 208 KiB loses datagrams in a stall of a few milliseconds.
constexpr int kReceiveBufferSize = 8 << 20;
constexpr int kListenBacklog = 4096;

std::string Complaint(const IpEndpoint& address, const char* protocol) {
  const int error = errno;
  std::string text = "cannot listen on " + address.ToString() + " (" + protocol + "): ";
  switch (error) {
    case EADDRINUSE:
      return text + "the port is in use by another process; `ss -lpn` shows which";
    case EACCES:
      return text + "ports below 1024 need root or CAP_NET_BIND_SERVICE";
    case EAFNOSUPPORT:
      return text + "this kernel has no support for that address family";
    default:
      return text + std::strerror(error);
  }
}

bool SetOption(int fd, int level, int name, int value) {
  return setsockopt(fd, level, name, &value, sizeof(value)) == 0;
}

Descriptor NewSocket(const IpEndpoint& address, int type) {
  return Descriptor(socket(address.address.is_v4 ? AF_INET : AF_INET6, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

// Addresses may appear later (anycast, failover), so they need not exist yet; "[::]" takes IPv6 only, as IPv4 has a
// listener of its own.
bool SetAddressOptions(int fd, const IpEndpoint& address) {
  if (address.address.is_v4) return SetOption(fd, IPPROTO_IP, IP_FREEBIND, 1);
  return SetOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1) && SetOption(fd, IPPROTO_IPV6, IPV6_FREEBIND, 1);
}

bool Bind(int fd, const IpEndpoint& address) {
  const SocketAddress name(address);
  return bind(fd, name.get(), name.size()) == 0;
}

// The kernel stamps every datagram that comes, and of those that are sent it tells, by number and without the payload,
// the departures that are asked for one by one. Where there is none of that (some container sandboxes), stamps of
// arrival have to do.
constexpr int kStamps =
    SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_OPT_ID | SOF_TIMESTAMPING_OPT_TSONLY;

bool AskForStamps(int fd) {
  return SetOption(fd, SOL_SOCKET, SO_TIMESTAMPING, kStamps) || SetOption(fd, SOL_SOCKET, SO_TIMESTAMPNS, 1);
}

bool SetNtpOptions(int fd, const IpEndpoint& address, std::uint8_t dscp) {
  const bool is_v4 = address.address.is_v4;
  const int traffic_class = dscp << 2;
  // Privileged processes may go beyond net.core.rmem_max; others get what it allows.
  if (!SetOption(fd, SOL_SOCKET, SO_RCVBUFFORCE, kReceiveBufferSize)) {
    SetOption(fd, SOL_SOCKET, SO_RCVBUF, kReceiveBufferSize);
  }
  if (!AskForStamps(fd)) return false;
  if (address.address.IsUnspecified() &&
      !SetOption(fd, is_v4 ? static_cast<int>(IPPROTO_IP) : static_cast<int>(IPPROTO_IPV6),
                 is_v4 ? IP_PKTINFO : IPV6_RECVPKTINFO, 1)) {
    return false;
  }
  if (is_v4) {
    // Path MTU messages can be forged; our answers are small enough to ignore them.
    return SetOption(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_OMIT) &&
           (dscp == 0 || SetOption(fd, IPPROTO_IP, IP_TOS, traffic_class));
  }
  return SetOption(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_OMIT) &&
         (dscp == 0 || SetOption(fd, IPPROTO_IPV6, IPV6_TCLASS, traffic_class));
}

// A socket of that kind can have the address for itself alone.
bool CanBind(const IpEndpoint& address, int type) {
  const Descriptor probe = NewSocket(address, type);
  // A listening socket leaves connections behind that wait for their end; they are no other server.
  const bool reuse = type == SOCK_DGRAM || SetOption(probe.get(), SOL_SOCKET, SO_REUSEADDR, 1);
  return probe && reuse && SetAddressOptions(probe.get(), address) && Bind(probe.get(), address);
}

Expected<void, std::string> CheckFree(const IpEndpoint& address, int type, const char* protocol) {
  // The kernel takes an io_uring down after its process has gone, and keeps the sockets for some milliseconds: a server
  // that is started again at once has to wait for its predecessor.
  constexpr int kAttemptsMax = 100;
  for (int attempt = 1; !CanBind(address, type); ++attempt) {
    if (errno != EADDRINUSE || attempt == kAttemptsMax) return Unexpected(Complaint(address, protocol));
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return {};
}

}  // namespace

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  if (this != &other) {
    if (fd_ >= 0) close(fd_);
    fd_ = other.Release();
  }
  return *this;
}

Descriptor::~Descriptor() {
  if (fd_ >= 0) close(fd_);
}

int Descriptor::Release() { return std::exchange(fd_, -1); }

Expected<void, std::string> CheckUdpAddressFree(const IpEndpoint& address) {
  return CheckFree(address, SOCK_DGRAM, "UDP");
}

Expected<void, std::string> CheckTcpAddressFree(const IpEndpoint& address) {
  return CheckFree(address, SOCK_STREAM, "TCP");
}

Expected<Descriptor, std::string> OpenUdpSocket(const IpEndpoint& address, std::uint8_t dscp) {
  Descriptor socket = NewSocket(address, SOCK_DGRAM);
  if (!socket || !SetOption(socket.get(), SOL_SOCKET, SO_REUSEPORT, 1) || !SetAddressOptions(socket.get(), address) ||
      !SetNtpOptions(socket.get(), address, dscp) || !Bind(socket.get(), address)) {
    return Unexpected(Complaint(address, "UDP"));
  }
  return socket;
}

Expected<void, std::string> PrepareUdpSocket(int fd, const IpEndpoint& address, std::uint8_t dscp) {
  if (!SetNtpOptions(fd, address, dscp)) return Unexpected(Complaint(address, "UDP"));
  return {};
}

bool AskForCardStamps(int fd) {
  constexpr int kCardStamps =
      kStamps | SOF_TIMESTAMPING_RX_HARDWARE | SOF_TIMESTAMPING_RAW_HARDWARE | SOF_TIMESTAMPING_OPT_PKTINFO;
  return SetOption(fd, SOL_SOCKET, SO_TIMESTAMPING, kCardStamps);
}

bool ForgoStamps(int fd) { return SetOption(fd, SOL_SOCKET, SO_TIMESTAMPING, 0); }

Expected<void, std::string> SpreadByCpu(int fd, const IpEndpoint& address, std::span<const unsigned> cpus) {
  // A program of the socket filter's kind returns the number of a socket; the kernel takes its hash when there is none.
  constexpr std::uint32_t kNoSocket = ~std::uint32_t{0};
  std::vector<sock_filter> program;
  program.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(SKF_AD_OFF + SKF_AD_CPU)));
  for (std::size_t i = 0; i < cpus.size(); ++i) {
    program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, cpus[i], 0, 1));
    program.push_back(BPF_STMT(BPF_RET | BPF_K, static_cast<std::uint32_t>(i)));
  }
  program.push_back(BPF_STMT(BPF_RET | BPF_K, kNoSocket));
  const sock_fprog filter{.len = static_cast<unsigned short>(program.size()), .filter = program.data()};
  if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &filter, sizeof(filter)) == 0) return {};
  return Unexpected("workers.spread = \"cpu\" is not possible on " + address.ToString() + ": " + std::strerror(errno));
}

Expected<Descriptor, std::string> OpenTcpListener(const IpEndpoint& address) {
  Descriptor socket = NewSocket(address, SOCK_STREAM);
  if (!socket || !SetOption(socket.get(), SOL_SOCKET, SO_REUSEADDR, 1) || !SetAddressOptions(socket.get(), address) ||
      !Bind(socket.get(), address) || listen(socket.get(), kListenBacklog) != 0) {
    return Unexpected(Complaint(address, "TCP"));
  }
  return socket;
}

std::uint64_t ReadSocketDrops(int fd) {
  std::array<std::uint32_t, SK_MEMINFO_VARS> figures{};
  socklen_t size = sizeof(figures);
  if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, figures.data(), &size) != 0) return 0;
  return figures[SK_MEMINFO_DROPS];
}

}  // namespace ntsd
