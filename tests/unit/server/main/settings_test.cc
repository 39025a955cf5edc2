#include "server/main/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

namespace ntsd {
namespace {

TEST(ListenerPolicies, AreOneForEachAddress) {
  Config config;
  config.ntp.resize(2);
  config.ntp[0].versions = {3, 4};
  config.ntp[1].listen = {*IpEndpoint::Parse("192.0.2.1:123")};
  config.ntp[1].require_nts = PlainNtpPolicy::kDeny;
  config.ntp[1].smear = Smear::kLinear24h;
  const auto policies = ListenerPolicies(config);
  ASSERT_EQ(policies.size(), 3U) << "two default addresses and one";
  EXPECT_EQ(policies[0].versions, 0b11000);
  EXPECT_EQ(policies[1].require_nts, RequireNts::kNo);
  EXPECT_FALSE(policies[1].smear);
  EXPECT_EQ(policies[2].versions, 0b11110);
  EXPECT_EQ(policies[2].require_nts, RequireNts::kDeny);
  EXPECT_TRUE(policies[2].smear);
}

TEST(ListenerPolicies, PollNoFasterThanTheLimitsAllow_R_NTP_07) {
  Config config;
  config.ntp.resize(1);
  const auto floor_at = [&config](double rate) {
    config.limits.ntp.rate = rate;
    return int{ListenerPolicies(config)[0].poll_floor};
  };
  EXPECT_EQ(floor_at(0), -128) << "no limit, no floor";
  EXPECT_EQ(floor_at(2), -1);
  EXPECT_EQ(floor_at(1), 0);
  EXPECT_EQ(floor_at(0.9), 1) << "a second would be too fast";
  EXPECT_EQ(floor_at(1.0 / 64), 6);
  EXPECT_EQ(floor_at(10'000), -13);
}

TEST(KeSettings, KnowTheNtpServerThatTheyName) {
  Config config;
  config.ntp.resize(1);
  config.ntp[0].listen = {*IpEndpoint::Parse("192.0.2.1:11123"), *IpEndpoint::Parse("[2001:db8::1]:11123")};
  config.ke.resize(1);
  config.ke[0].ntp_server = "time.example.org";
  const ke::Settings settings = KeSettings(config, config.ke[0], {"token"});
  EXPECT_EQ(settings.policy.ntp_port, 11123) << "the port of the first [[ntp]] (R-KE-38)";
  EXPECT_EQ(settings.policy.ntp_server, "time.example.org");
  EXPECT_THAT(settings.policy.known_servers, ::testing::ElementsAre("192.0.2.1", "2001:db8::1"));
  EXPECT_THAT(settings.policy.pool_tokens, ::testing::ElementsAre("token"));
  EXPECT_EQ(settings.timeout, config.ke[0].timeout);
}

TEST(Stamps, AreAllKeptUnlessABenchmarkSaysOtherwise) {
  ASSERT_EQ(unsetenv("NTSD_STAMPS"), 0);
  EXPECT_EQ(StampsOfEnvironment(), StampsKept::kAll);
  ASSERT_EQ(setenv("NTSD_STAMPS", "unsampled", 1), 0);
  EXPECT_EQ(StampsOfEnvironment(), StampsKept::kUnsampled);
  ASSERT_EQ(setenv("NTSD_STAMPS", "none", 1), 0);
  EXPECT_EQ(StampsOfEnvironment(), StampsKept::kNone);
  ASSERT_EQ(setenv("NTSD_STAMPS", "some", 1), 0);
  EXPECT_EQ(StampsOfEnvironment(), std::nullopt);
  ASSERT_EQ(unsetenv("NTSD_STAMPS"), 0);
}

TEST(GuardSettings, TakeLimitsAndAccess) {
  Config config;
  config.access.deny = {*IpPrefix::Parse("192.0.2.0/24")};
  config.limits.ntp.exempt = {*IpPrefix::Parse("198.51.100.7")};
  const GuardSettings ntp = NtpGuardSettings(config);
  EXPECT_EQ(ntp.rate.rate, 2);
  EXPECT_EQ(ntp.rate.burst, 64U);
  EXPECT_EQ(ntp.rate.leak, 0.25);
  EXPECT_EQ(ntp.access.exempt, config.limits.ntp.exempt);
  const GuardSettings ke = KeGuardSettings(config);
  EXPECT_EQ(ke.access.deny, config.access.deny);
  EXPECT_EQ(ke.rate.leak, 0) << "a refused handshake is refused";
  EXPECT_TRUE(GuardPolicy::Make(ntp) && GuardPolicy::Make(ke));
}

TEST(ReferenceSettings, FollowTheSource) {
  Config config;
  EXPECT_EQ(ReferenceSettingsOf(config).kind, ReferenceKind::kChrony);
  EXPECT_EQ(ReferenceSettingsOf(config).address, "127.0.0.1:323");
  config.reference.source = ReferenceSource::kKernel;
  config.reference.reference_id = "GPS";
  EXPECT_EQ(ReferenceSettingsOf(config).reference_id, 0x47505300U);
}

}  // namespace
}  // namespace ntsd
