#include "bench/load/command_line.h"

#include <gtest/gtest.h>

namespace ntsd::load {
namespace {

Expected<CommandLine, CommandLineEnd> Parse(std::vector<const char*> words) {
  words.insert(words.begin(), "ntsload");
  return ParseCommandLine(static_cast<int>(words.size()), words.data());
}

TEST(CommandLine, DefaultsAreLow) {
  const auto line = Parse({"ntp", "127.0.0.1"});
  ASSERT_TRUE(line) << line.error().text;
  const NtpSettings& ntp = std::get<NtpTask>(line->task).settings;
  EXPECT_EQ(ntp.rate, 1000);
  EXPECT_FALSE(ntp.window);
  EXPECT_EQ(ntp.verify_every, 1U);
  EXPECT_FALSE(line->target.is_own);
  const auto ke = Parse({"ke", "127.0.0.1"});
  ASSERT_TRUE(ke);
  EXPECT_EQ(std::get<KeTask>(ke->task).settings.rate, 10);
}

TEST(CommandLine, TakesWhatTheManualNames) {
  const auto line = Parse(
      {"ntp",          "host.test", "--rate",    "250000",         "--seconds", "2.5",       "--clients",
       "40",           "--aead",    "30",        "--placeholders", "7",         "--threads", "2",
       "--arrivals",   "poisson",   "--cookies", "fresh",          "--forged",  "0.1",       "--garbage",
       "0.2",          "--verify",  "10",        "--stamps",       "50",        "--cpus",    "0,1",
       "--server-pid", "77",        "--source",  "127.1.0.0/30",   "--timeout", "0.5",       "--i-own-this-server"});
  ASSERT_TRUE(line) << line.error().text;
  const NtpSettings& ntp = std::get<NtpTask>(line->task).settings;
  EXPECT_EQ(ntp.rate, 250'000);
  EXPECT_EQ(ntp.length, std::chrono::milliseconds(2500));
  EXPECT_EQ(ntp.aead, 30);
  EXPECT_EQ(ntp.placeholders, 7U);
  EXPECT_EQ(ntp.arrivals, ArrivalKind::kPoisson);
  EXPECT_TRUE(ntp.has_fresh_cookies);
  EXPECT_EQ(ntp.verify_every, 10U);
  EXPECT_EQ(ntp.stamp_every, 50U);
  EXPECT_EQ(ntp.sources.size(), 2U);
  EXPECT_EQ(ntp.cpus, (std::vector<int>{0, 1}));
  EXPECT_EQ(line->target.server_pid, 77);
  EXPECT_TRUE(line->target.is_own);
}

TEST(CommandLine, MaxMeansNoRate) {
  EXPECT_FALSE(std::get<NtpTask>(Parse({"ntp", "h", "--rate", "max"})->task).settings.rate);
  EXPECT_FALSE(std::get<KeTask>(Parse({"ke", "h", "--rate", "max"})->task).settings.rate);
}

TEST(CommandLine, PlaceholdersUnsaidAreAsManyAsAreMissing) {
  EXPECT_FALSE(std::get<NtpTask>(Parse({"ntp", "h"})->task).settings.placeholders);
  EXPECT_EQ(std::get<SweepTask>(Parse({"sweep", "h", "--placeholders", "0"})->task).settings.ntp.placeholders, 0U);
}

TEST(CommandLine, MisbehavingClients) {
  const auto line = Parse({"ke", "h", "--misbehave", "slow=0.25,half-open=0.5", "--concurrency", "9"});
  ASSERT_TRUE(line) << line.error().text;
  const KeSettings& ke = std::get<KeTask>(line->task).settings;
  EXPECT_EQ(ke.shares[static_cast<std::size_t>(KeBehaviour::kSlow)], 0.25);
  EXPECT_EQ(ke.shares[static_cast<std::size_t>(KeBehaviour::kHalfOpen)], 0.5);
  EXPECT_EQ(ke.concurrency, 9U);
}

class Mistakes : public ::testing::TestWithParam<std::vector<const char*>> {};
INSTANTIATE_TEST_SUITE_P(CommandLine, Mistakes,
                         ::testing::Values(std::vector<const char*>{}, std::vector<const char*>{"ntp"},
                                           std::vector<const char*>{"ntp", "h", "--rate", "-1"},
                                           std::vector<const char*>{"ntp", "h", "--rate", "fast"},
                                           std::vector<const char*>{"ntp", "h", "--rate", "10", "--window", "4"},
                                           std::vector<const char*>{"ntp", "h", "--aead", "16"},
                                           std::vector<const char*>{"ntp", "h", "--placeholders", "8"},
                                           std::vector<const char*>{"ntp", "h", "--verify", "none"},
                                           std::vector<const char*>{"ntp", "h", "--plain", "--forged", "0.5"},
                                           std::vector<const char*>{"ntp", "h", "--forged", "0.7", "--stale", "0.7"},
                                           std::vector<const char*>{"ntp", "h", "--ntp-version", "3"},
                                           std::vector<const char*>{"ntp", "h", "--plain", "--cookies", "fresh"},
                                           std::vector<const char*>{"ntp", "h", "--echo", "--interleaved"},
                                           std::vector<const char*>{"ntp", "h", "--threads", "4", "--clients", "2"},
                                           std::vector<const char*>{"ntp", "h", "--source", "300.0.0.1"},
                                           std::vector<const char*>{"ke", "h", "--misbehave", "rude=0.5"},
                                           std::vector<const char*>{"ke", "h", "--misbehave", "slow=0.9,garbage=0.9"},
                                           std::vector<const char*>{"sweep", "h", "--from", "5000", "--to", "2000"},
                                           std::vector<const char*>{"report"}));
TEST_P(Mistakes, AreRefusedWithStatusTwo) {
  const auto line = Parse(GetParam());
  ASSERT_FALSE(line);
  EXPECT_EQ(line.error().exit_status, 2);
  EXPECT_NE(line.error().text.find("ntsload: "), std::string::npos);
}

TEST(CommandLine, HelpIsNoMistake) {
  const auto line = Parse({"ntp", "--help"});
  ASSERT_FALSE(line);
  EXPECT_EQ(line.error().exit_status, 0);
  EXPECT_NE(line.error().text.find("--rate"), std::string::npos);
}

TEST(Sources, ArePrefixesAddressByAddress) {
  EXPECT_EQ(ParseSources("127.0.0.5")->size(), 1U);
  const auto four = ParseSources("127.0.1.0/29");
  ASSERT_EQ(four->size(), 6U) << "without network and broadcast address";
  EXPECT_EQ(four->front().ToString(), "127.0.1.1");
  EXPECT_EQ(four->back().ToString(), "127.0.1.6");
  const auto many = ParseSources("127.0.0.0/8");
  EXPECT_EQ(many->size(), kSourcesMax - 1);
  EXPECT_EQ(many->back().ToString(), "127.0.15.255");
  EXPECT_EQ(ParseSources("2001:db8::/126")->size(), 4U);
  EXPECT_FALSE(ParseSources("127.0.0.1/33"));
  EXPECT_FALSE(ParseSources("here"));
}

}  // namespace
}  // namespace ntsd::load
