// The guard against the traffic of public servers, in virtual time: hours of floods and weeks of honest polling in
// seconds. Each test states what share of honest queries is answered, and what the other side gets.
//
// All with the defaults of [limits.ntp] unless a test says otherwise: 2 a second, bursts of 64, a quarter of the excess
// leaked, a sixteenth answered with RATE. Times and chances are seeded, so that every run is the same.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <queue>
#include <vector>

#include "core/guard/guard.h"
#include "tests/support/fakes.h"

namespace ntsd {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::FakeRandom;

IpPrefix Prefix(const char* text) { return IpPrefix::Parse(text).value(); }
IpAddress Address(const char* text) { return IpAddress::Parse(text).value(); }

GuardSettings PublicServer() {
  GuardSettings settings;
  settings.access.allow = {Prefix("0.0.0.0/0"), Prefix("::/0")};
  settings.rate = {.rate = 2, .burst = 64, .prefixes = {}, .leak = 0.25, .kod = 0.0625};
  return settings;
}

// What became of the packets of one party.
struct Tally {
  std::uint64_t asked = 0;
  std::uint64_t served = 0;
  std::uint64_t told_to_slow_down = 0;
  std::uint64_t unserved_in_a_row = 0;
  std::uint64_t unserved_in_a_row_max = 0;

  void Count(GuardReason reason) {
    ++asked;
    const GuardAction action = ActionOf(reason);
    told_to_slow_down += action == GuardAction::kRate ? 1 : 0;
    if (action == GuardAction::kServe) {
      ++served;
      unserved_in_a_row = 0;
    } else {
      unserved_in_a_row_max = std::max(unserved_in_a_row_max, ++unserved_in_a_row);
    }
  }
  double share() const { return static_cast<double>(served) / static_cast<double>(asked); }
  double rate_share() const { return static_cast<double>(told_to_slow_down) / static_cast<double>(asked); }
};

// One worker of a server, in virtual time.
class Server {
 public:
  explicit Server(const GuardSettings& settings, std::size_t cell_count = 4'096)
      : guard_(cell_count, GuardPolicy::Make(settings).value(), random_), worker_(guard_) {}

  MonotonicTime now() const { return now_; }
  void Advance(Duration by) { now_ += by; }
  void Housekeep() { guard_.Housekeep(now_); }
  FakeRandom& random() { return random_; }

  void Ask(const IpAddress& source, Tally& tally) { AskAll(std::span(&source, 1), tally); }
  void AskAll(std::span<const IpAddress> sources, Tally& tally) {
    std::array<GuardReason, kBatchSizeMax> reasons;
    while (!sources.empty()) {
      const auto batch = sources.first(std::min(sources.size(), kBatchSizeMax));
      worker_.Decide(batch, now_, random_, std::span(reasons).first(batch.size()));
      for (std::size_t i = 0; i < batch.size(); ++i) tally.Count(reasons[i]);
      sources = sources.subspan(batch.size());
    }
  }

 private:
  FakeRandom random_{2026};
  MonotonicTime now_{hours(24 * 40)};
  Guard guard_;
  Guard::Worker worker_;
};

// A population of honest clients: each begins with an iburst (8 packets, 2 s apart) somewhere in the first
// `start_within`, and then polls at its interval.
class Population {
 public:
  Population(Server& server, std::vector<IpAddress> addresses, Duration poll_interval, Duration start_within)
      : server_(server), addresses_(std::move(addresses)), poll_interval_(poll_interval), sent_(addresses_.size()) {
    for (std::size_t i = 0; i < addresses_.size(); ++i) {
      const auto wait = static_cast<std::uint64_t>(std::max<std::int64_t>(start_within.count(), 1));
      polls_.push({server.now() + Duration(static_cast<std::int64_t>(server.random().Below(wait))), i});
    }
  }

  // Sends everything that is due. Ends: each poll puts off that client's next one by seconds.
  void SendDue(Tally& tally) {
    while (polls_.top().when <= server_.now()) {
      const Poll poll = polls_.top();
      polls_.pop();
      server_.Ask(addresses_[poll.client], tally);
      polls_.push({poll.when + (++sent_[poll.client] < 8 ? Duration(seconds(2)) : poll_interval_), poll.client});
    }
  }
  MonotonicTime next() const { return polls_.top().when; }

  // Nothing but these clients for a while.
  void RunFor(Duration time, Tally& tally) {
    const MonotonicTime end = server_.now() + time;
    while (next() < end) {
      server_.Advance(std::max(next() - server_.now(), Duration(0)));
      SendDue(tally);
    }
    server_.Advance(end - server_.now());
  }

 private:
  struct Poll {
    MonotonicTime when;
    std::size_t client;
    bool operator>(const Poll& other) const { return when > other.when; }
  };

  Server& server_;
  std::vector<IpAddress> addresses_;
  Duration poll_interval_;
  std::vector<int> sent_;
  std::priority_queue<Poll, std::vector<Poll>, std::greater<>> polls_;
};

std::vector<IpAddress> Hosts(std::uint32_t first, std::size_t count) {
  std::vector<IpAddress> hosts(count);
  for (std::size_t i = 0; i < count; ++i) hosts[i] = IpAddress::V4(first + static_cast<std::uint32_t>(i));
  return hosts;
}

// --- Honest clients alone ---

// Honest clients: all answered, over sixty days, in which the time of the table's cells comes round once.
TEST(GuardSim, SixtyDaysOfHonestPollingAreAnsweredCompletely) {
  Server server(PublicServer());
  Population clients(server, Hosts(0x0A000000, 50), seconds(1'024), hours(1));
  Tally tally;
  for (int day = 0; day < 60; ++day) {
    clients.RunFor(hours(24), tally);
    server.Housekeep();
  }
  EXPECT_GT(tally.asked, 250'000U);
  EXPECT_EQ(tally.served, tally.asked);
}

// Honest clients: all answered. 100 of them share one address, poll every 64 s, and start within a quarter of an hour.
TEST(GuardSim, AHundredClientsBehindOneNatAreAnsweredCompletely) {
  Server server(PublicServer());
  Population clients(server, std::vector<IpAddress>(100, Address("192.0.2.1")), seconds(64), minutes(15));
  Tally tally;
  clients.RunFor(hours(48), tally);
  EXPECT_GT(tally.asked, 250'000U);
  EXPECT_EQ(tally.served, tally.asked);
}

// Honest clients: 35 % answered. A thousand behind one address ask eight times the rate: 2 of 15.6 a second are within
// it, and a quarter of the rest leaks. Nobody waits for long.
TEST(GuardSim, AThousandClientsBehindOneNatGetTheRateAndTheLeak) {
  Server server(PublicServer());
  Population clients(server, std::vector<IpAddress>(1'000, Address("192.0.2.1")), seconds(64), minutes(15));
  Tally tally;
  clients.RunFor(hours(6), tally);
  EXPECT_NEAR(tally.share(), 2 / 15.625 + 0.25 * (1 - 2 / 15.625), 0.01);
  EXPECT_NEAR(tally.rate_share(), 0.0625 * (1 - 2 / 15.625), 0.005);
  EXPECT_LT(tally.unserved_in_a_row_max, 60U);
}

// Honest clients: all answered. A city comes back after a power cut: 5,000 homes with three clients each, all at once.
TEST(GuardSim, APowerCutsReturnIsAnsweredCompletely) {
  Server server(PublicServer(), std::size_t{1} << 14);
  std::vector<IpAddress> homes = Hosts(0x0A000000, 5'000);
  std::vector<IpAddress> clients_of_homes;
  for (int i = 0; i < 3; ++i) clients_of_homes.insert(clients_of_homes.end(), homes.begin(), homes.end());
  Population clients(server, clients_of_homes, seconds(64), seconds(5));
  Tally tally;
  clients.RunFor(minutes(2), tally);
  EXPECT_EQ(tally.served, tally.asked);
}

// Honest clients: at least 55 % of the bursts answered, and all polls afterwards. An office of 30 starts at once behind
// one address: 240 packets in 15 s, of which 64 + 30 are within the rate.
TEST(GuardSim, AnOfficeThatStartsAtOnceRecoversWithinTwoMinutes) {
  Server server(PublicServer());
  Population clients(server, std::vector<IpAddress>(30, Address("192.0.2.1")), seconds(64), seconds(1));
  Tally bursts;
  clients.RunFor(seconds(20), bursts);
  EXPECT_EQ(bursts.asked, 240U);
  EXPECT_GE(bursts.share(), 0.5);
  clients.RunFor(seconds(100), bursts);
  Tally polls;
  clients.RunFor(hours(1), polls);
  EXPECT_EQ(polls.served, polls.asked);
}

// Monitors: all answered when exempt, 33 % when not: 20 a second out of one network, which is ten times the rate.
TEST(GuardSim, PoolMonitorsPassWhenExempt) {
  for (const bool exempt : {true, false}) {
    GuardSettings settings = PublicServer();
    if (exempt) settings.access.exempt = {Prefix("2001:db8:77::/48")};
    Server server(settings);
    Tally monitors;
    for (int i = 0; i < 20 * 3'600; ++i) {
      server.Ask(Address("2001:db8:77::1"), monitors);
      server.Advance(milliseconds(50));
    }
    if (exempt) {
      EXPECT_EQ(monitors.served, monitors.asked);
    } else {
      EXPECT_NEAR(monitors.share(), 0.1 + 0.25 * 0.9, 0.01);
    }
  }
}

// --- Floods ---

// The victim of a spoofer: 26 % of its polls answered, for twelve hours of 100 packets a second in its name, so a
// client keeps its time; the first poll after the flood is answered. Everybody else: all.
TEST(GuardSim, ASpooferCannotSilenceItsVictim) {
  Server server(PublicServer());
  const IpAddress victim_address = Address("198.51.100.7");
  Population others(server, Hosts(0x0A000000, 100), seconds(64), minutes(1));
  Tally spoofer;
  Tally victim;
  Tally everybody_else;
  const std::vector<IpAddress> volley(10, victim_address);
  for (int i = 0; i < 12 * 3'600 * 10; ++i) {
    server.AskAll(volley, spoofer);
    if (i % 160 == 80) server.Ask(victim_address, victim);
    others.SendDue(everybody_else);
    server.Advance(milliseconds(100));
  }
  // A quarter leaks, and two of a hundred are within the rate.
  EXPECT_NEAR(victim.share(), 0.265, 0.03);
  EXPECT_NEAR(spoofer.share(), 0.265, 0.005);
  // Out of 2,700 polls, chance makes such a run now and then; at a poll of 64 s it bridges half an hour.
  EXPECT_LT(victim.unserved_in_a_row_max, 40U);
  EXPECT_EQ(everybody_else.served, everybody_else.asked);

  server.Advance(seconds(1));
  Tally after;
  for (int i = 0; i < 100; ++i) {
    server.Ask(victim_address, after);
    server.Advance(seconds(16));
  }
  EXPECT_EQ(after.served, after.asked);
}

// Honest clients: all answered, those that come for the first time included, while strangers that never come twice
// owe four times as many buckets as the table has. A heavy source does not hide among them: it gets rate and leak.
TEST(GuardSim, StrangersCannotFillTheTable) {
  Server server(PublicServer(), 4'096);
  Population clients(server, Hosts(0x0A000000, 400), seconds(16), seconds(50));
  Tally honest;
  Tally heavy;
  Tally strangers;
  std::vector<IpAddress> flood(32);
  const IpAddress heavy_address = Address("198.51.100.7");
  constexpr int kSeconds = 60;
  // 32,768 strangers a second, each of whom owes half a second: 16,384 in debt.
  for (int i = 0; i < kSeconds * 1'024; ++i) {
    for (IpAddress& source : flood) {
      source = IpAddress::V4(0x60000000 | (static_cast<std::uint32_t>(server.random().Next()) & 0x1FFFFFFF));
    }
    server.AskAll(flood, strangers);
    if (i % 8 == 0) server.Ask(heavy_address, heavy);
    clients.SendDue(honest);
    server.Advance(Duration(seconds(1)) / 1'024);
  }
  EXPECT_GT(honest.asked, 3'000U);
  EXPECT_EQ(honest.served, honest.asked);
  EXPECT_EQ(strangers.served, strangers.asked);
  const double within = 64 + 2.0 * kSeconds;
  EXPECT_LE(static_cast<double>(heavy.served), within + 0.27 * (static_cast<double>(heavy.asked) - within));
}

// What a botnet of heavy sources gets, and what honest newcomers get beside it.
struct BotnetOutcome {
  Tally bots;
  Tally newcomers;
};

// Each bot sends at ten times the rate, by chance: in a round, as many packets as there are bots.
BotnetOutcome RunBotnet(const GuardSettings& settings, std::size_t cell_count, std::size_t bot_count, int round_count) {
  Server server(settings, cell_count);
  BotnetOutcome outcome;
  const auto round_time = Duration(seconds(1)) / static_cast<std::int64_t>(10 * settings.rate.rate);
  const Duration step = round_time / static_cast<std::int64_t>(bot_count / 64);
  std::vector<IpAddress> volley(64);
  std::uint32_t newcomer = 0x0A000000;
  for (int round = 0; round < round_count; ++round) {
    for (std::uint32_t bot = 0; bot < bot_count; bot += 64) {
      for (IpAddress& source : volley) {
        source = IpAddress::V4(0x60000000 + static_cast<std::uint32_t>(server.random().Below(bot_count)) * 7);
      }
      server.AskAll(volley, outcome.bots);
      server.Advance(step);
      // Once all bots are through their bursts, an honest client comes now and then with its first packet.
      if (round > round_count / 2 && bot % 512 == 0) server.Ask(IpAddress::V4(newcomer++), outcome.newcomers);
    }
  }
  return outcome;
}

// Honest newcomers: all answered. Bots: no more than burst, rate and leak. Half as many bots as the table has cells,
// each at ten times the rate for a minute.
TEST(GuardSim, ABotnetGetsItsRateAndNewcomersAreAnswered) {
  constexpr int kRounds = 1'200;  // 60 s
  const BotnetOutcome outcome = RunBotnet(PublicServer(), 4'096, 2'048, kRounds);
  const double within_share = (64 + 2.0 * 60) / kRounds;
  EXPECT_NEAR(outcome.bots.share(), within_share + 0.25 * (1 - within_share), 0.005);
  EXPECT_GT(outcome.newcomers.asked, 2'000U);
  EXPECT_EQ(outcome.newcomers.served, outcome.newcomers.asked);
}

// The same with the default table and 1,048,576 bots. Smaller bursts only make the test short.
TEST(GuardSim, ABotnetOfAMillionGetsItsRateAndNewcomersAreAnswered) {
  GuardSettings settings = PublicServer();
  settings.rate.burst = 2;
  const BotnetOutcome outcome = RunBotnet(settings, kRateCellsDefault, std::size_t{1} << 20, 6);
  // 2 at once, and half a token in 0.25 s.
  const double within_share = 2.0 / 6;
  EXPECT_NEAR(outcome.bots.share(), within_share + 0.25 * (1 - within_share), 0.005);
  EXPECT_GT(outcome.newcomers.asked, 4'000U);
  EXPECT_GE(outcome.newcomers.share(), 0.9999);
}

// Honest newcomers: the leak, 25 %. The end of the promise, stated: with four times as many heavy sources as cells
// nobody is told from a bot any more. But the bots do not escape either: they get what all cells hold, the leak, and 2
// % until the table knows that it is crowded.
TEST(GuardSim, ABotnetLargerThanTheTableStillDoesNotEscape) {
  constexpr int kRounds = 1'200;
  const BotnetOutcome outcome = RunBotnet(PublicServer(), 512, 2'048, kRounds);
  const double within_share = (64 + 2.0 * 60) * 512 / (2'048.0 * kRounds);
  EXPECT_LE(outcome.bots.share(), within_share + 0.25 * (1 - within_share) + 0.02);
  EXPECT_GE(outcome.newcomers.share(), 0.22);
}

// --- IPv6 ---

// Honest clients elsewhere: all answered. Who hops within a /64 is one network: its rate and the leak; an honest client
// in the same /64 shares its fate and gets the leak, 25 %.
TEST(GuardSim, HoppingWithinASlash64DoesNotHelp) {
  Server server(PublicServer());
  Population clients(server, Hosts(0x0A000000, 50), seconds(16), seconds(30));
  Tally honest;
  Tally hopper;
  Tally neighbour;
  IpAddress source = Address("2001:db8:1:2::");
  for (int i = 0; i < 600 * 1'000; ++i) {
    server.random().Fill(ByteSpan(source.octets).last(8));
    server.Ask(source, hopper);
    if (i % 500 == 0) server.Ask(Address("2001:db8:1:2::53"), neighbour);
    clients.SendDue(honest);
    server.Advance(milliseconds(1));
  }
  EXPECT_LE(hopper.share(), 0.26);
  EXPECT_NEAR(neighbour.share(), 0.25, 0.06);
  EXPECT_EQ(honest.served, honest.asked);
}

// Honest clients elsewhere: all answered, whichever length is set. Who hops within a /48 has 65,536 networks: at the
// default of /64 it is not held, at /48 it gets its rate and the leak.
TEST(GuardSim, HoppingWithinASlash48IsHeldOnlyWhenPrefixesAreThatShort) {
  for (const std::uint8_t length : {std::uint8_t{64}, std::uint8_t{48}}) {
    GuardSettings settings = PublicServer();
    settings.rate.prefixes.v6 = length;
    Server server(settings, std::size_t{1} << 14);
    std::vector<IpAddress> others;
    for (int i = 0; i < 50; ++i) {
      others.push_back(Address("2001:db8:2::1"));
      others.back().octets[5] = static_cast<std::uint8_t>(2 + i);
    }
    Population clients(server, others, seconds(16), seconds(10));
    Tally honest;
    Tally hopper;
    IpAddress source = Address("2001:db8:1::");
    for (int i = 0; i < 60 * 10'000; ++i) {
      server.random().Fill(ByteSpan(source.octets).last(10));
      server.Ask(source, hopper);
      clients.SendDue(honest);
      server.Advance(microseconds(100));
    }
    if (length == 64) {
      EXPECT_EQ(hopper.served, hopper.asked);
    } else {
      EXPECT_LE(hopper.share(), 0.26);
    }
    EXPECT_GT(honest.asked, 300U);
    EXPECT_EQ(honest.served, honest.asked);
  }
}

}  // namespace
}  // namespace ntsd
