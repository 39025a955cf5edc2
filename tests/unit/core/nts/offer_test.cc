#include "core/nts/offer.h"

#include <gtest/gtest.h>

#include <set>

#include "core/nts/exchange.h"
#include "tests/support/hex.h"

namespace ntsd {
namespace {

using testing::FromHex;
using testing::ToHex;

const std::string kHead =
    "800100020000"
    "80040002000f";
const std::string kCookie = "0005000401020304";
const std::string kEnd = "80000000";

Expected<KeGrant, KeAnswerFailure> Read(const std::string& hex, const KeOffer& offer = {}) {
  KeMessage message(kKeAnswerSizeMax);
  message.Append(FromHex(hex));
  return ReadKeAnswer(message, offer);
}

TEST(WriteKeRequest, WritesWhatOthersWrite) {
  EXPECT_EQ(ToHex(WriteKeRequest({})), "80010002000080040002000f80000000");
  KeOffer chrony;
  chrony.aeads = {30, 15};
  chrony.compliant_context = true;
  EXPECT_EQ(ToHex(WriteKeRequest(chrony)), "80010002000080040004001e000f0400000080000000");
  KeOffer wishing;
  wishing.server_wish = "a.example";
  EXPECT_EQ(ToHex(WriteKeRequest(wishing)), "80010002000080040002000f00060009612e6578616d706c6580000000");
}

TEST(ReadKeAnswer, TakesWhatItOffered) {
  const auto grant = Read(kHead +
                          "80070002101b"
                          "80060009612e6578616d706c65" +
                          kCookie + kCookie + kEnd);
  ASSERT_TRUE(grant.has_value());
  EXPECT_EQ(grant->aead, 15);
  EXPECT_EQ(grant->port, 4123);
  EXPECT_EQ(grant->server, "a.example");
  EXPECT_EQ(grant->cookies.size(), 2U);
  EXPECT_FALSE(grant->compliant_context);
  // Unknown and not critical.
  EXPECT_TRUE(Read(kHead + "4abc000100" + kCookie + kEnd).has_value());
}

TEST(ReadKeAnswer, ReadsWhatTheServerWrites) {
  KeOffer offer;
  offer.aeads = {30, 15};
  offer.compliant_context = true;
  KeMessage request;
  request.Append(WriteKeRequest(offer));
  KePolicy policy;
  policy.aeads = {AeadId::kAes128GcmSiv, AeadId::kAesSivCmac256};
  policy.ntp_port = 11123;
  policy.ntp_server = "2001:db8::1";
  const KeDecision decision = EvaluateKeRequest(request, policy, {});
  std::array<std::uint8_t, kKeResponseSizeMax> memory;
  ByteWriter writer(memory);
  ASSERT_TRUE(WriteKeResponse(decision, policy, std::vector<std::uint8_t>(kKeCookieCount * 68, 7), writer));
  const auto grant = Read(ToHex(writer.written()), offer);
  ASSERT_TRUE(grant.has_value());
  EXPECT_EQ(grant->aead, 30);
  EXPECT_TRUE(grant->compliant_context);
  EXPECT_EQ(grant->cookies.size(), 8U);
  EXPECT_EQ(grant->server, "2001:db8::1");
  EXPECT_EQ(grant->port, 11123);
}

TEST(ReadKeAnswer, EveryFailureHasItsAnswer) {
  using enum KeAnswerError;
  const std::vector<std::pair<KeAnswerError, std::string>> rows{
      {kIncomplete, kHead + kCookie},
      {kIncomplete, ""},
      {kTrailingData, kHead + kCookie + kEnd + "00"},
      {kIllegalBody, kHead + kCookie + "8000000100"},
      {kIllegalBody, "8001000100" + kEnd},
      {kIllegalBody, kHead + "00050000" + kEnd},
      {kIllegalBody, kHead + "80060000" + kCookie + kEnd},
      {kIllegalBody, kHead +
                         "8006000261"
                         "0a" +
                         kCookie + kEnd},
      {kIllegalBody, kHead + "8007000101" + kCookie + kEnd},
      {kIllegalBody, kHead + "800700020000" + kCookie + kEnd},
      {kIllegalBody, kHead + "0400000100" + kCookie + kEnd},
      {kIllegalBody, "8002000101" + kEnd},
      {kRepeatedRecord, kHead + kHead + kCookie + kEnd},
      {kRepeatedRecord, kHead +
                            "80070002101b"
                            "80070002101b" +
                            kCookie + kEnd},
      {kRepeatedRecord, kHead +
                            "8006000161"
                            "8006000161" +
                            kCookie + kEnd},
      {kNotCritical, kHead + kCookie + "00000000"},
      {kNotCritical, "000100020000" + kEnd},
      {kNotCritical, "000200020001" + kEnd},
      {kUnknownCritical, kHead + "cabc0000" + kCookie + kEnd},
      {kServerError, "800200020001" + kEnd},
      {kServerWarning, "800300020007" + kHead + kCookie + kEnd},
      {kNoNextProtocol, "80040002000f" + kCookie + kEnd},
      {kNoCommonProtocol, "80010000" + kEnd},
      {kProtocolNotOffered,
       "800100028001"
       "80040002000f" +
           kCookie + kEnd},
      {kProtocolNotOffered,
       "8001000400008001"
       "80040002000f" +
           kCookie + kEnd},
      {kNoAead, "800100020000" + kCookie + kEnd},
      {kNoCommonAead,
       "800100020000"
       "80040000" +
           kEnd},
      {kAeadNotOffered,
       "800100020000"
       "80040002001e" +
           kCookie + kEnd},
      {kAeadNotOffered,
       "800100020000"
       "80040004000f000f" +
           kCookie + kEnd},
      {kNoCookies, kHead + kEnd},
  };
  std::set<KeAnswerError> seen;
  for (const auto& [error, hex] : rows) {
    const auto grant = Read(hex);
    ASSERT_FALSE(grant.has_value()) << hex;
    EXPECT_EQ(grant.error().error, error) << hex;
    EXPECT_FALSE(Describe(error).empty());
    seen.insert(error);
  }
  EXPECT_EQ(Read("800200020001" + kEnd).error().code, 1);
  EXPECT_EQ(Read("800300020007" + kEnd).error().code, 7);

  KeMessage huge(kKeAnswerSizeMax);
  huge.Append(std::vector<std::uint8_t>(kKeAnswerSizeMax + 1));
  EXPECT_EQ(ReadKeAnswer(huge, {}).error().error, kTooLarge);
  seen.insert(kTooLarge);
  EXPECT_EQ(seen.size(), static_cast<std::size_t>(kNoCookies) + 1);
}

}  // namespace
}  // namespace ntsd
