#include "core/nts/request.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "tests/support/packet_builder.h"

namespace ntsd {
namespace {

using testing::PacketBuilder;

constexpr std::uint8_t kAllVersions = 0b0001'1110;
constexpr std::uint16_t kClientPort = 40000;

Expected<Request, Reason> Parse(ByteView datagram, std::uint16_t port, std::uint8_t versions) {
  Request request;
  if (const auto parsed = ParseRequest(datagram, port, versions, request); !parsed) return Unexpected(parsed.error());
  return request;
}

Reason ReasonOf(ByteView datagram, std::uint16_t port = kClientPort, std::uint8_t versions = kAllVersions) {
  const auto request = Parse(datagram, port, versions);
  if (!request) return request.error();
  return request->is_nts ? Reason::kNts : Reason::kPlain;
}

Octets Header(std::uint8_t first_octet) {
  Octets octets(kNtpHeaderSize);
  octets[0] = first_octet;
  return octets;
}

// A request with the right fields; nothing here is verified, so the octets in them do not matter.
PacketBuilder Complete() {
  PacketBuilder builder;
  builder.UniqueId().Cookie(Octets(100, 0xCC));
  return builder;
}
Octets AuthenticatorBody(std::size_t nonce_size = 16, std::size_t sealed_size = 16, std::size_t padding = 0) {
  Octets body(4);
  ByteWriter writer(body);
  writer.WriteU16(static_cast<std::uint16_t>(nonce_size));
  writer.WriteU16(static_cast<std::uint16_t>(sealed_size));
  body.resize(4 + PadToWord(nonce_size) + PadToWord(sealed_size) + padding);
  return body;
}

TEST(Request, TakesVersionsOneToFourOnly_R_NTP_02_03) {
  for (unsigned first = 0; first < 256; ++first) {
    const unsigned version = first >> 3 & 7;
    const unsigned mode = first & 7;
    const Octets datagram = Header(static_cast<std::uint8_t>(first));
    Reason expected = Reason::kPlain;
    if (version < 1 || version > 4) {
      expected = Reason::kBadVersion;
    } else if (mode != 3 && !(version == 1 && mode == 0)) {
      expected = Reason::kBadMode;  // R-NTP-14, R-NTP-15, R-NTP-16
    }
    EXPECT_EQ(ReasonOf(datagram), expected) << first;
  }
}

TEST(Request, TakesVersionOneWithoutModeFromClientsOnly) {
  EXPECT_EQ(ReasonOf(Header(0x08), 40000), Reason::kPlain);
  EXPECT_EQ(ReasonOf(Header(0x08), 123), Reason::kBadMode) << "a peer";
  EXPECT_EQ(ReasonOf(Header(0x0B), 123), Reason::kPlain) << "mode 3 says client wherever it comes from";
}

TEST(Request, ServesTheVersionsOfTheListener) {
  for (std::uint8_t version = 1; version <= 4; ++version) {
    const Octets datagram = Header(static_cast<std::uint8_t>(version << 3 | 3));
    for (std::uint8_t versions = 0; versions < 0b10'0000; versions = static_cast<std::uint8_t>(versions + 2)) {
      EXPECT_EQ(ReasonOf(datagram, kClientPort, versions),
                (versions >> version & 1) != 0 ? Reason::kPlain : Reason::kBadVersion);
    }
  }
}

TEST(Request, TakesEverySourcePortButZero_R_NTP_13) {
  for (const unsigned port : {1U, 123U, 1023U, 1024U, 65535U}) {
    EXPECT_EQ(ReasonOf(Header(0x23), static_cast<std::uint16_t>(port)), Reason::kPlain) << port;
  }
  EXPECT_EQ(ReasonOf(Header(0x23), 0), Reason::kBadSource);
}

TEST(Request, JudgesEveryLengthOfZeros_R_NTP_17) {
  Octets datagram(2100);
  datagram[0] = 0x23;
  for (std::size_t size = 0; size <= datagram.size(); ++size) {
    Reason expected = Reason::kMalformedField;
    if (size < 48) {
      expected = Reason::kTooShort;
    } else if (size > kRequestSizeMax) {
      expected = Reason::kTooLong;
    } else if (size % 4 != 0) {
      expected = Reason::kBadLength;
    } else if (size == 48) {
      expected = Reason::kPlain;
    } else if (size == 52 || size == 68 || size == 72) {
      expected = Reason::kMessageAuthenticationCode;  // crypto-NAK, MD5 or SHA-1 (R-EF-06, R-NTP-26)
    }
    EXPECT_EQ(ReasonOf(ByteView(datagram).first(size)), expected) << size;
  }
}

TEST(Request, SeesAMacBehindOldVersions_R_NTP_24) {
  for (std::uint8_t version = 1; version <= 3; ++version) {
    PacketBuilder builder;
    builder.header().version = version;
    builder.UniqueId();
    EXPECT_EQ(ReasonOf(builder.Build()), Reason::kMessageAuthenticationCode) << int{version};
  }
}

TEST(Request, ReadsTheHeaderFieldsThatAnAnswerNeeds) {
  PacketBuilder builder;
  builder.header().poll = -7;
  builder.header().origin.bits = 0x1111111122222222;
  builder.header().receive.bits = 0x3333333344444444;
  const auto request = Parse(builder.Build(), kClientPort, kAllVersions);
  ASSERT_TRUE(request);
  EXPECT_EQ(request->version, 4);
  EXPECT_EQ(request->poll, -7);
  EXPECT_EQ(request->origin.bits, 0x1111111122222222U);
  EXPECT_EQ(request->receive.bits, 0x3333333344444444U);
  EXPECT_EQ(request->transmit.bits, 0xA1B2C3D4E5F60718U);
}

TEST(Request, IgnoresUnknownFields_R_EF_03_08) {
  for (const unsigned type : {0x4321U, 0x2005U, 0x010AU, 0xF323U, 0x0304U, 0x0000U, 0xFFFFU}) {
    EXPECT_EQ(ReasonOf(PacketBuilder().Field(static_cast<std::uint16_t>(type), Octets(24)).Build()), Reason::kPlain)
        << type;
    auto builder = Complete();
    builder.Field(static_cast<std::uint16_t>(type), Octets(12)).Field(0x0404, AuthenticatorBody());
    EXPECT_EQ(ReasonOf(builder.Build()), Reason::kNts) << type;
  }
}

TEST(Request, JudgesEveryClaimedFieldLength_R_EF_01_05) {
  constexpr std::size_t kRoom = 64;
  for (unsigned claimed = 0; claimed <= 0xFFFF; ++claimed) {
    const Octets datagram =
        PacketBuilder()
            .Field({.type = 0x4321, .body = Octets(kRoom - 4), .claimed_size = static_cast<std::uint16_t>(claimed)})
            .Build();
    // Zeros behind the field are a field of length 0, or a MAC when 20 or 24 octets are left, or a crypto-NAK.
    Reason expected = Reason::kMalformedField;
    if (claimed == kRoom) expected = Reason::kPlain;
    if (claimed == kRoom - 4 || claimed == kRoom - 20 || claimed == kRoom - 24) {
      expected = Reason::kMessageAuthenticationCode;
    }
    ASSERT_EQ(ReasonOf(datagram), expected) << claimed;
  }
}

TEST(Request, WantsTwentyEightOctetsOfALastField_R_EF_02) {
  for (std::size_t size = 8; size <= 40; size += 4) {
    const Reason reason = ReasonOf(PacketBuilder().Field(0x4321, Octets(size - 4)).Build());
    const Reason expected = size == 20 || size == 24 ? Reason::kMessageAuthenticationCode
                            : size < 28              ? Reason::kMalformedField
                                                     : Reason::kPlain;
    EXPECT_EQ(reason, expected) << size;
  }
  EXPECT_EQ(ReasonOf(PacketBuilder().Field(1, Octets(12)).Field(2, Octets(24)).Build()), Reason::kPlain)
      << "16 octets are enough for one that is not the last";
}

TEST(Request, CapsTheNumberOfFields_R_EF_07) {
  for (std::size_t count = 2; count < 40; ++count) {
    PacketBuilder builder;
    for (std::size_t i = 0; i < count; ++i) builder.Field(0x4321, Octets(24));
    EXPECT_EQ(ReasonOf(builder.Build()), count <= kExtensionFieldCountMax ? Reason::kPlain : Reason::kTooManyFields);
  }
}

TEST(Request, NeedsOneOfEach_R_EF_22) {
  const Octets cookie(100, 0xCC);
  EXPECT_EQ(ReasonOf(Complete().Field(0x0404, AuthenticatorBody()).Build()), Reason::kNts);
  EXPECT_EQ(ReasonOf(PacketBuilder().UniqueId().Build()), Reason::kPlain) << "R-EF-10";
  EXPECT_EQ(ReasonOf(PacketBuilder().Cookie(cookie).Build()), Reason::kMissingUniqueId);
  EXPECT_EQ(ReasonOf(PacketBuilder().Field(0x0404, AuthenticatorBody()).Build()), Reason::kMissingUniqueId);
  EXPECT_EQ(ReasonOf(PacketBuilder().Cookie(cookie).Field(0x0404, AuthenticatorBody()).Build()),
            Reason::kMissingUniqueId);
  EXPECT_EQ(ReasonOf(PacketBuilder().UniqueId().Field(0x0404, AuthenticatorBody()).Build()), Reason::kMissingCookie);
  EXPECT_EQ(ReasonOf(Complete().Build()), Reason::kMissingAuthenticator);
  // What stands behind the authenticator does not count.
  EXPECT_EQ(ReasonOf(PacketBuilder().UniqueId().Field(0x0404, AuthenticatorBody()).Cookie(cookie).Build()),
            Reason::kMissingCookie);
  EXPECT_EQ(ReasonOf(PacketBuilder().Cookie(cookie).Field(0x0404, AuthenticatorBody()).UniqueId().Build()),
            Reason::kMissingUniqueId);
}

TEST(Request, RefusesRepeatedFields_R_EF_21) {
  const Octets cookie(100, 0xCC);
  EXPECT_EQ(ReasonOf(PacketBuilder().UniqueId().UniqueId().Build()), Reason::kRepeatedUniqueId);
  EXPECT_EQ(ReasonOf(Complete().Cookie(cookie).Field(0x0404, AuthenticatorBody()).Build()), Reason::kRepeatedCookie);
  EXPECT_EQ(ReasonOf(Complete().UniqueId().Field(0x0404, AuthenticatorBody()).Build()), Reason::kRepeatedUniqueId);
  EXPECT_EQ(ReasonOf(Complete().Field(0x0404, AuthenticatorBody()).Field(0x0404, AuthenticatorBody()).Build()),
            Reason::kRepeatedAuthenticator);
}

TEST(Request, IgnoresFieldsBehindTheAuthenticator_R_EF_18) {
  const Octets cookie(100, 0xCC);
  const auto complete = [] { return Complete().Field(0x0404, AuthenticatorBody()); };
  EXPECT_EQ(ReasonOf(complete().Field(0x4321, Octets(24)).Build()), Reason::kNts);
  EXPECT_EQ(ReasonOf(complete().Cookie(cookie).UniqueId().Placeholders(2, 100).Build()), Reason::kNts);
  EXPECT_EQ(ReasonOf(complete().Raw(Octets(20)).Build()), Reason::kMessageAuthenticationCode);
  EXPECT_EQ(ReasonOf(complete().Raw(Octets(24)).Build()), Reason::kMessageAuthenticationCode);
  EXPECT_EQ(ReasonOf(complete().Raw(Octets(12)).Build()), Reason::kMalformedField);
  const auto request = Parse(complete().Placeholders(2, 100).Build(), kClientPort, kAllVersions);
  EXPECT_EQ(request->placeholder_count, 0) << "not authenticated, so they ask for nothing";
}

TEST(Request, TakesFieldsInAnyOrder_R_EF_20) {
  const auto unique_id = [](PacketBuilder& builder) { builder.UniqueId(); };
  const auto cookie = [](PacketBuilder& builder) { builder.Cookie(Octets(100, 0xCC)); };
  const auto placeholders = [](PacketBuilder& builder) { builder.Placeholders(2, 100); };
  const auto unknown = [](PacketBuilder& builder) { builder.Field(0x4321, Octets(12)); };
  std::vector<std::function<void(PacketBuilder&)>> steps{unique_id, cookie, placeholders, unknown};
  std::vector<std::size_t> order{0, 1, 2, 3};
  do {
    PacketBuilder builder;
    for (const std::size_t step : order) steps[step](builder);
    builder.Field(0x0404, AuthenticatorBody());
    const Octets datagram = builder.Build();
    const auto request = Parse(datagram, kClientPort, kAllVersions);
    ASSERT_TRUE(request);
    EXPECT_EQ(request->placeholder_count, 2);
    EXPECT_EQ(request->unique_id_field.size(), 36U);
    EXPECT_EQ(request->cookie.size(), 100U);
    EXPECT_EQ(request->associated_data.size(), datagram.size() - 40);
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST(Request, CountsPlaceholdersOfTheCookiesLengthOnly_R_EF_16) {
  for (std::size_t size = 12; size <= 200; size += 4) {
    const Octets datagram = Complete().Placeholders(3, size).Field(0x0404, AuthenticatorBody()).Build();
    EXPECT_EQ(Parse(datagram, kClientPort, kAllVersions)->placeholder_count, size == 100 ? 3 : 0) << size;
  }
}

TEST(Request, WantsThirtyTwoOctetsOfUniqueIdAndRoomToEchoIt_R_EF_11) {
  for (std::size_t size = 12; size <= 2000; size += 4) {
    const Reason alone = ReasonOf(PacketBuilder().UniqueId(size).Build());
    if (size == 16 || size == 20) {
      EXPECT_EQ(alone, Reason::kMessageAuthenticationCode) << size;
    } else if (size < 24) {
      EXPECT_EQ(alone, Reason::kMalformedField) << size;
    } else if (size < 32) {
      EXPECT_EQ(alone, Reason::kShortUniqueId) << size;
    } else {
      EXPECT_EQ(alone, kNtpHeaderSize + 4 + size <= kReplySizeMax ? Reason::kPlain : Reason::kTooLong) << size;
    }
  }
}

TEST(Request, JudgesEveryNonceAndCiphertextLength_R_AEAD_11) {
  const auto claimed = [](unsigned nonce_size, unsigned sealed_size) {
    Octets body(4 + 32 + 32);
    ByteWriter writer(body);
    writer.WriteU16(static_cast<std::uint16_t>(nonce_size));
    writer.WriteU16(static_cast<std::uint16_t>(sealed_size));
    return ReasonOf(Complete().Field(0x0404, body).Build());
  };
  for (unsigned nonce_size = 0; nonce_size <= 80; ++nonce_size) {
    for (unsigned sealed_size = 0; sealed_size <= 80; ++sealed_size) {
      const bool fits = PadToWord(nonce_size) + PadToWord(sealed_size) <= 64 && sealed_size >= kAeadTagSize;
      EXPECT_EQ(claimed(nonce_size, sealed_size), fits ? Reason::kNts : Reason::kMalformedAuthenticator)
          << nonce_size << " " << sealed_size;
    }
  }
  for (const unsigned large : {65533U, 65534U, 65535U}) {
    EXPECT_EQ(claimed(large, 16), Reason::kMalformedAuthenticator);
    EXPECT_EQ(claimed(16, large), Reason::kMalformedAuthenticator);
  }
}

TEST(Request, ReservesRoomForOurNonce_R_NTS_15) {
  const auto shape = [](std::size_t nonce_size, std::size_t padding, AeadId aead) {
    const Octets datagram = Complete().Field(0x0404, AuthenticatorBody(nonce_size, 16, padding)).Build();
    const auto request = Parse(datagram, kClientPort, kAllVersions);
    return request ? CheckAuthenticatorShape(*request, aead) : request.error();
  };
  for (std::size_t nonce_size = 0; nonce_size <= 48; ++nonce_size) {
    for (std::size_t padding = 0; padding <= 24; padding += 4) {
      if (nonce_size + padding == 0) continue;  // a field of 24 octets at the end is a MAC
      const std::size_t room = PadToWord(nonce_size) + padding;
      for (const AeadId siv : {AeadId::kAesSivCmac256, AeadId::kAesSivCmac512}) {
        EXPECT_EQ(shape(nonce_size, padding, siv), nonce_size == 0 ? Reason::kBadNonce  // R-AEAD-03
                                                   : room < 16     ? Reason::kMissingPadding
                                                                   : Reason::kNts);
      }
      EXPECT_EQ(shape(nonce_size, padding, AeadId::kAes128GcmSiv), nonce_size == 12 ? Reason::kNts : Reason::kBadNonce);
    }
  }
}

TEST(EncryptedPlaceholders, AreCountedDownToFourOctetFields_R_EF_17_19) {
  const auto field = [](std::uint16_t type, std::size_t body_size) {
    return testing::FieldOctets({.type = type, .body = Octets(body_size)});
  };
  Octets plaintext;
  EXPECT_EQ(CountEncryptedPlaceholders(plaintext, 100), 0U);
  testing::Append(plaintext, field(0x0304, 100));
  testing::Append(plaintext, field(0x4321, 0));
  testing::Append(plaintext, field(0x0304, 96));
  testing::Append(plaintext, field(0x4321, 4));
  testing::Append(plaintext, field(0x0304, 100));
  EXPECT_EQ(CountEncryptedPlaceholders(plaintext, 100), 2U);
  // Every truncation that does not end at a border of fields is malformed.
  std::size_t good = 0;
  for (std::size_t size = 0; size <= plaintext.size(); ++size) {
    good += CountEncryptedPlaceholders(ByteView(plaintext).first(size), 100).has_value() ? 1 : 0;
  }
  EXPECT_EQ(good, 6U);
  Octets many;
  for (std::size_t i = 0; i <= kExtensionFieldCountMax; ++i) testing::Append(many, field(0x4321, 0));
  EXPECT_EQ(CountEncryptedPlaceholders(many, 100).error(), Reason::kTooManyFields);
}

}  // namespace
}  // namespace ntsd
