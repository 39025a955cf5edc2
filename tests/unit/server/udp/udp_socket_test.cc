#include "server/udp/udp_socket.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "server/udp/datagram.h"

namespace ntsd {
namespace {

IpEndpoint LocalEndpoint(int fd) {
  sockaddr_storage storage{};
  socklen_t size = sizeof(storage);
  EXPECT_EQ(getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &size), 0);
  return ReadSender(&storage, size).value_or(IpEndpoint{});
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
  EXPECT_EQ(Option(wildcard->get(), SOL_SOCKET, SO_TIMESTAMPNS), 1);
  const auto specific = OpenUdpSocket(*IpEndpoint::Parse("127.0.0.1:0"), 0);
  ASSERT_TRUE(specific) << specific.error();
  EXPECT_EQ(Option(specific->get(), IPPROTO_IP, IP_PKTINFO), 0) << "its address is known without asking";
  const auto sixth = OpenUdpSocket(*IpEndpoint::Parse("[::]:0"), 46);
  ASSERT_TRUE(sixth) << sixth.error();
  EXPECT_EQ(Option(sixth->get(), IPPROTO_IPV6, IPV6_V6ONLY), 1);
  EXPECT_EQ(Option(sixth->get(), IPPROTO_IPV6, IPV6_RECVPKTINFO), 1);
  EXPECT_EQ(Option(sixth->get(), IPPROTO_IPV6, IPV6_TCLASS), 46 << 2);
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
