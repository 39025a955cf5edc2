// What stands in answers, field by field, as anybody on the path and as the client sees it.
#include <gtest/gtest.h>

#include <algorithm>

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

// The fields behind the header, in wire order.
std::vector<ExtensionField> FieldsOf(const Octets& datagram) {
  std::vector<ExtensionField> fields;
  ByteView rest = ByteView(datagram).subspan(kNtpHeaderSize);
  // Ends: every field takes octets away.
  while (!rest.empty()) {
    const auto field = ParseExtensionField(rest, kExtensionFieldSizeMin);
    if (!field) {
      ADD_FAILURE() << "a malformed answer";
      break;
    }
    fields.push_back(*field);
    rest = rest.subspan(field->field.size());
  }
  return fields;
}

class Answers : public ::testing::TestWithParam<AeadId> {
 protected:
  AssociationKeys keys() const { return VectorKeys(GetParam()); }
  Octets Authentic(std::size_t placeholder_count = 0, const Octets& plaintext = {}) {
    PacketBuilder builder;
    builder.UniqueId().Cookie(harness_.SealedCookie(keys()));
    builder.Placeholders(placeholder_count, CookieSize(AeadId::kAesSivCmac256, GetParam()));
    builder.Authenticate(*SelectAead(), keys(), {.nonce_size = AeadNonceSize(GetParam()), .plaintext = plaintext});
    return builder.Build();
  }

  ResponderHarness harness_;
};

INSTANTIATE_TEST_SUITE_P(Aeads, Answers, ::testing::ValuesIn(kAeads),
                         [](const auto& tested) { return "Aead" + std::to_string(AeadNumber(tested.param)); });

TEST_P(Answers, HoldOneUniqueIdThenOneAuthenticatorAndNothingElse_R_EF_01_02_12_14_R_NTS_03) {
  for (std::size_t count = 0; count <= 7; ++count) {
    const Octets request = Authentic(count);
    const Octets answer = harness_.Ask(request).datagram;
    const std::vector<ExtensionField> fields = FieldsOf(answer);
    ASSERT_EQ(fields.size(), 2U);
    EXPECT_TRUE(fields[0].Is(ExtensionFieldType::kUniqueIdentifier));
    EXPECT_TRUE(std::equal(request.begin() + 48, request.begin() + 84, answer.begin() + 48)) << "in clear, unchanged";
    EXPECT_TRUE(fields[1].Is(ExtensionFieldType::kNtsAuthenticator));
    EXPECT_GE(fields[1].field.size(), kLastExtensionFieldSizeMin);
  }
}

// The client's judge opens with the keys that it gave, over all octets before the authenticator.
TEST_P(Answers, AreSealedWithTheCookiesOwnAeadAndKeyOverAllThatStandsBefore_R_NTS_04) {
  NtsAssociation association = harness_.Associate(GetParam());
  FakeRandom random(3);
  const auto request = BuildNtsRequest(association, *SelectAead(), random, 1);
  const Octets answer = harness_.Ask(request->datagram).datagram;
  for (std::size_t at = 0; at <= 84; ++at) {
    Octets changed = answer;
    if (at > 0) changed[at - 1] ^= 1;
    NtsAssociation mine = association;
    const ResponseFacts facts = JudgeNtsResponse(*request, changed, mine, *SelectAead());
    EXPECT_EQ(facts.verdict == ResponseVerdict::kOk, at == 0) << "octet " << at;
  }
  association.keys.s2c[0] ^= 1;
  EXPECT_EQ(JudgeNtsResponse(*request, answer, association, *SelectAead()).verdict, ResponseVerdict::kUnauthentic);
}

TEST_P(Answers, ThatAreNotAuthenticHoldNoCookieAndNoAuthenticator_R_EF_13_14_R_NTS_14) {
  Octets forged = Authentic(2);
  forged.back() ^= 1;
  for (const Octets& request : {forged, PacketBuilder().UniqueId().Build()}) {
    const Octets answer = harness_.Ask(request).datagram;
    EXPECT_EQ(answer.front() & 7, 4) << "a server's";
    const std::vector<ExtensionField> fields = FieldsOf(answer);
    ASSERT_EQ(fields.size(), 1U);
    EXPECT_TRUE(fields[0].Is(ExtensionFieldType::kUniqueIdentifier));
  }
}

TEST_P(Answers, ComeFromTheCookieAlone_R_NTS_01) {
  const Octets request = Authentic();
  // Another server that never met this client, with the same master key: a restart, or another host.
  ResponderHarness other;
  const Answer answer = other.Ask(request);
  EXPECT_EQ(answer.reason, Reason::kNts);
  EXPECT_EQ(answer.datagram.size(), request.size());
  ResponderHarness stranger({MakeMasterKey(0x0000A001, AeadId::kAesSivCmac256, 0x77)});
  EXPECT_EQ(stranger.Ask(request).reason, Reason::kBadCookie);
}

TEST_P(Answers, UseNothingOfAPlaintextThatDoesNotVerify_R_AEAD_06) {
  Octets placeholder =
      testing::FieldOctets({.type = 0x0304, .body = Octets(CookieSize(AeadId::kAesSivCmac256, GetParam()))});
  const Octets good = Authentic(0, placeholder);
  ASSERT_EQ(harness_.Ask(good).reason, Reason::kNts);
  const std::size_t sealed_size = placeholder.size() + kAeadTagSize;
  for (std::size_t bit = 0; bit < sealed_size * 8; ++bit) {
    Octets request = good;
    request[request.size() - 1 - bit / 8] ^= static_cast<std::uint8_t>(1 << bit % 8);
    const Answer answer = harness_.Ask(request);
    // Not malformed, not more cookies: whatever the ciphertext would decrypt to, it is a NAK.
    ASSERT_EQ(answer.reason, Reason::kBadAuthenticator) << bit;
    ASSERT_EQ(answer.datagram.size(), 84U) << bit;
  }
}

// The harness lets 20 µs pass between the work on cookies and the moment of sending.
TEST_P(Answers, AreStampedAfterTheWorkOnCookies_R_NTS_23) {
  for (const std::size_t count : {std::size_t{0}, std::size_t{7}}) {
    const UnixTime begun = harness_.clock.Now();
    const Octets answer = harness_.Ask(Authentic(count)).datagram;
    const NtpHeader header = NtpHeader::Parse(answer).value();
    const Duration error = Difference(header.transmit, NtpTimestamp::FromUnix(begun + std::chrono::microseconds(20)));
    EXPECT_LT(error < Duration::zero() ? -error : error, Duration(100)) << count;
  }
}

}  // namespace
}  // namespace ntsd
