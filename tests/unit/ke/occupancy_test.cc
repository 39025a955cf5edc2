#include "ke/occupancy.h"

#include <gtest/gtest.h>

#include "tests/support/fakes.h"

namespace ntsd::ke {
namespace {

IpAddress Address(const char* text) { return *IpAddress::Parse(text); }

std::vector<Settings> Services() {
  std::vector<Settings> services(2);
  services[0].max_connections = 5;
  services[0].max_connections_per_prefix = 3;
  services[0].max_kept_alive = 1;
  services[1].max_connections = 1;
  return services;
}

TEST(Occupancy, BoundsEveryPrefix) {
  testing::FakeRandom random;
  Occupancy occupancy(Services(), {}, random);
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(occupancy.Enter(0, Address("192.0.2.1")).has_value());
  EXPECT_EQ(occupancy.Enter(0, Address("192.0.2.1")), ConnectionEnd::kPrefixFull);
  EXPECT_EQ(occupancy.Active(), 3U);
  EXPECT_FALSE(occupancy.Enter(0, Address("192.0.2.2")).has_value());
  occupancy.Leave(0, Address("192.0.2.1"));
  EXPECT_FALSE(occupancy.Enter(0, Address("192.0.2.1")).has_value());
  EXPECT_EQ(occupancy.Enter(0, Address("192.0.2.1")), ConnectionEnd::kPrefixFull);
}

TEST(Occupancy, CountsNetworksByTheirLength) {
  testing::FakeRandom random;
  Occupancy occupancy(Services(), {24, 48}, random);
  for (const char* const peer : {"192.0.2.1", "192.0.2.2", "192.0.2.255"}) {
    EXPECT_FALSE(occupancy.Enter(0, Address(peer)).has_value());
  }
  EXPECT_EQ(occupancy.Enter(0, Address("192.0.2.7")), ConnectionEnd::kPrefixFull);
  EXPECT_FALSE(occupancy.Enter(0, Address("192.0.3.7")).has_value());
}

TEST(Occupancy, BoundsEveryServiceByItself) {
  testing::FakeRandom random;
  Occupancy occupancy(Services(), {}, random);
  for (const char* const peer : {"2001:db8::1", "2001:db8:1::1", "2001:db8:2::1", "2001:db8:3::1", "2001:db8:4::1"}) {
    EXPECT_FALSE(occupancy.IsFull(0));
    EXPECT_FALSE(occupancy.Enter(0, Address(peer)).has_value());
  }
  EXPECT_TRUE(occupancy.IsFull(0));
  EXPECT_EQ(occupancy.Enter(0, Address("2001:db8:5::1")), ConnectionEnd::kTableFull);
  EXPECT_FALSE(occupancy.Enter(1, Address("2001:db8:5::1")).has_value());
  EXPECT_EQ(occupancy.Enter(1, Address("2001:db8:6::1")), ConnectionEnd::kTableFull);
  occupancy.Leave(0, Address("2001:db8::1"));
  EXPECT_FALSE(occupancy.Enter(0, Address("2001:db8:5::1")).has_value());
}

// Who was turned away must not be counted, or nobody would ever get in again.
TEST(Occupancy, TurningAwayLeavesNoTrace) {
  testing::FakeRandom random;
  Occupancy occupancy(Services(), {}, random);
  EXPECT_FALSE(occupancy.Enter(1, Address("192.0.2.1")).has_value());
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(occupancy.Enter(1, Address("192.0.2.9")), ConnectionEnd::kTableFull);
  occupancy.Leave(1, Address("192.0.2.1"));
  EXPECT_FALSE(occupancy.Enter(1, Address("192.0.2.9")).has_value());
}

TEST(Occupancy, BoundsWhatPoolsKeepOpen) {
  testing::FakeRandom random;
  Occupancy occupancy(Services(), {}, random);
  EXPECT_TRUE(occupancy.HasRoomToKeep(0));
  occupancy.Keep(0);
  EXPECT_FALSE(occupancy.HasRoomToKeep(0));
  occupancy.StopKeeping(0);
  EXPECT_TRUE(occupancy.HasRoomToKeep(0));
}

}  // namespace
}  // namespace ntsd::ke
