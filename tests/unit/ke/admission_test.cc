// Who is not let in, and who is cut off: the last of the ways in which a connection can end.
#include <gtest/gtest.h>

#include <memory>

#include "ke/ending.h"
#include "tests/support/fakes.h"
#include "tests/support/hex.h"
#include "tests/support/ke_front_end.h"

namespace ntsd::ke {
namespace {

using std::chrono::milliseconds;
using testing::FromHex;
using testing::FrontEnd;
using testing::RawClient;

const std::string kRequest = "80010002000080040002000f80000000";

void ExpectClosedAtOnce(FrontEnd& front_end) {
  RawClient client(front_end);
  EXPECT_EQ(client.ReadAll(), "");
  EXPECT_TRUE(client.saw_fin || client.saw_reset);
}

TEST(Admission, TableFull) {
  FrontEnd::Options options;
  options.settings.max_connections = 2;
  FrontEnd front_end(std::move(options));
  {
    RawClient first(front_end);
    RawClient second(front_end);
    ExpectClosedAtOnce(front_end);
    EXPECT_TRUE(front_end.WaitForCount(ConnectionEnd::kTableFull));
  }
  EXPECT_TRUE(front_end.WaitUntilIdle());
  EXPECT_TRUE(Query(front_end.Query()).has_value());
}

// Who has had its answer and does not close makes room.
TEST(Admission, TableIsNotFullOfThoseWhoHaveBeenServed) {
  FrontEnd::Options options;
  options.settings.max_connections = 2;
  FrontEnd front_end(std::move(options));
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 6; ++i) {
    clients.push_back(std::make_unique<RawClient>(front_end));
    ASSERT_TRUE(clients.back()->Handshake()) << i;
    ASSERT_TRUE(clients.back()->Send(FromHex(kRequest)));
    EXPECT_GT(clients.back()->ReadSome(800).size(), 800U);
  }
  EXPECT_EQ(front_end.Count(ConnectionEnd::kTableFull), 0U);
  EXPECT_EQ(front_end.Count(ConnectionEnd::kServed), 6U);
}

TEST(Admission, PrefixFull) {
  FrontEnd::Options options;
  options.settings.max_connections_per_prefix = 1;
  FrontEnd front_end(std::move(options));
  RawClient first(front_end);
  EXPECT_TRUE(testing::Eventually([&] { return front_end.server().Read().active == 1; }));
  ExpectClosedAtOnce(front_end);
  EXPECT_TRUE(front_end.WaitForCount(ConnectionEnd::kPrefixFull));
}

std::unique_ptr<Guard> MakeGuard(const GuardSettings& settings) {
  testing::FakeRandom random;
  return std::make_unique<Guard>(1024, *GuardPolicy::Make(settings), random);
}

TEST(Admission, Denied) {
  GuardSettings settings;
  settings.access.allow = {*IpPrefix::Parse("192.0.2.0/24")};
  const std::unique_ptr<Guard> guard = MakeGuard(settings);
  FrontEnd::Options options;
  options.server.guard = guard.get();
  FrontEnd front_end(std::move(options));
  ExpectClosedAtOnce(front_end);
  EXPECT_TRUE(front_end.WaitForCount(ConnectionEnd::kDenied));
}

TEST(Admission, RateLimited) {
  GuardSettings settings;
  settings.access.allow = {*IpPrefix::Parse("127.0.0.0/8")};
  settings.rate.rate = 0.01;
  settings.rate.burst = 2;
  const std::unique_ptr<Guard> guard = MakeGuard(settings);
  FrontEnd::Options options;
  options.server.guard = guard.get();
  FrontEnd front_end(std::move(options));
  EXPECT_TRUE(Query(front_end.Query()).has_value());
  EXPECT_TRUE(Query(front_end.Query()).has_value());
  ExpectClosedAtOnce(front_end);
  EXPECT_TRUE(front_end.WaitForCount(ConnectionEnd::kRateLimited));
}

// With a bound that no machine can keep, the first connection shows that the worker is too slow.
TEST(Admission, Saturated) {
  FrontEnd::Options options;
  options.server.saturation = Duration(1);
  FrontEnd front_end(std::move(options));
  RawClient client(front_end);
  ASSERT_TRUE(client.Handshake());
  std::this_thread::sleep_for(milliseconds(20));
  ASSERT_TRUE(client.Send(FromHex(kRequest)));
  EXPECT_TRUE(testing::Eventually([&] {
    ExpectClosedAtOnce(front_end);
    return front_end.Count(ConnectionEnd::kSaturated) > 0;
  }));
  // Who is in is served.
  EXPECT_GT(client.ReadAll().size(), 800U);
}

TEST(Admission, Shutdown) {
  FrontEnd front_end;
  RawClient client(front_end);
  ASSERT_TRUE(client.Handshake());
  EXPECT_EQ(front_end.server().Drain(milliseconds(50)), 1U);
  EXPECT_EQ(front_end.Count(ConnectionEnd::kShutdown), 1U);
}

}  // namespace
}  // namespace ntsd::ke
