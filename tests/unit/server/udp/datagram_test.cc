#include "server/udp/datagram.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstring>

namespace ntsd {
namespace {

// Control messages one after the other, as the kernel lays them out.
class ControlBuffer {
 public:
  template <typename Value>
  void Add(int level, int type, const Value& value) {
    cmsghdr header{};
    header.cmsg_len = CMSG_LEN(sizeof(value));
    header.cmsg_level = level;
    header.cmsg_type = type;
    std::memcpy(octets_ + size_, &header, sizeof(header));
    std::memcpy(octets_ + size_ + CMSG_LEN(0), &value, sizeof(value));
    size_ += CMSG_SPACE(sizeof(value));
  }
  Arrival Read(std::size_t size) {
    msghdr message{};
    message.msg_control = octets_;
    message.msg_controllen = size;
    return ReadArrival(message);
  }
  std::optional<KernelDeparture> ReadAsDeparture() {
    msghdr message{};
    message.msg_control = octets_;
    message.msg_controllen = size_;
    return ReadDeparture(message);
  }
  std::size_t size() const { return size_; }

 private:
  alignas(cmsghdr) std::uint8_t octets_[256] = {};
  std::size_t size_ = 0;
};

in_pktinfo PacketInfo(const char* local, const char* destination) {
  in_pktinfo info{};
  info.ipi_ifindex = 7;
  std::memcpy(&info.ipi_spec_dst, IpAddress::Parse(local)->octets.data(), 4);
  std::memcpy(&info.ipi_addr, IpAddress::Parse(destination)->octets.data(), 4);
  return info;
}

in6_pktinfo PacketInfo6(const char* destination) {
  in6_pktinfo info{};
  info.ipi6_ifindex = 9;
  std::memcpy(&info.ipi6_addr, IpAddress::Parse(destination)->octets.data(), 16);
  return info;
}

TEST(Arrival, ReadsStampAndLocalAddress) {
  ControlBuffer control;
  control.Add(SOL_SOCKET, SCM_TIMESTAMPNS, timespec{1'767'225'600, 123'456'789});
  control.Add(IPPROTO_IP, IP_PKTINFO, PacketInfo("192.0.2.1", "192.0.2.1"));
  const Arrival arrival = control.Read(control.size());
  EXPECT_EQ(arrival.received, UnixTime(Duration(1'767'225'600'123'456'789)));
  EXPECT_EQ(arrival.local, IpAddress::Parse("192.0.2.1"));
  EXPECT_EQ(arrival.interface, 7U);
  EXPECT_TRUE(arrival.to_unicast);
}

TEST(Arrival, TakesTheKernelsOwnStampOfThree) {
  scm_timestamping stamps{};
  stamps.ts[0] = {.tv_sec = 1'767'225'600, .tv_nsec = 123'456'789};
  stamps.ts[2] = {.tv_sec = 5, .tv_nsec = 6};
  ControlBuffer control;
  control.Add(SOL_SOCKET, SCM_TIMESTAMPING, stamps);
  EXPECT_EQ(control.Read(control.size()).received, UnixTime(Duration(1'767'225'600'123'456'789)));
  EXPECT_FALSE(control.Read(0).card);
  stamps.ts[0] = {};
  ControlBuffer empty;
  empty.Add(SOL_SOCKET, SCM_TIMESTAMPING, stamps);
  EXPECT_FALSE(empty.Read(empty.size()).received) << "it has none";
}

TEST(Arrival, ReadsTheStampOfTheNetworkCardAndWhichItIs) {
  scm_timestamping stamps{};
  stamps.ts[0] = {.tv_sec = 1'767'225'600, .tv_nsec = 123'456'789};
  ControlBuffer without;
  without.Add(SOL_SOCKET, SCM_TIMESTAMPING, stamps);
  EXPECT_FALSE(without.Read(without.size()).card) << "of the kernel alone";
  stamps.ts[2] = {.tv_sec = 5, .tv_nsec = 6};
  ControlBuffer control;
  control.Add(SOL_SOCKET, SCM_TIMESTAMPING, stamps);
  ASSERT_TRUE(control.Read(control.size()).card);
  EXPECT_EQ(control.Read(control.size()).card->interface, 0U) << "not told";
  control.Add(SOL_SOCKET, SCM_TIMESTAMPING_PKTINFO, scm_ts_pktinfo{.if_index = 3, .pkt_length = 90, .reserved = {}});
  const Arrival arrival = control.Read(control.size());
  EXPECT_EQ(arrival.card->time, CardTime{5'000'000'006});
  EXPECT_EQ(arrival.card->interface, 3U);
  EXPECT_EQ(arrival.received, UnixTime(Duration(1'767'225'600'123'456'789))) << "the kernel's stays beside it";
}

TEST(Departure, IsReadFromAnErrorQueueAndFromNothingElse) {
  scm_timestamping stamps{};
  stamps.ts[0] = {.tv_sec = 1'767'225'600, .tv_nsec = 123'456'789};
  sock_extended_err error{};
  error.ee_errno = ENOMSG;
  error.ee_origin = SO_EE_ORIGIN_TIMESTAMPING;
  error.ee_data = 77;
  for (const int level : {static_cast<int>(IPPROTO_IP), static_cast<int>(IPPROTO_IPV6)}) {
    ControlBuffer control;
    control.Add(SOL_SOCKET, SCM_TIMESTAMPING, stamps);
    control.Add(level, level == IPPROTO_IP ? IP_RECVERR : IPV6_RECVERR, error);
    const auto departure = control.ReadAsDeparture();
    ASSERT_TRUE(departure);
    EXPECT_EQ(departure->number, 77U);
    EXPECT_EQ(departure->left, UnixTime(Duration(1'767'225'600'123'456'789)));
  }
  ControlBuffer without_number;
  without_number.Add(SOL_SOCKET, SCM_TIMESTAMPING, stamps);
  EXPECT_FALSE(without_number.ReadAsDeparture());
  error.ee_origin = SO_EE_ORIGIN_ICMP;
  ControlBuffer of_the_net;
  of_the_net.Add(SOL_SOCKET, SCM_TIMESTAMPING, stamps);
  of_the_net.Add(IPPROTO_IP, IP_RECVERR, error);
  EXPECT_FALSE(of_the_net.ReadAsDeparture());
}

TEST(Arrival, TellsMulticastAndBroadcast_R_NTP_23) {
  for (const char* destination : {"224.0.1.1", "255.255.255.255", "192.0.2.255"}) {
    ControlBuffer control;
    control.Add(IPPROTO_IP, IP_PKTINFO, PacketInfo("192.0.2.1", destination));
    EXPECT_FALSE(control.Read(control.size()).to_unicast) << destination;
  }
  ControlBuffer multicast;
  multicast.Add(IPPROTO_IPV6, IPV6_PKTINFO, PacketInfo6("ff02::101"));
  EXPECT_FALSE(multicast.Read(multicast.size()).to_unicast);
  ControlBuffer unicast;
  unicast.Add(IPPROTO_IPV6, IPV6_PKTINFO, PacketInfo6("2001:db8::1"));
  EXPECT_TRUE(unicast.Read(unicast.size()).to_unicast);
}

TEST(Arrival, SurvivesEveryTruncation) {
  ControlBuffer control;
  control.Add(SOL_SOCKET, SCM_TIMESTAMPNS, timespec{1, 2});
  control.Add(IPPROTO_IPV6, IPV6_PKTINFO, PacketInfo6("2001:db8::1"));
  for (std::size_t size = 0; size < CMSG_LEN(sizeof(timespec)); ++size) {
    EXPECT_FALSE(control.Read(size).received) << size;
  }
  EXPECT_FALSE(control.Read(control.size() - 8).local);
}

TEST(SourceControl, IsReadBackAsTheLocalAddress) {
  for (const char* text : {"192.0.2.1", "2001:db8::1", "fe80::1"}) {
    const IpAddress local = *IpAddress::Parse(text);
    alignas(cmsghdr) std::uint8_t octets[kSendControlSize];
    msghdr message{};
    message.msg_control = octets;
    message.msg_controllen = WriteSourceControl(local, 3, octets);
    const Arrival arrival = ReadArrival(message);
    EXPECT_EQ(arrival.local, local);
    // Only a link-local address needs its interface; everything else takes the route.
    EXPECT_EQ(arrival.interface, local == *IpAddress::Parse("fe80::1") ? 3U : 0U) << text;
  }
}

}  // namespace
}  // namespace ntsd
