#include "bench/load/target_guard.h"

#include <gtest/gtest.h>

namespace ntsd::load {
namespace {

IpAddress Address(const char* text) { return *IpAddress::Parse(text); }

// What a namespace of a test looks like from inside: a veth pair, and no way out.
RouteFacts Neighbour() { return {.device = "to-server", .device_kind = "veth"}; }

TEST(TargetGuard, TakesLoopbackAndOwnAddresses) {
  EXPECT_FALSE(JudgeTarget(Address("127.0.0.1"), {.has_gateway = true}));
  EXPECT_FALSE(JudgeTarget(Address("::1"), {}));
  EXPECT_FALSE(JudgeTarget(Address("192.0.2.9"), {.is_local = true, .leads_elsewhere = true}));
}

TEST(TargetGuard, TakesANeighbourInANetworkMadeForATest) {
  EXPECT_FALSE(JudgeTarget(Address("192.0.2.1"), Neighbour()));
  EXPECT_FALSE(JudgeTarget(Address("2001:db8::1"), Neighbour()));
}

TEST(TargetGuard, RefusesEverythingElse) {
  RouteFacts facts = Neighbour();
  facts.has_gateway = true;
  EXPECT_TRUE(JudgeTarget(Address("192.0.2.1"), facts)) << "beyond a gateway";
  facts = Neighbour();
  facts.leads_elsewhere = true;
  EXPECT_TRUE(JudgeTarget(Address("192.0.2.1"), facts)) << "a container with a way out";
  for (const char* const kind : {"", "bridge", "wireguard"}) {
    facts = Neighbour();
    facts.device_kind = kind;
    EXPECT_TRUE(JudgeTarget(Address("192.0.2.1"), facts)) << "a network card, or what may lead to one";
  }
  EXPECT_TRUE(JudgeTarget(Address("224.0.1.1"), {.is_local = true}));
  EXPECT_TRUE(JudgeTarget(Address("0.0.0.0"), {.is_local = true}));
}

TEST(TargetGuard, AsksTheKernel) {
  const auto own = AskForRoute(Address("127.0.0.1"));
  ASSERT_TRUE(own) << own.error();
  EXPECT_TRUE(own->is_local);
  EXPECT_EQ(GuardTarget(Address("127.0.0.1"), false), "");
  const std::string refusal = GuardTarget(Address("192.0.2.1"), false);
  EXPECT_NE(refusal.find("192.0.2.1"), std::string::npos);
  EXPECT_EQ(GuardTarget(Address("192.0.2.1"), true), "") << "whoever says that it is his";
}

}  // namespace
}  // namespace ntsd::load
