#include "server/udp/udp_socket.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>

#include <array>
#include <optional>
#include <vector>

#include "server/udp/datagram.h"

namespace ntsd {
namespace {

IpEndpoint LocalEndpoint(int fd) {
  sockaddr_storage storage{};
  socklen_t size = sizeof(storage);
  EXPECT_EQ(getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &size), 0);
  return ReadSocketAddress(&storage, size).value_or(IpEndpoint{});
}

int Option(int fd, int level, int name) {
  int value = -1;
  socklen_t size = sizeof(value);
  getsockopt(fd, level, name, &value, &size);
  return value;
}

TEST(UdpSockets, ShareAnAddressAmongTheWorkersOfOneServer) {
  const auto first = OpenUdpSocket(*IpEndpoint::Parse("127.0.0.1:0"), 0);
  ASSERT_TRUE(first) << first.error();
  const IpEndpoint address = LocalEndpoint(first->get());
  const auto second = OpenUdpSocket(address, 0);
  EXPECT_TRUE(second) << "the next worker";
  const auto free = CheckUdpAddressFree(address);
  ASSERT_FALSE(free) << "but another server does not join them unnoticed";
  EXPECT_THAT(free.error(), ::testing::HasSubstr(address.ToString()));
  EXPECT_THAT(free.error(), ::testing::HasSubstr("in use"));
}

TEST(UdpSockets, HaveTheOptionsThatTheyPromise) {
  const auto wildcard = OpenUdpSocket(*IpEndpoint::Parse("0.0.0.0:0"), 46);
  ASSERT_TRUE(wildcard) << wildcard.error();
  EXPECT_EQ(Option(wildcard->get(), IPPROTO_IP, IP_PKTINFO), 1);
  EXPECT_EQ(Option(wildcard->get(), IPPROTO_IP, IP_TOS), 46 << 2);
  EXPECT_EQ(Option(wildcard->get(), IPPROTO_IP, IP_MTU_DISCOVER), IP_PMTUDISC_OMIT);
  EXPECT_NE(Option(wildcard->get(), SOL_SOCKET, SO_TIMESTAMPING), 0);
  const auto specific = OpenUdpSocket(*IpEndpoint::Parse("127.0.0.1:0"), 0);
  ASSERT_TRUE(specific) << specific.error();
  EXPECT_EQ(Option(specific->get(), IPPROTO_IP, IP_PKTINFO), 0) << "its address is known without asking";
  const auto sixth = OpenUdpSocket(*IpEndpoint::Parse("[::]:0"), 46);
  ASSERT_TRUE(sixth) << sixth.error();
  EXPECT_EQ(Option(sixth->get(), IPPROTO_IPV6, IPV6_V6ONLY), 1);
  EXPECT_EQ(Option(sixth->get(), IPPROTO_IPV6, IPV6_RECVPKTINFO), 1);
  EXPECT_EQ(Option(sixth->get(), IPPROTO_IPV6, IPV6_TCLASS), 46 << 2);
}

// The first CPUs that this thread may run on; it stays on the one that was chosen last, until it is destroyed.
class OwnCpus {
 public:
  OwnCpus() {
    sched_getaffinity(0, sizeof(before_), &before_);
    for (unsigned cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (CPU_ISSET(cpu, &before_)) cpus_.push_back(cpu);
    }
  }
  OwnCpus(const OwnCpus&) = delete;
  OwnCpus& operator=(const OwnCpus&) = delete;
  ~OwnCpus() { sched_setaffinity(0, sizeof(before_), &before_); }

  const std::vector<unsigned>& cpus() const { return cpus_; }
  static void MoveTo(unsigned cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    ASSERT_EQ(sched_setaffinity(0, sizeof(set), &set), 0);
  }

 private:
  cpu_set_t before_{};
  std::vector<unsigned> cpus_;
};

// Over loopback, the CPU that sends is the one that receives.
struct SpreadSockets {
  SpreadSockets() {
    auto first = OpenUdpSocket(*IpEndpoint::Parse("127.0.0.1:0"), 0);
    EXPECT_TRUE(first) << first.error();
    address = LocalEndpoint(first->get());
    auto second = OpenUdpSocket(address, 0);
    EXPECT_TRUE(second) << second.error();
    sockets = {std::move(*first), std::move(*second)};
  }
  // Which socket got a datagram that this thread sent from a new port.
  std::optional<std::size_t> SendOne() {
    const Descriptor client(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_storage storage{};
    const socklen_t size = WriteSocketAddress(address, 0, storage);
    if (sendto(client.get(), "?", 1, 0, reinterpret_cast<const sockaddr*>(&storage), size) != 1) return std::nullopt;
    for (std::size_t i = 0; i < sockets.size(); ++i) {
      char octet;
      if (recv(sockets[i].get(), &octet, 1, MSG_DONTWAIT) == 1) return i;
    }
    return std::nullopt;
  }

  IpEndpoint address;
  std::array<Descriptor, 2> sockets;
};

TEST(UdpSockets, GetWhatTheirWorkersCpuReceives) {
  OwnCpus own;
  if (own.cpus().size() < 2) GTEST_SKIP() << "needs two CPUs";
  SpreadSockets group;
  // The order of the CPUs is not that of their numbers.
  const std::array<unsigned, 2> cpus = {own.cpus()[1], own.cpus()[0]};
  const auto spread = SpreadByCpu(group.sockets[0].get(), group.address, cpus);
  ASSERT_TRUE(spread) << spread.error();
  for (int turn = 0; turn < 40; ++turn) {
    const std::size_t worker = static_cast<std::size_t>(turn) % 2;
    OwnCpus::MoveTo(cpus[worker]);
    EXPECT_EQ(group.SendOne(), worker) << "turn " << turn;
  }
}

TEST(UdpSockets, ShareWhatACpuWithoutAWorkerReceives) {
  OwnCpus own;
  SpreadSockets group;
  constexpr std::array<unsigned, 2> kElsewhere = {100'000, 100'001};
  ASSERT_TRUE(SpreadByCpu(group.sockets[0].get(), group.address, kElsewhere));
  std::array<int, 2> counts{};
  for (int turn = 0; turn < 64; ++turn) {
    const auto worker = group.SendOne();
    ASSERT_TRUE(worker) << "lost";
    ++counts[*worker];
  }
  EXPECT_GT(counts[0], 0);
  EXPECT_GT(counts[1], 0);
}

TEST(TcpListeners, AreExclusive) {
  const auto first = OpenTcpListener(*IpEndpoint::Parse("127.0.0.1:0"));
  ASSERT_TRUE(first) << first.error();
  const IpEndpoint address = LocalEndpoint(first->get());
  EXPECT_FALSE(CheckTcpAddressFree(address));
  const auto second = OpenTcpListener(address);
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error(), ::testing::HasSubstr(address.ToString()));
}

TEST(Sockets, MayListenOnAddressesThatComeLater) {
  EXPECT_TRUE(OpenUdpSocket(*IpEndpoint::Parse("203.0.113.77:0"), 0)) << "anycast, failover";
  EXPECT_TRUE(OpenTcpListener(*IpEndpoint::Parse("[2001:db8:77::1]:0")));
}

TEST(Descriptor, IsClosedOnce) {
  Descriptor first(socket(AF_INET, SOCK_DGRAM, 0));
  const int fd = first.get();
  Descriptor second = std::move(first);
  EXPECT_FALSE(first);  // NOLINT(bugprone-use-after-move): that it is empty is the point
  EXPECT_EQ(second.get(), fd);
  second = Descriptor();
  EXPECT_EQ(Option(fd, SOL_SOCKET, SO_TYPE), -1) << "closed";
}

}  // namespace
}  // namespace ntsd
