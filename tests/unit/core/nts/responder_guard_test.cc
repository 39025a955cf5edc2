// The responder behind a guard: who is denied, slowed down or dropped, and what it tells them.
#include <gtest/gtest.h>

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

constexpr AeadId kAeads[] = {AeadId::kAesSivCmac256, AeadId::kAesSivCmac512, AeadId::kAes128GcmSiv};

// A server that serves one request of each address, and then does with the excess what the test says.
class GuardedResponder : public ::testing::Test {
 protected:
  static std::unique_ptr<GuardPolicy> Policy(double leak, double kod) {
    GuardSettings settings;
    settings.access.allow = {IpPrefix::Parse("0.0.0.0/0").value()};
    settings.access.deny = {IpPrefix::Parse("198.51.100.0/24").value()};
    settings.rate = {.rate = 0.001, .burst = 1, .prefixes = {}, .leak = leak, .kod = kod};
    return GuardPolicy::Make(settings).value();
  }
  Answer Ask(const Octets& request, std::uint32_t address = 0xC0000205) {
    return harness_.Ask({request}, {IpAddress::V4(address), 40000}).front();
  }
  void UseUpTheBurst() { EXPECT_EQ(Ask(PacketBuilder().Build()).reason, Reason::kPlain); }

  FakeRandom random_{7};
  Guard guard_{1024, Policy(0, 1), random_};
  ResponderHarness harness_{{MakeMasterKey(1)}, 0, {ListenerPolicy{}}, nullptr, &guard_};
};

TEST_F(GuardedResponder, MeetsTheDeniedWithSilence) {
  const AssociationKeys keys = VectorKeys(AeadId::kAesSivCmac256);
  PacketBuilder authentic;
  authentic.UniqueId().Cookie(harness_.SealedCookie(keys)).Authenticate(*SelectAead(), keys);
  for (const Octets& request : {PacketBuilder().Build(), authentic.Build()}) {
    const Answer answer = Ask(request, 0xC6336401);
    EXPECT_EQ(answer.reason, Reason::kAccessDenied);
    EXPECT_TRUE(answer.datagram.empty());
    EXPECT_EQ(Ask(request, 0xC6336501 + static_cast<std::uint32_t>(request.size())).reason,
              request.size() == 48 ? Reason::kPlain : Reason::kNts);
  }
}

TEST_F(GuardedResponder, TellsPlainClientsToSlowDown_R_NTP_19_20_R_EF_09) {
  UseUpTheBurst();
  const Octets request = PacketBuilder().UniqueId().Build();
  const Answer answer = Ask(request);
  EXPECT_EQ(answer.reason, Reason::kRateLimited);
  ASSERT_EQ(answer.datagram.size(), request.size());
  EXPECT_TRUE(std::equal(request.begin() + 48, request.end(), answer.datagram.begin() + 48)) << "R-EF-09";
  const NtpHeader header = NtpHeader::Parse(answer.datagram).value();
  EXPECT_EQ(header.leap, LeapIndicator::kUnsynchronized);
  EXPECT_EQ(header.stratum, 0);
  EXPECT_EQ(header.reference_id, 0x52415445U) << "RATE";
  EXPECT_EQ(header.origin.bits, 0xA1B2C3D4E5F60718U);
  EXPECT_FALSE(header.receive.IsUnknown() || header.transmit.IsUnknown());
  EXPECT_NE(header.receive, header.transmit);
}

TEST_F(GuardedResponder, TellsNtsClientsSoAuthenticatedAndWithFreshCookies_R_NTS_21) {
  UseUpTheBurst();
  for (const AeadId aead : kAeads) {
    NtsAssociation association = harness_.Associate(aead);
    FakeRandom random(3);
    const std::size_t cookies_before = association.cookies.size();
    const auto request = BuildNtsRequest(association, *SelectAead(), random, 2);
    ASSERT_TRUE(request);
    const Answer answer = Ask(request->datagram);
    EXPECT_EQ(answer.reason, Reason::kRateLimited);
    EXPECT_EQ(answer.datagram.size(), request->datagram.size());
    const ResponseFacts facts = JudgeNtsResponse(*request, answer.datagram, association, *SelectAead());
    EXPECT_EQ(facts.verdict, ResponseVerdict::kRate);
    EXPECT_TRUE(facts.authenticated);
    EXPECT_EQ(association.cookies.size(), cookies_before - 1 + 3) << "a RATE costs the client no cookie";
  }
}

TEST_F(GuardedResponder, TellsAForgerOverItsLimitNoMoreThanNtsn) {
  UseUpTheBurst();
  const AssociationKeys keys = VectorKeys(AeadId::kAesSivCmac256);
  PacketBuilder forged;
  forged.UniqueId().Cookie(harness_.SealedCookie(keys));
  forged.Authenticate(*SelectAead(), keys, {.nonce_size = 16, .zero_tag = true});
  const Answer answer = Ask(forged.Build());
  EXPECT_EQ(answer.reason, Reason::kBadAuthenticator);
  EXPECT_EQ(answer.datagram.size(), 84U);
}

TEST_F(GuardedResponder, DropsTheRest) {
  guard_.Reload(Policy(0, 0));
  UseUpTheBurst();
  const Answer answer = Ask(PacketBuilder().Build());
  EXPECT_EQ(answer.reason, Reason::kRateDropped);
  EXPECT_TRUE(answer.datagram.empty());
  EXPECT_EQ(harness_.CountOf(Reason::kRateDropped), 1U);
}

TEST_F(GuardedResponder, SaysRateToASmallShareOfTheExcess_R_NTP_21) {
  guard_.Reload(Policy(0.25, 0.0625));
  for (int i = 0; i < 8000; ++i) Ask(PacketBuilder().Build());
  EXPECT_NEAR(static_cast<double>(harness_.CountOf(Reason::kRateLimited)), 500, 100);
  EXPECT_NEAR(static_cast<double>(harness_.CountOf(Reason::kPlain)), 2000, 200);
}

TEST_F(GuardedResponder, UsesRegisteredKissCodesOnly_R_NTP_22) {
  // RFC 5905 §7.4 and RFC 8915 §7.8 register these; none begins with X.
  for (const KissCode code : {KissCode::kDeny, KissCode::kRate, KissCode::kNtsn}) {
    std::string text;
    for (int shift = 24; shift >= 0; shift -= 8) {
      text.push_back(static_cast<char>(static_cast<std::uint32_t>(code) >> shift));
    }
    EXPECT_TRUE(text == "DENY" || text == "RATE" || text == "NTSN") << text;
  }
}

}  // namespace
}  // namespace ntsd
