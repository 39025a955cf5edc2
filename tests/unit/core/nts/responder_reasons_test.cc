// Every reason there is: a datagram that ends in it, the one action that belongs to it, and its one counter.
#include <gtest/gtest.h>

#include <functional>
#include <map>

#include "tests/support/packet_builder.h"
#include "tests/support/responder_fixture.h"

namespace ntsd {
namespace {

using testing::Answer;
using testing::FakeRandom;
using testing::MakeMasterKey;
using testing::PacketBuilder;
using testing::ResponderHarness;
using testing::VectorKeys;

constexpr AeadId kSiv = AeadId::kAesSivCmac256;
const IpEndpoint kClient = ResponderHarness::DefaultSource();
const IpEndpoint kDenied{IpAddress::V4(0xC6336401), 40000};
const IpEndpoint kExhausted{IpAddress::V4(0xCB007107), 40000};

enum Listener : std::size_t { kOpen, kIgnoring, kDenying };

std::unique_ptr<GuardPolicy> Policy(double kod) {
  GuardSettings settings;
  settings.access.allow = {IpPrefix::Parse("0.0.0.0/0").value()};
  settings.access.deny = {IpPrefix::Parse("198.51.100.0/24").value()};
  // Only who asks a thousand times in no time is over this limit.
  settings.rate = {.rate = 1, .burst = 1000, .prefixes = {}, .leak = 0, .kod = kod};
  return GuardPolicy::Make(settings).value();
}

class EveryReason : public ::testing::Test {
 protected:
  EveryReason() {
    for (int i = 0; i < 1000; ++i) harness_.Ask({PacketBuilder().Build()}, kExhausted);
  }

  PacketBuilder Start() {
    PacketBuilder builder;
    builder.UniqueId().Cookie(harness_.SealedCookie(keys_));
    return builder;
  }
  PacketBuilder& Seal(PacketBuilder& builder, const PacketBuilder::Authenticator& options = {.nonce_size = 16}) {
    return builder.Authenticate(*SelectAead(), keys_, options);
  }
  Octets Sealed(const PacketBuilder::Authenticator& options = {.nonce_size = 16}) {
    PacketBuilder builder = Start();
    return Seal(builder, options).Build();
  }
  Octets SealedWithCookie(const Octets& cookie) {
    PacketBuilder builder;
    builder.UniqueId().Cookie(cookie);
    return Seal(builder).Build();
  }

  // Asks, and checks everything that holds for each reason.
  void Expect(Reason reason, const Octets& request, const IpEndpoint& source = kClient, Listener listener = kOpen) {
    const std::vector<std::uint64_t> before = Counts();
    const Answer answer = harness_.Ask({request}, source, listener).front();
    Check(reason, answer, request.size(), before);
  }
  void Check(Reason reason, const Answer& answer, std::size_t request_size, const std::vector<std::uint64_t>& before) {
    EXPECT_EQ(answer.reason, reason) << ReasonName(answer.reason) << " in place of " << ReasonName(reason);
    EXPECT_EQ(answer.datagram.empty(), ActionOf(reason) == Action::kDrop) << ReasonName(reason);
    EXPECT_LE(answer.datagram.size(), request_size) << "R-NTS-09";
    const std::vector<std::uint64_t> after = Counts();
    for (std::size_t i = 0; i < kReasonCount; ++i) {
      EXPECT_EQ(after[i] - before[i], i == static_cast<std::size_t>(reason) ? 1U : 0U)
          << ReasonName(reason) << " counted " << ReasonName(static_cast<Reason>(i));
    }
    ++seen_[reason];
  }
  std::vector<std::uint64_t> Counts() const {
    std::vector<std::uint64_t> counts;
    for (std::size_t i = 0; i < kReasonCount; ++i) counts.push_back(harness_.responder.counters().reasons.Read(i));
    return counts;
  }

  void AskWhatIsAnswered();
  void AskWhatIsNoRequest();
  void AskWithWrongFields();
  void AskAgainstThePolicy();
  void AskAcrossAClockStep();
  void AskBehindABacklog();

  const AssociationKeys keys_ = VectorKeys(kSiv);
  FakeRandom random_{5};
  Guard guard_{1024, Policy(0), random_};
  ResponderHarness harness_{{MakeMasterKey(0x20)},
                            0,
                            {ListenerPolicy{}, ListenerPolicy{.require_nts = RequireNts::kIgnore},
                             ListenerPolicy{.require_nts = RequireNts::kDeny}},
                            nullptr,
                            &guard_};
  std::map<Reason, int> seen_;
};

void EveryReason::AskWhatIsAnswered() {
  Expect(Reason::kPlain, PacketBuilder().Build());
  Expect(Reason::kNts, Sealed());
  Octets cookie = harness_.SealedCookie(keys_);
  cookie.back() ^= 1;
  Expect(Reason::kBadCookie, SealedWithCookie(cookie));
  cookie.front() ^= 1;
  Expect(Reason::kUnknownCookieKey, SealedWithCookie(cookie));
  Expect(Reason::kBadAuthenticator, Sealed({.nonce_size = 16, .zero_tag = true}));
  // The cookies of a GCM-SIV key are four octets shorter than those of the key that came after it.
  harness_.Publish({MakeMasterKey(0x30, AeadId::kAes128GcmSiv)});
  const Octets shorter = harness_.SealedCookie(keys_);
  harness_.Publish({MakeMasterKey(0x31), MakeMasterKey(0x30, AeadId::kAes128GcmSiv)});
  Expect(Reason::kNoRoomForCookie, SealedWithCookie(shorter));
}

void EveryReason::AskWhatIsNoRequest() {
  Expect(Reason::kTooShort, Octets(47));
  Expect(Reason::kTooLong, Octets(kRequestSizeMax + 4));
  Expect(Reason::kBadLength, Octets(50));
  PacketBuilder builder;
  builder.header().version = 5;
  Expect(Reason::kBadVersion, builder.Build());
  builder.header().version = 4;
  builder.header().mode = NtpMode::kServer;
  Expect(Reason::kBadMode, builder.Build());
  Expect(Reason::kBadSource, PacketBuilder().Build(), {kClient.address, 0});
  harness_.to_unicast = false;
  Expect(Reason::kBadDestination, PacketBuilder().Build());
  harness_.to_unicast = true;
  Expect(Reason::kMessageAuthenticationCode, PacketBuilder().Raw(Octets(20)).Build());
}

void EveryReason::AskWithWrongFields() {
  const Octets cookie = harness_.SealedCookie(keys_);
  Expect(Reason::kMalformedField, PacketBuilder().Raw(Octets(28)).Build());
  PacketBuilder many;
  for (std::size_t i = 0; i <= kExtensionFieldCountMax; ++i) many.Field(0x4321, Octets(24));
  Expect(Reason::kTooManyFields, many.Build());
  Expect(Reason::kShortUniqueId, PacketBuilder().UniqueId(28).Build());
  Expect(Reason::kRepeatedUniqueId, PacketBuilder().UniqueId().UniqueId().Build());
  Expect(Reason::kRepeatedCookie, Start().Cookie(cookie).Build());
  PacketBuilder twice = Start();
  Seal(Seal(twice));
  Expect(Reason::kRepeatedAuthenticator, twice.Build());
  PacketBuilder nameless;
  nameless.Cookie(cookie);
  Expect(Reason::kMissingUniqueId, Seal(nameless).Build());
  PacketBuilder hungry;
  hungry.UniqueId();
  Expect(Reason::kMissingCookie, Seal(hungry).Build());
  Expect(Reason::kMissingAuthenticator, Start().Build());
  Expect(Reason::kMalformedAuthenticator, Sealed({.nonce_size = 16, .claimed_sealed_size = 15}));
  Expect(Reason::kBadNonce, Sealed({.nonce_size = 0, .additional_padding = 16}));
  Expect(Reason::kMissingPadding, Sealed({.nonce_size = 12}));
  Expect(Reason::kMalformedPlaintext, Sealed({.nonce_size = 16, .plaintext = Octets(3)}));
}

void EveryReason::AskAgainstThePolicy() {
  Expect(Reason::kAccessDenied, PacketBuilder().Build(), kDenied);
  Expect(Reason::kPlainIgnored, PacketBuilder().Build(), kClient, kIgnoring);
  Expect(Reason::kPlainDenied, PacketBuilder().Build(), kClient, kDenying);
  Expect(Reason::kRateDropped, PacketBuilder().Build(), kExhausted);
  guard_.Reload(Policy(1));
  Expect(Reason::kRateLimited, PacketBuilder().Build(), kExhausted);
}

// The clock was set between arrival and departure: no pair of stamps could be true.
void EveryReason::AskAcrossAClockStep() {
  ServerState watched = ResponderHarness::SynchronizedState();
  watched.wall_minus_monotonic =
      harness_.clock.Now().time_since_epoch() - harness_.clock.Monotonic().time_since_epoch();
  harness_.state.Publish(watched);
  Octets request = PacketBuilder().Build();
  std::array<std::uint8_t, kReplySizeMax> reply;
  Exchange exchange{.request = request, .reply = reply, .source = kClient, .received = harness_.clock.Now()};
  const std::vector<std::uint64_t> before = Counts();
  harness_.responder.Prepare(std::span(&exchange, 1));
  harness_.clock.Step(std::chrono::hours(1));
  harness_.responder.Finish(std::span(&exchange, 1));
  Check(Reason::kClockStepped, {exchange.reason, Octets(reply.begin(), reply.begin() + exchange.reply_size)}, 48,
        before);
  harness_.state.Publish(ResponderHarness::SynchronizedState());
  harness_.clock.Step(-std::chrono::hours(1));
}

void EveryReason::AskBehindABacklog() {
  std::vector<Octets> requests(kBatchSizeMax, PacketBuilder().Build());
  harness_.Ask(requests);
  harness_.clock.Advance(std::chrono::seconds(3));
  harness_.age = std::chrono::seconds(2);
  const std::vector<std::uint64_t> before = Counts();
  const std::vector<Answer> answers = harness_.Ask(requests);
  harness_.age = Duration::zero();
  EXPECT_EQ(Counts()[static_cast<std::size_t>(Reason::kStale)] - before[static_cast<std::size_t>(Reason::kStale)],
            kBatchSizeMax);
  EXPECT_TRUE(answers.back().datagram.empty());
  ++seen_[answers.back().reason];
}

TEST_F(EveryReason, IsReachedActedUponAndCountedOnce) {
  AskWhatIsAnswered();
  AskWhatIsNoRequest();
  AskWithWrongFields();
  AskAgainstThePolicy();
  AskAcrossAClockStep();
  AskBehindABacklog();
  for (std::size_t i = 0; i < kReasonCount; ++i) {
    EXPECT_EQ(seen_.count(static_cast<Reason>(i)), 1U) << "nothing ended in " << ReasonName(static_cast<Reason>(i));
  }
}

class Backlog : public ::testing::Test {
 protected:
  // How many of a batch of that size and age are dropped for their age, `pause` after the batch before.
  std::uint64_t Stale(Duration pause, Duration age, std::size_t size = kBatchSizeMax) {
    const std::uint64_t before = harness_.CountOf(Reason::kStale);
    harness_.clock.Advance(pause);
    harness_.age = age;
    harness_.Ask(std::vector<Octets>(size, PacketBuilder().Build()));
    return harness_.CountOf(Reason::kStale) - before;
  }
  void RunFor(Duration time) { harness_.clock.Advance(time); }

  ResponderHarness harness_;
};

TEST_F(Backlog, DropsWhatIsOlderThanASecondWhileItLastsAndNotBefore) {
  RunFor(std::chrono::minutes(1));
  const Duration old = std::chrono::milliseconds(1001);
  EXPECT_EQ(Stale(Duration::zero(), old), 0U) << "the first full batch is no backlog yet";
  EXPECT_EQ(Stale(std::chrono::milliseconds(900), old), 0U);
  EXPECT_EQ(Stale(std::chrono::milliseconds(200), old), kBatchSizeMax);
  EXPECT_EQ(Stale(Duration::zero(), std::chrono::seconds(1)), 0U) << "never below a second";
  EXPECT_EQ(Stale(Duration::zero(), old, kBatchSizeMax - 1), 0U) << "the queue is empty: it is over";
  EXPECT_EQ(Stale(std::chrono::seconds(5), old), 0U) << "a new one begins";
}

TEST_F(Backlog, AnswersWhatWasQueuedBeforeTheStart) {
  EXPECT_EQ(Stale(Duration::zero(), std::chrono::seconds(10)), 0U);
  EXPECT_EQ(Stale(std::chrono::seconds(5), std::chrono::seconds(10)), 0U);
  EXPECT_EQ(Stale(std::chrono::seconds(20), std::chrono::seconds(10)), kBatchSizeMax);
}

}  // namespace
}  // namespace ntsd
