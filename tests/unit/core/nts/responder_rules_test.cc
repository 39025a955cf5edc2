// The rules of RFC 8915 §5.7 for every shape of request: what is answered, with what, and how long.
#include <gtest/gtest.h>

#include <set>

#include "tests/support/packet_builder.h"
#include "tests/support/responder_fixture.h"

namespace ntsd {
namespace {

using testing::Answer;
using testing::PacketBuilder;
using testing::ResponderHarness;

constexpr AeadId kAeads[] = {AeadId::kAesSivCmac256, AeadId::kAesSivCmac512, AeadId::kAes128GcmSiv};
const Aead& TheAead() { return *SelectAead(); }

struct Opened {
  ResponseFacts facts;
  std::vector<Octets> cookies;
};

// Judges an answer as a client would that sent the builder's header and unique identifier.
Opened OpenAnswer(const Octets& answer, AeadId aead, std::size_t unique_id_size = 32) {
  ClientRequest request;
  request.transmit.bits = 0xA1B2C3D4E5F60718;
  request.unique_id.resize(unique_id_size);
  for (std::size_t i = 0; i < unique_id_size; ++i) request.unique_id[i] = static_cast<std::uint8_t>(0x40 + i);
  NtsAssociation association;
  association.keys = testing::VectorKeys(aead);
  Opened opened{.facts = JudgeNtsResponse(request, answer, association, TheAead()), .cookies = {}};
  opened.cookies.assign(association.cookies.begin(), association.cookies.end());
  return opened;
}

class ResponderRules : public ::testing::TestWithParam<AeadId> {
 protected:
  AeadId aead() const { return GetParam(); }
  AssociationKeys keys() const { return testing::VectorKeys(aead()); }
  PacketBuilder Start() {
    PacketBuilder builder;
    builder.UniqueId().Cookie(harness.SealedCookie(keys()));
    return builder;
  }
  std::size_t cookie_size() const { return CookieSize(AeadId::kAesSivCmac256, aead()); }
  std::size_t nonce_size() const { return AeadNonceSize(aead()); }

  // The answer to a request that must be served in full.
  Opened ExpectServed(const Octets& request, std::size_t cookie_count, std::size_t unique_id_size = 32) {
    const Answer answer = harness.Ask(request);
    EXPECT_EQ(answer.reason, Reason::kNts) << ReasonName(answer.reason);
    EXPECT_EQ(answer.datagram.size(), std::min(request.size(), kReplySizeMax)) << "R-NTS-09, R-NTS-10";
    Opened opened = OpenAnswer(answer.datagram, aead(), unique_id_size);
    EXPECT_EQ(opened.facts.verdict, ResponseVerdict::kOk) << VerdictText(opened.facts.verdict);
    EXPECT_TRUE(opened.facts.authenticated);
    EXPECT_EQ(opened.cookies.size(), cookie_count);
    for (const Octets& cookie : opened.cookies) EXPECT_EQ(cookie.size(), cookie_size());
    EXPECT_EQ(std::set<Octets>(opened.cookies.begin(), opened.cookies.end()).size(), opened.cookies.size());
    return opened;
  }
  void ExpectNak(const Octets& request, Reason reason) {
    const Answer answer = harness.Ask(request);
    EXPECT_EQ(answer.reason, reason) << ReasonName(answer.reason);
    ASSERT_EQ(answer.datagram.size(), 84U) << "header and unique identifier, nothing else (R-NTS-14)";
    EXPECT_EQ(OpenAnswer(answer.datagram, aead()).facts.verdict, ResponseVerdict::kNak);
    const auto header = NtpHeader::Parse(answer.datagram);
    EXPECT_EQ(header->leap, LeapIndicator::kUnsynchronized) << "R-NTP-19";
    EXPECT_EQ(header->origin.bits, 0xA1B2C3D4E5F60718U);
    EXPECT_FALSE(header->receive.IsUnknown() || header->transmit.IsUnknown()) << "R-NTP-20";
    EXPECT_NE(header->receive, header->transmit);
  }
  void ExpectDropped(const Octets& request, Reason reason) {
    const Answer answer = harness.Ask(request);
    EXPECT_EQ(answer.reason, reason) << ReasonName(answer.reason);
    EXPECT_TRUE(answer.datagram.empty());
  }

  ResponderHarness harness;
};

INSTANTIATE_TEST_SUITE_P(Aeads, ResponderRules, ::testing::ValuesIn(kAeads),
                         [](const auto& tested) { return "Aead" + std::to_string(AeadNumber(tested.param)); });

TEST_P(ResponderRules, GivesOneCookieAndOneForEachPlaceholder_R_NTS_05_06_11) {
  for (std::size_t clear = 0; clear <= 9; ++clear) {
    for (std::size_t encrypted = 0; clear + encrypted <= 9; ++encrypted) {
      Octets plaintext;
      for (std::size_t i = 0; i < encrypted; ++i) {
        testing::Append(plaintext, testing::FieldOctets({.type = 0x0304, .body = Octets(cookie_size())}));
      }
      const Octets request = Start()
                                 .Placeholders(clear, cookie_size())
                                 .Authenticate(TheAead(), keys(), {.nonce_size = nonce_size(), .plaintext = plaintext})
                                 .Build();
      const std::size_t overhead = 48 + 36 + 8 + nonce_size() + 16;
      const std::size_t fitting = (kReplySizeMax - overhead) / (4 + cookie_size());
      ExpectServed(request, std::min({1 + clear + encrypted, kCookiesPerReplyMax, fitting}));
    }
  }
}

TEST_P(ResponderRules, EndsTheAnswerWithTheAuthenticatorUnpaddedWhenItFits_R_NTS_11) {
  for (std::size_t count = 0; count <= 3; ++count) {
    const Octets request = Start().Placeholders(count, cookie_size()).Authenticate(TheAead(), keys()).Build();
    const Octets answer = harness.Ask(request).datagram;
    // type | length | nonce length | ciphertext length, at octet 84.
    ByteReader reader(answer);
    reader.Skip(84);
    EXPECT_EQ(reader.ReadU16(), 0x0404);
    EXPECT_EQ(reader.ReadU16(), answer.size() - 84) << "the last field";
    const std::size_t nonce = reader.ReadU16();
    const std::size_t sealed = reader.ReadU16();
    EXPECT_EQ(nonce, nonce_size());
    EXPECT_EQ(84 + 8 + nonce + sealed, answer.size());
  }
}

TEST_P(ResponderRules, IgnoresWhatIsInPlaceholders_R_EF_15) {
  for (const std::uint8_t fill : Octets{0x00, 0xFF, 0x5A}) {
    ExpectServed(Start().Placeholders(2, cookie_size(), fill).Authenticate(TheAead(), keys()).Build(), 3);
  }
}

TEST_P(ResponderRules, GivesNothingForPlaceholdersOfAnotherLength_R_EF_16) {
  for (const std::size_t size : {cookie_size() - 4, cookie_size() + 4, std::size_t{12}, std::size_t{200}}) {
    ExpectServed(Start().Placeholders(2, size).Authenticate(TheAead(), keys()).Build(), 1);
  }
}

TEST_P(ResponderRules, EchoesUniqueIdsOfAnyLegalLength_R_EF_09_11) {
  for (const std::size_t size : {32U, 36U, 64U, 128U, 256U, 512U}) {
    PacketBuilder builder;
    builder.UniqueId(size).Cookie(harness.SealedCookie(keys())).Authenticate(TheAead(), keys());
    ExpectServed(builder.Build(), 1, size);
  }
}

TEST_P(ResponderRules, TakesNoncesOfEveryLegalLength_R_AEAD_03_R_NTS_16) {
  for (std::size_t size = 0; size <= 64; ++size) {
    const std::size_t padding = size == 0 || PadToWord(size) >= 16 ? 16 : 16 - PadToWord(size);
    const Octets request =
        Start().Authenticate(TheAead(), keys(), {.nonce_size = size, .additional_padding = padding}).Build();
    if (AeadNonceSizeIsLegal(aead(), size)) {
      ExpectServed(request, 1);
    } else {
      ExpectDropped(request, Reason::kBadNonce);
    }
  }
}

TEST_P(ResponderRules, DropsWithoutRoomForOurNonce_R_NTS_15) {
  if (aead() == AeadId::kAes128GcmSiv) return;  // its nonce always has the room
  for (std::size_t size = 1; size <= 12; ++size) {
    ExpectDropped(Start().Authenticate(TheAead(), keys(), {.nonce_size = size}).Build(), Reason::kMissingPadding);
  }
}

TEST_P(ResponderRules, TakesSurplusPadding_R_NTS_17) {
  for (std::size_t padding = 0; padding <= 512; padding += 4) {
    const Octets request =
        Start().Authenticate(TheAead(), keys(), {.nonce_size = nonce_size(), .additional_padding = padding}).Build();
    ExpectServed(request, 1);
  }
}

TEST_P(ResponderRules, IgnoresUnknownFieldsEverywhere_R_NTS_19_R_EF_04_18) {
  Octets plaintext;
  testing::Append(plaintext, testing::FieldOctets({.type = 0x4321, .body = {}}));
  testing::Append(plaintext, testing::FieldOctets({.type = 0x4322, .body = Octets(4, 0xEE)}));
  PacketBuilder builder;
  builder.Field(0x4321, Octets(12, 0xEE))
      .UniqueId()
      .Field(0x0555, Octets(40, 0xEE))
      .Cookie(harness.SealedCookie(keys()));
  builder.Authenticate(TheAead(), keys(), {.nonce_size = nonce_size(), .plaintext = plaintext});
  builder.Field(0x4323, Octets(24, 0xEE));
  const Octets request = builder.Build();
  ExpectServed(request, 1);
  const Octets answer = harness.Ask(request).datagram;
  EXPECT_EQ(std::search_n(answer.begin(), answer.end(), 8, 0xEE), answer.end()) << "nothing unknown comes back";
}

TEST_P(ResponderRules, DropsMalformedEncryptedFields_R_EF_19) {
  for (const std::size_t size : {1U, 2U, 3U, 4U, 5U, 8U}) {
    // A field of length 0 or 0xFFFF, or a rest of less than a field header.
    Octets plaintext(size, 0xFF);
    ExpectDropped(Start().Authenticate(TheAead(), keys(), {.nonce_size = nonce_size(), .plaintext = plaintext}).Build(),
                  Reason::kMalformedPlaintext);
  }
}

TEST_P(ResponderRules, NaksEveryFlippedBitOfWhatIsAuthenticated_R_NTS_02_13) {
  const Octets good = Start().Authenticate(TheAead(), keys()).Build();
  const std::size_t cookie_body = 48 + 36 + 4;
  const std::size_t authenticator = good.size() - 8 - nonce_size() - 16;
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    Octets request = good;
    request[bit / 8] ^= static_cast<std::uint8_t>(0x80 >> bit % 8);
    const std::size_t at = bit / 8;
    const Answer answer = harness.Ask(request);
    EXPECT_LE(answer.datagram.size(), request.size());
    EXPECT_NE(answer.reason, Reason::kNts) << "octet " << at;
    // Version, mode, and the types and lengths of fields change what the datagram is; the rest must be a NAK.
    const bool structural = (at == 0 && bit >= 2) || (at >= 48 && at < 52) ||
                            (at >= cookie_body - 4 && at < cookie_body) ||
                            (at >= authenticator && at < authenticator + 8);
    if (structural) continue;
    const bool in_id = at >= cookie_body && at < cookie_body + 4;
    const bool in_cookie = at >= cookie_body && at < cookie_body + cookie_size();
    EXPECT_EQ(answer.reason, in_id       ? Reason::kUnknownCookieKey
                             : in_cookie ? Reason::kBadCookie
                                         : Reason::kBadAuthenticator)
        << "octet " << at;
    EXPECT_EQ(answer.datagram.size(), 84U);
  }
}

TEST_P(ResponderRules, NaksForgeries_R_NTS_12_13) {
  AssociationKeys other = keys();
  other.c2s[5] ^= 1;
  ExpectNak(Start().Authenticate(TheAead(), other).Build(), Reason::kBadAuthenticator);
  ExpectNak(Start().Authenticate(TheAead(), keys(), {.nonce_size = nonce_size(), .zero_tag = true}).Build(),
            Reason::kBadAuthenticator);
  for (const std::size_t size : {16U, 60U, 96U, 104U, 160U, 200U}) {
    const Octets foreign(size, 0xCC);
    ExpectNak(PacketBuilder().UniqueId().Cookie(foreign).Authenticate(TheAead(), keys()).Build(),
              Reason::kUnknownCookieKey);
    Octets known = foreign;
    ByteWriter(known).WriteU32(0x0000A001);
    ExpectNak(PacketBuilder().UniqueId().Cookie(known).Authenticate(TheAead(), keys()).Build(), Reason::kBadCookie);
  }
}

TEST_P(ResponderRules, AnswersReplaysAndReusedCookies_R_NTS_18_20) {
  const Octets request = Start().Authenticate(TheAead(), keys()).Build();
  std::set<Octets> cookies;
  for (int i = 0; i < 100; ++i) cookies.insert(ExpectServed(request, 1).cookies[0]);
  EXPECT_EQ(cookies.size(), 100U) << "each answer brings a fresh one";
}

TEST_P(ResponderRules, GivesCookiesThatItTakesBack_R_NTS_08) {
  Octets cookie = harness.SealedCookie(keys());
  for (int i = 0; i < 20; ++i) {
    PacketBuilder builder;
    builder.UniqueId().Cookie(cookie).Authenticate(TheAead(), keys());
    cookie = ExpectServed(builder.Build(), 1).cookies.at(0);
  }
}

TEST_P(ResponderRules, TakesACookieFromAnyAddressAndPort_R_CK_13) {
  const std::vector<Octets> request{Start().Authenticate(TheAead(), keys()).Build()};
  for (const char* address : {"192.0.2.5", "198.51.100.9", "2001:db8::9"}) {
    for (const unsigned port : {123U, 40000U, 65535U}) {
      const IpEndpoint source{*IpAddress::Parse(address), static_cast<std::uint16_t>(port)};
      EXPECT_EQ(harness.Ask(request, source)[0].reason, Reason::kNts) << address << " " << port;
    }
  }
}

TEST_P(ResponderRules, ChoosesItsOwnFreshNonces_R_AEAD_04_05) {
  const Octets request = Start().Authenticate(TheAead(), keys()).Build();
  std::set<Octets> nonces;
  for (int i = 0; i < 1000; ++i) {
    const Octets answer = harness.Ask(request).datagram;
    nonces.insert(Octets(answer.begin() + 92, answer.begin() + 92 + static_cast<std::ptrdiff_t>(nonce_size())));
  }
  EXPECT_EQ(nonces.size(), 1000U);
  EXPECT_FALSE(
      nonces.contains(Octets(request.end() - 16 - static_cast<std::ptrdiff_t>(nonce_size()), request.end() - 16)));
}

TEST_P(ResponderRules, KeepsCookiesInsideTheCiphertext_R_NTS_07) {
  const Octets request = Start().Placeholders(3, cookie_size()).Authenticate(TheAead(), keys()).Build();
  const Answer answer = harness.Ask(request);
  const Opened opened = OpenAnswer(answer.datagram, aead());
  for (const Octets& cookie : opened.cookies) {
    EXPECT_EQ(std::search(answer.datagram.begin(), answer.datagram.end(), cookie.begin() + 4, cookie.begin() + 20),
              answer.datagram.end());
  }
}

TEST_P(ResponderRules, OpensCookiesOfKeysInEveryState_R_CK_06_07) {
  using testing::MakeMasterKey;
  const MasterKey first = MakeMasterKey(0x10, AeadId::kAesSivCmac256, 1);
  const MasterKey second = MakeMasterKey(0x11, AeadId::kAesSivCmac256, 2);
  const MasterKey third = MakeMasterKey(0x12, AeadId::kAesSivCmac256, 3);
  harness.Publish({second, first}, 1);
  const Octets old_cookie = harness.SealedCookie(keys());
  PacketBuilder builder;
  builder.UniqueId().Cookie(old_cookie).Authenticate(TheAead(), keys());
  const Octets request = builder.Build();
  const auto& ages = harness.responder.counters().cookie_ages;
  EXPECT_EQ(CookieKeyId(ExpectServed(request, 1).cookies[0]), first.id);
  EXPECT_EQ(ages.Read(0), 1U);
  harness.Publish({third, second, first}, 1);
  EXPECT_EQ(CookieKeyId(ExpectServed(request, 1).cookies[0]), second.id) << "the new key seals at once";
  EXPECT_EQ(ages.Read(1), 1U);
  harness.Publish({third, second});
  ExpectNak(request, Reason::kUnknownCookieKey);
  EXPECT_EQ(ages.Read(ResponderCounters::kUnknownAge), 1U);
  harness.Publish({third, first}, 1);
  ExpectServed(request, 1);
  EXPECT_EQ(ages.Read(0), 2U);
  // Another host rotated before us, and sealed with what is our future key.
  harness.Publish({third});
  PacketBuilder ahead;
  ahead.UniqueId().Cookie(harness.SealedCookie(keys())).Authenticate(TheAead(), keys());
  harness.Publish({third, second}, 1);
  ExpectServed(ahead.Build(), 1);
  EXPECT_EQ(ages.Read(ResponderCounters::kFutureAge), 1U);
}

TEST_P(ResponderRules, NaksWhenNotEvenOneCookieFits_R_NTS_09) {
  // Cookies of a GCM-SIV master are 4 octets shorter than those of a SIV master.
  using testing::MakeMasterKey;
  const MasterKey old_key = MakeMasterKey(0x20, AeadId::kAes128GcmSiv);
  const MasterKey new_key = MakeMasterKey(0x21, AeadId::kAesSivCmac256);
  harness.Publish({old_key});
  const Octets cookie = harness.SealedCookie(keys());
  harness.Publish({new_key, old_key});
  PacketBuilder builder;
  builder.UniqueId().Cookie(cookie).Authenticate(TheAead(), keys());
  ExpectNak(builder.Build(), Reason::kNoRoomForCookie);
  PacketBuilder padded;
  padded.UniqueId().Cookie(cookie);
  padded.Authenticate(TheAead(), keys(), {.nonce_size = nonce_size(), .additional_padding = 4});
  ExpectServed(padded.Build(), 1);
}

TEST(ResponderBatch, TreatsEachDatagramOfAFullMixedBatchAsIfItWereAlone) {
  ResponderHarness harness;
  std::vector<Octets> requests;
  std::vector<Reason> expected;
  std::vector<AeadId> aeads;
  for (std::size_t i = 0; i < kBatchSizeMax; ++i) {
    const AeadId aead = kAeads[i % 3];
    aeads.push_back(aead);
    const AssociationKeys keys = testing::VectorKeys(aead);
    PacketBuilder builder;
    builder.UniqueId().Cookie(harness.SealedCookie(keys)).Placeholders(i % 8, CookieSize(AeadId::kAesSivCmac256, aead));
    builder.Authenticate(TheAead(), keys);
    Octets request = builder.Build();
    Reason reason = Reason::kNts;
    if (i % 5 == 1) {
      request.back() ^= 1;
      reason = Reason::kBadAuthenticator;
    } else if (i % 5 == 3) {
      request = PacketBuilder().Build();
      reason = Reason::kPlain;
    } else if (i % 7 == 2) {
      request[0] = 0;
      reason = Reason::kBadVersion;
    }
    requests.push_back(std::move(request));
    expected.push_back(reason);
  }
  const std::vector<Answer> answers = harness.Ask(requests);
  for (std::size_t i = 0; i < answers.size(); ++i) {
    ASSERT_EQ(answers[i].reason, expected[i]) << i;
    if (expected[i] == Reason::kNts) {
      EXPECT_EQ(OpenAnswer(answers[i].datagram, aeads[i]).facts.verdict, ResponseVerdict::kOk) << i;
    }
    EXPECT_LE(answers[i].datagram.size(), requests[i].size());
  }
  EXPECT_EQ(harness.responder.counters().octets.Read(ResponderCounters::kAmplified), 0U);
}

}  // namespace
}  // namespace ntsd
