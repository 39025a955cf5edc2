#include "core/guard/busy_clients.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/fakes.h"

namespace ntsd {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::FakeRandom;

class BusyClientsTest : public ::testing::Test {
 protected:
  void Add(BusyClients& table, const IpAddress& source, bool refused, MonotonicTime now) {
    table.Add(source, lengths_, hash_(source, PrefixMasks(lengths_)), refused, now);
  }
  std::vector<BusyClient> List(MonotonicTime now) {
    const BusyClients* const tables[] = {&table_};
    return MergeBusyClients(tables, now);
  }

  FakeRandom random_{11};
  PrefixHash hash_{random_};
  PrefixLengths lengths_;
  BusyClients table_;
  MonotonicTime start_{seconds(1'000)};
};

TEST_F(BusyClientsTest, ReportsRatesOfASteadyStream) {
  const IpAddress source = IpAddress::Parse("2001:db8:1:2:3:4:5:6").value();
  MonotonicTime now = start_;
  for (int i = 0; i < 6'000; ++i, now += milliseconds(100)) Add(table_, source, i % 4 == 0, now);
  const auto clients = List(now);
  ASSERT_EQ(clients.size(), 1U);
  EXPECT_EQ(clients[0].network, IpPrefix::Parse("2001:db8:1:2::/64").value());
  EXPECT_NEAR(clients[0].requests_per_s, 10, 0.2);
  EXPECT_NEAR(clients[0].refused_per_s, 2.5, 0.05);
  EXPECT_EQ(clients[0].overcount_per_s, 0);
  EXPECT_NEAR(List(now + seconds(60))[0].requests_per_s, 5, 0.1);
}

TEST_F(BusyClientsTest, FindsTheHeavyOnesInAFloodOfStrangers) {
  constexpr std::uint32_t kHeavyCount = 20;
  MonotonicTime now = start_;
  // Each heavy one sends 1 % of the packets; the rest never comes back.
  for (std::uint32_t i = 0; i < 400'000; ++i, now += milliseconds(1)) {
    const auto lot = static_cast<std::uint32_t>(random_.Below(100));
    Add(table_, IpAddress::V4(lot < kHeavyCount ? 0xC0000200 + lot : static_cast<std::uint32_t>(random_.Next())), false,
        now);
  }
  auto clients = List(now);
  ASSERT_GE(clients.size(), kHeavyCount);
  clients.resize(kHeavyCount);
  const IpPrefix heavy = IpPrefix::Parse("192.0.2.0/24").value();
  for (const BusyClient& client : clients) {
    EXPECT_TRUE(heavy.Contains(client.network.address)) << client.network.ToString();
    // 10 a second each; never below the truth, above it by no more than it admits.
    EXPECT_GE(client.requests_per_s, 8.0);
    EXPECT_LE(client.requests_per_s - client.overcount_per_s, 12.0);
  }
  // A bounded table, whatever came.
  EXPECT_LE(List(now).size(), 1'024U);
}

// What a displaced network had goes to the one that took its place, so every request stays in the sum, and no figure is
// below the truth.
TEST_F(BusyClientsTest, LosesNoRequestHoweverManyNetworksCome) {
  constexpr std::uint32_t kNetworkCount = 20'000;
  for (std::uint32_t i = 0; i < kNetworkCount; ++i) Add(table_, IpAddress::V4(i), false, start_);
  double sum_per_s = 0;
  for (const BusyClient& client : List(start_)) {
    sum_per_s += client.requests_per_s;
    // Each of them came once, which is one in 60 s / ln 2.
    EXPECT_NEAR(client.requests_per_s - client.overcount_per_s, 0.01155, 0.0001);
  }
  EXPECT_NEAR(sum_per_s, kNetworkCount * 0.01155, 0.1);
}

TEST_F(BusyClientsTest, MergesWhatWorkersCountedApart) {
  BusyClients other;
  MonotonicTime now = start_;
  for (int i = 0; i < 1'000; ++i, now += milliseconds(1'000)) {
    Add(table_, IpAddress::V4(1), false, now);
    Add(other, IpAddress::V4(1), true, now);
    Add(other, IpAddress::V4(2), true, now);
  }
  const BusyClients* const tables[] = {&table_, &other};
  const auto clients = MergeBusyClients(tables, now);
  ASSERT_EQ(clients.size(), 2U);
  EXPECT_EQ(clients[0].network.address, IpAddress::V4(1));
  EXPECT_NEAR(clients[0].requests_per_s, 2, 0.05);
  EXPECT_NEAR(clients[0].refused_per_s, 1, 0.03);
  EXPECT_NEAR(clients[1].requests_per_s, 1, 0.03);
}

TEST_F(BusyClientsTest, ClearForgetsEveryAddress) {
  for (std::uint32_t i = 0; i < 5'000; ++i) Add(table_, IpAddress::V4(i), false, start_);
  EXPECT_FALSE(List(start_).empty());
  table_.Clear();
  EXPECT_TRUE(List(start_).empty());
  Add(table_, IpAddress::V4(1), false, start_);
  EXPECT_EQ(List(start_).size(), 1U);
}

}  // namespace
}  // namespace ntsd
