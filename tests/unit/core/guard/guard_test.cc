#include "core/guard/guard.h"

#include <gtest/gtest.h>

#include <array>
#include <set>
#include <string>
#include <vector>

#include "tests/support/fakes.h"

namespace ntsd {
namespace {

using std::chrono::hours;
using std::chrono::seconds;
using testing::FakeRandom;

IpPrefix Prefix(const char* text) { return IpPrefix::Parse(text).value(); }

GuardSettings Settings() {
  GuardSettings settings;
  settings.access = {{Prefix("0.0.0.0/0"), Prefix("::/0")}, {Prefix("198.51.100.0/24")}, {Prefix("203.0.113.7/32")}};
  settings.rate = {.rate = 2, .burst = 4, .prefixes = {}, .leak = 0, .kod = 0};
  return settings;
}

std::unique_ptr<GuardPolicy> Policy(const GuardSettings& settings) { return GuardPolicy::Make(settings).value(); }

class GuardTest : public ::testing::Test {
 protected:
  GuardReason Ask(const char* address, MonotonicTime now) {
    const IpAddress source = IpAddress::Parse(address).value();
    GuardReason reason{};
    worker_.Decide(std::span(&source, 1), now, random_, std::span(&reason, 1));
    return reason;
  }
  GuardReason Exhaust(const char* address) {
    for (int i = 0; i < 4; ++i) EXPECT_EQ(Ask(address, now_), GuardReason::kWithinRate);
    return Ask(address, now_);
  }
  void Reload(const GuardSettings& settings) { guard_.Reload(Policy(settings)); }
  std::uint64_t Count(GuardReason reason) const { return worker_.counters().Read(static_cast<std::size_t>(reason)); }

  FakeRandom random_{1};
  Guard guard_{1024, Policy(Settings()), random_};
  Guard::Worker worker_{guard_};
  MonotonicTime now_{hours(100)};
};

TEST_F(GuardTest, GivesEachReasonAndCountsIt) {
  GuardSettings settings = Settings();
  EXPECT_EQ(Ask("192.0.2.1", now_), GuardReason::kWithinRate);
  EXPECT_EQ(Ask("198.51.100.1", now_), GuardReason::kDeniedByAccess);
  EXPECT_EQ(Ask("203.0.113.7", now_), GuardReason::kExempt);
  EXPECT_EQ(Exhaust("192.0.2.2"), GuardReason::kRateDropped);
  settings.rate.leak = 1;
  Reload(settings);
  EXPECT_EQ(Ask("192.0.2.2", now_), GuardReason::kLeaked);
  settings.rate.leak = 0;
  settings.rate.kod = 1;
  Reload(settings);
  EXPECT_EQ(Ask("192.0.2.2", now_), GuardReason::kRateKod);
  EXPECT_EQ(Count(GuardReason::kWithinRate), 5U);
  EXPECT_EQ(Count(GuardReason::kDeniedByAccess), 1U);
  EXPECT_EQ(Count(GuardReason::kExempt), 1U);
  EXPECT_EQ(Count(GuardReason::kRateDropped), 1U);
  EXPECT_EQ(Count(GuardReason::kLeaked), 1U);
  EXPECT_EQ(Count(GuardReason::kRateKod), 1U);
}

TEST(GuardReason, HasAnActionAndANameEach) {
  const std::array<GuardAction, kGuardReasonCount> actions{GuardAction::kServe, GuardAction::kServe,
                                                           GuardAction::kServe, GuardAction::kRate,
                                                           GuardAction::kDrop,  GuardAction::kDrop};
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < kGuardReasonCount; ++i) {
    EXPECT_EQ(ActionOf(static_cast<GuardReason>(i)), actions[i]) << i;
    names.insert(GuardReasonName(static_cast<GuardReason>(i)));
  }
  EXPECT_EQ(names.size(), kGuardReasonCount);
}

TEST_F(GuardTest, ADeniedSourceTakesNoToken) {
  for (int i = 0; i < 100; ++i) EXPECT_EQ(Ask("198.51.100.1", now_), GuardReason::kDeniedByAccess);
  GuardSettings open = Settings();
  open.access.deny.clear();
  Reload(open);
  EXPECT_EQ(Exhaust("198.51.100.1"), GuardReason::kRateDropped);
}

TEST_F(GuardTest, AnExemptSourceIsNeverLimited) {
  for (int i = 0; i < 1'000; ++i) ASSERT_EQ(Ask("203.0.113.7", now_), GuardReason::kExempt);
}

TEST_F(GuardTest, RateZeroLimitsNobodyButAccessHolds) {
  GuardSettings settings = Settings();
  settings.rate = {};
  Reload(settings);
  for (int i = 0; i < 1'000; ++i) ASSERT_EQ(Ask("192.0.2.1", now_), GuardReason::kWithinRate);
  EXPECT_EQ(Ask("198.51.100.1", now_), GuardReason::kDeniedByAccess);
}

TEST_F(GuardTest, AMixedBatchKeepsItsOrder) {
  EXPECT_EQ(Exhaust("192.0.2.2"), GuardReason::kRateDropped);
  std::vector<IpAddress> sources;
  std::vector<GuardReason> expected;
  const auto add = [&](const char* address, GuardReason reason) {
    sources.push_back(IpAddress::Parse(address).value());
    expected.push_back(reason);
  };
  for (int i = 0; i < 8; ++i) {
    add("198.51.100.9", GuardReason::kDeniedByAccess);
    add("2001:db8::1", i < 4 ? GuardReason::kWithinRate : GuardReason::kRateDropped);
    add("192.0.2.2", GuardReason::kRateDropped);
    add("203.0.113.7", GuardReason::kExempt);
  }
  std::vector<GuardReason> reasons(sources.size());
  worker_.Decide(sources, now_, random_, reasons);
  EXPECT_EQ(reasons, expected);
}

TEST_F(GuardTest, AReloadKeepsTheBuckets) {
  EXPECT_EQ(Exhaust("192.0.2.2"), GuardReason::kRateDropped);
  GuardSettings settings = Settings();
  settings.access.deny.push_back(Prefix("192.0.2.3/32"));
  Reload(settings);
  EXPECT_EQ(Ask("192.0.2.2", now_), GuardReason::kRateDropped);
  EXPECT_EQ(Ask("192.0.2.3", now_), GuardReason::kDeniedByAccess);
  // Off and on again: the debt is still known.
  settings.rate.rate = 0;
  Reload(settings);
  EXPECT_EQ(Ask("192.0.2.2", now_), GuardReason::kWithinRate);
  Reload(Settings());
  EXPECT_EQ(Ask("192.0.2.2", now_), GuardReason::kRateDropped);
}

TEST_F(GuardTest, WorkersShareTheBuckets) {
  Guard::Worker other(guard_);
  EXPECT_EQ(Exhaust("192.0.2.2"), GuardReason::kRateDropped);
  const IpAddress source = IpAddress::Parse("192.0.2.2").value();
  GuardReason reason{};
  other.Decide(std::span(&source, 1), now_, random_, std::span(&reason, 1));
  EXPECT_EQ(reason, GuardReason::kRateDropped);
}

TEST_F(GuardTest, RefusesLimitsThatItCannotKeep) {
  GuardSettings settings = Settings();
  settings.rate.burst = 0;
  const auto policy = GuardPolicy::Make(settings);
  ASSERT_FALSE(policy.has_value());
  EXPECT_EQ(policy.error(), RateLimitsError::kBurst);
}

TEST_F(GuardTest, HousekeepingCountsTheBucketsInDebt) {
  Exhaust("192.0.2.2");
  Exhaust("192.0.2.3");
  Ask("203.0.113.7", now_);
  EXPECT_EQ(guard_.Housekeep(now_), 2U);
  EXPECT_EQ(guard_.Housekeep(now_ + seconds(2)), 0U);
  EXPECT_EQ(guard_.cell_count(), 1'024U);
}

TEST_F(GuardTest, ListsBusyClientsOnlyWhenToldTo) {
  const BusyClients* const tables[] = {&worker_.busy_clients()};
  Exhaust("192.0.2.2");
  EXPECT_TRUE(MergeBusyClients(tables, now_).empty());
  GuardSettings settings = Settings();
  settings.list_clients = true;
  Reload(settings);
  Ask("192.0.2.2", now_);
  Ask("198.51.100.1", now_);
  const auto clients = MergeBusyClients(tables, now_);
  ASSERT_EQ(clients.size(), 2U);
  for (const BusyClient& client : clients) EXPECT_EQ(client.refused_per_s, client.requests_per_s);
  // Turned off, the addresses go with the next batch.
  Reload(Settings());
  worker_.Decide({}, now_, random_, {});
  EXPECT_TRUE(MergeBusyClients(tables, now_).empty());
}

TEST_F(GuardTest, CountsTheUniqueClientsThatItServes) {
  for (const char* address : {"192.0.2.1", "192.0.2.2", "192.0.2.2", "2001:db8::1", "2001:db8::2", "198.51.100.1"}) {
    Ask(address, now_);
  }
  const UniqueClients* const sketches[] = {&worker_.unique_clients()};
  EXPECT_EQ(EstimateUniqueClients(sketches, now_).this_hour, 3U);
}

}  // namespace
}  // namespace ntsd
