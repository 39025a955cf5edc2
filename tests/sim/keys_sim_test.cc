// Two months of keys in virtual time: a host that makes and rotates them, whose process ends and stays down for days,
// and whose wall clock is set by strangers; a host that follows its file with hours of delay; and clients that take
// cookies from either and bring them to either, from six times an hour to once in one and a half days. The files are
// real, the clocks are not.
//
// A cookie that is younger than the kept rotations always opens, on both hosts; one that is older than them, not
// counting the time down, never does. A failure names its seed.
#include <gtest/gtest.h>

#include <deque>
#include <optional>
#include <vector>

#include "core/nts/client.h"
#include "core/nts/cookie.h"
#include "server/keys/file_key_source.h"
#include "server/keys/key_keeper.h"
#include "tests/support/fakes.h"
#include "tests/unit/server/keys/temporary_directory.h"

namespace ntsd::sim {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using testing::FakeClock;
using testing::FakeRandom;
using testing::TemporaryDirectory;

constexpr Duration kStep = minutes(10);
constexpr Duration kLength = hours(24 * 60);
constexpr Duration kPeriod = hours(24);
constexpr std::size_t kKeep = 5;
constexpr Duration kDownMax = hours(48);
constexpr Duration kClockErrorMax = minutes(30);
// The file is copied to the other host by hand, so to say. A new future key is out for at least half a period before it
// seals, less what the wall clock may be wrong over a restart; a copy that comes sooner is soon enough.
constexpr Duration kCopiedWithin = hours(10);
// The first of the kept periods may be cut short by half, and the follower seals with a key that is past already.
constexpr Duration kMustOpen = kKeep * kPeriod - kPeriod / 2 - kCopiedWithin - hours(6);
// Of the time in which there was a process to rotate.
constexpr Duration kMustNotOpen = (kKeep + 1) * kPeriod + kCopiedWithin + hours(6);

struct Cookie {
  Octets octets;
  Duration sealed_at;
  Duration down_before;
};

struct Client {
  Duration interval;
  Duration next_poll{};
  std::deque<Cookie> cookies{};
  int refused = 0;
};

struct Tally {
  int polls = 0;
  int opened_by_past_keys = 0;
  int refused = 0;
  int ends = 0;
};

class Fleet {
 public:
  explicit Fleet(std::uint64_t seed) : random_(seed) {
    StartLeader();
    auto follower = KeyKeeper::Open(std::make_unique<FollowedKeyFile>(path_, files_), kPolicy, follower_clock_, random_,
                                    [](KeyKeeper::Severity, const std::string&) {});
    CHECK(follower);
    follower_ = std::move(*follower);
    for (const Duration interval : {Duration(minutes(10)), Duration(hours(1)), Duration(hours(6)), Duration(hours(10)),
                                    Duration(hours(15)), Duration(hours(36))}) {
      for (int i = 0; i < 4; ++i) clients_.push_back({.interval = interval + minutes(random_.Below(9))});
    }
  }

  Tally Run() {
    while (now_ < kLength && !::testing::Test::HasFatalFailure()) {
      now_ += kStep;
      leader_clock_.Advance(kStep);
      follower_clock_.Advance(kStep);
      Disturb();
      if (leader_ != nullptr) {
        leader_->Tick();
      } else {
        down_ += kStep;
      }
      if (now_ >= next_copy_) {
        follower_->Tick();
        next_copy_ = now_ + minutes(random_.Below(static_cast<std::uint64_t>(kCopiedWithin / minutes(1))));
      }
      for (Client& client : clients_) {
        if (now_ >= client.next_poll) Poll(client);
      }
    }
    return tally_;
  }
  KeyKeeper& follower() { return *follower_; }

 private:
  static constexpr KeyPolicy kPolicy{kPeriod, kKeep, false};

  void StartLeader() {
    auto source = OwnKeyFile::Open(path_, files_);
    CHECK(source);
    auto leader = KeyKeeper::Open(std::move(*source), kPolicy, leader_clock_, random_,
                                  [](KeyKeeper::Severity, const std::string&) {});
    CHECK(leader);
    leader_ = std::move(*leader);
  }

  bool Once(Duration in) { return random_.Below(static_cast<std::uint64_t>(in / kStep)) == 0; }

  void Disturb() {
    if (leader_ == nullptr && now_ >= back_at_) StartLeader();
    if (leader_ != nullptr && Once(hours(24 * 2))) {
      leader_.reset();
      back_at_ = now_ + minutes(random_.Below(static_cast<std::uint64_t>(kDownMax / minutes(1))));
      ++tally_.ends;
    }
    if (Once(hours(24 * 3))) {
      const auto range = static_cast<std::uint64_t>(2 * kClockErrorMax / minutes(1));
      const Duration error = minutes(random_.Below(range)) - kClockErrorMax;
      leader_clock_.Step(error - clock_error_);
      clock_error_ = error;
    }
  }

  std::shared_ptr<const KeySet> AnyHost() {
    const bool follower = leader_ == nullptr || random_.Below(2) == 0;
    return (follower ? *follower_ : *leader_).ring().Current();
  }

  void Poll(Client& client) {
    client.next_poll = now_ + client.interval;
    ++tally_.polls;
    const auto host = AnyHost();
    if (client.cookies.empty() || !Spend(*host, client)) {
      // NTS-KE, with either host.
      client.cookies.clear();
      const auto ke = AnyHost();
      for (int i = 0; i < 8; ++i) client.cookies.push_back(Seal(*ke));
      return;
    }
    client.cookies.push_back(Seal(*host));
  }

  bool Spend(const KeySet& host, Client& client) {
    const Cookie cookie = std::move(client.cookies.front());
    client.cookies.pop_front();
    AssociationKeys opened;
    CookieOpenJob job{.cookie = cookie.octets, .keys = &opened};
    OpenCookies(*SelectAead(), host, std::span(&job, 1));
    const Duration age = now_ - cookie.sealed_at;
    const Duration age_up = age - (down_ - cookie.down_before);
    EXPECT_TRUE(job.ok || age > kMustOpen) << "a cookie of " << age / hours(1) << " h is lost";
    EXPECT_FALSE(job.ok && age_up >= kMustNotOpen) << "a cookie of " << age / hours(1) << " h still opens";
    if (job.ok && job.master->state == KeyState::kPast) ++tally_.opened_by_past_keys;
    tally_.refused += job.ok ? 0 : 1;
    return job.ok;
  }

  Cookie Seal(const KeySet& host) {
    const AssociationKeys keys;
    Cookie cookie{Octets(CookieSize(host.current().key.aead(), keys.aead)), now_, down_};
    const CookieSealJob job{.keys = &keys, .cookie = cookie.octets.data()};
    SealCookies(*SelectAead(), host, random_, std::span(&job, 1));
    return cookie;
  }

  const TemporaryDirectory directory_;
  const std::string path_ = directory_.File("keys");
  SystemFileOperations files_;
  FakeRandom random_;
  FakeClock leader_clock_;
  FakeClock follower_clock_;
  std::unique_ptr<KeyKeeper> leader_;  // nullptr while it is down
  std::unique_ptr<KeyKeeper> follower_;
  std::vector<Client> clients_;
  Duration now_{};
  Duration back_at_{};
  Duration down_{};  // so far
  Duration next_copy_{};
  Duration clock_error_{};
  Tally tally_;
};

class KeysSimulation : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(KeysSimulation, NoCookieIsLostBeforeItsTimeOrLivesLongAfter_R_CK_07_10_11_15) {
  SCOPED_TRACE("seed " + std::to_string(GetParam()));
  Fleet fleet(GetParam());
  const Tally tally = fleet.Run();
  std::printf("seed %llu: %d polls, %d with cookies of past keys, %d refused; %d ends of the process\n",
              static_cast<unsigned long long>(GetParam()), tally.polls, tally.opened_by_past_keys, tally.refused,
              tally.ends);
  EXPECT_GT(tally.ends, 4);
  EXPECT_GT(tally.opened_by_past_keys, 1000);
  EXPECT_GT(tally.refused, 10) << "who polls once in 36 hours keeps cookies for twelve days";
  EXPECT_EQ(fleet.follower().Status().trouble, "");
}

INSTANTIATE_TEST_SUITE_P(Seeds, KeysSimulation, ::testing::Values(1, 2, 3));

}  // namespace
}  // namespace ntsd::sim
