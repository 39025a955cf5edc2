#include "core/nts/exchange.h"

#include <gtest/gtest.h>

#include "tests/support/ke_exchange.h"

namespace ntsd {
namespace {

using namespace testing;  // NOLINT: a vocabulary of tables

TEST(KeExchange, AnswersWithOneProtocolOneAeadAndEightCookies) {
  ExpectRows({
      {"R-KE-27 R-KE-28 R-KE-29 plain request", kNtpv4 + kOffer15 + kEnd, kGranted15},
      {"R-KE-04 unknown record without C", kNtpv4 + kOffer15 + "4abc000401020304" + kEnd, kGranted15},
      {"R-KE-09 several protocols",
       "800100048001"
       "0000" +
           kOffer15 + kEnd,
       kGranted15},
      {"R-KE-22 17 first", kNtpv4 + "800400040011000f" + kEnd, kNtpv4 + "800400020011" + kCookies + kEnd},
      {"R-KE-22 15 first", kNtpv4 + "80040004000f0011" + kEnd, kGranted15},
      {"R-KE-24 unknown before 15", kNtpv4 + "800400040001000f" + kEnd, kGranted15},
      {"R-KE-24 unknown before 17 and 15", kNtpv4 + "80040006fffe0011000f" + kEnd,
       kNtpv4 + "800400020011" + kCookies + kEnd},
      {"R-KE-25 AEAD record without C", kNtpv4 + "00040002000f" + kEnd, kGranted15},
      {"R-KE-26 AEAD record first", kOffer15 + kNtpv4 + kEnd, kGranted15},
      {"R-KE-36 server and port with C", kNtpv4 + kOffer15 + "80060001618007000210e1" + kEnd, kGranted15},
      {"R-KE-36 server and port without C", kNtpv4 + kOffer15 + "00060001610007000210e1" + kEnd, kGranted15},
      {"R-KE-44 duplicates and unknown numbers",
       "80010006000000000009"
       "80040008000f000f00070007" +
           kEnd,
       kGranted15},
  });
}

TEST(KeExchange, AnswersEmptyWhenNothingIsInCommon) {
  ExpectRows({
      {"R-KE-10 R-KE-30 R-KE-08 no protocol", "800100027fff" + kEnd,
       "80010000"
       "80000000"},
      {"R-KE-10 no protocol, with AEADs", "800100027fff" + kOffer15 + kEnd,
       "80010000"
       "80000000"},
      {"R-KE-08 NTPv5 alone", "800100028001" + kOffer15 + kEnd,
       "80010000"
       "80000000"},
      {"R-KE-23 R-KE-30 no AEAD", kNtpv4 + "800400020001" + kEnd,
       kNtpv4 + "80040000"
                "80000000"},
      {"R-KE-23 our AEADs in the wrong octets", kNtpv4 + "800400020f00" + kEnd,
       kNtpv4 + "80040000"
                "80000000"},
  });
}

TEST(KeExchange, RefusesWithOneErrorAndNothingElse) {
  const std::string rest = kNtpv4 + kOffer15 + kEnd;
  ExpectRows({
      {"R-KE-05 R-KE-13 R-KE-17 unknown critical", "cabc0000" + rest, kError0},
      {"R-KE-05 unknown critical with body", kNtpv4 + "cabc000401020304" + kOffer15 + kEnd, kError0},
      {"R-KE-11 no protocol record", kOffer15 + kEnd, kError1},
      {"R-KE-11 nothing at all", kEnd, kError1},
      {"R-KE-11 protocol record twice", kNtpv4 + rest, kError1},
      {"R-KE-12 empty protocol list", "80010000" + kOffer15 + kEnd, kError1},
      {"R-KE-12 odd protocol list", "8001000100" + kOffer15 + kEnd, kError1},
      {"R-KE-12 odd protocol list of three", "80010003000000" + kOffer15 + kEnd, kError1},
      {"R-KE-18 error record", "800200020000" + rest, kError1},
      {"R-KE-18 warning record", "800300020000" + rest, kError1},
      {"R-KE-18 warning record without C", "000300020000" + rest, kError1},
      {"R-KE-18 cookie record", "0005000401020304" + rest, kError1},
      {"R-KE-20 NTPv4 without AEADs", kNtpv4 + kEnd, kError1},
      {"R-KE-20 NTPv4 among others without AEADs", "8001000480010000" + kEnd, kError1},
      {"R-KE-21 AEAD record twice", kNtpv4 + kOffer15 + kOffer15 + kEnd, kError1},
      {"R-KE-21 empty AEAD list", kNtpv4 + "80040000" + kEnd, kError1},
      {"R-KE-21 odd AEAD list", kNtpv4 + "80040003000f00" + kEnd, kError1},
      {"R-KE-37 two servers",
       "0006000161"
       "0006000161" +
           rest,
       kError1},
      {"R-KE-37 port of one octet", "0007000110" + rest, kError1},
      {"R-KE-37 port of three octets", "00070003101b00" + rest, kError1},
      {"R-KE-37 port without body", "00070000" + rest, kError1},
      {"R-KE-39 data after the end", rest + "00", kError1},
      {"R-KE-39 a second request after the end", rest + rest, kError1},
      {"R-KE-40 end with body", kNtpv4 + kOffer15 + "8000000100", kError1},
      {"R-KE-40 end without C", kNtpv4 + kOffer15 + "00000000", kError1},
      {"R-KE-41 protocol without C", "000100020000" + kOffer15 + kEnd, kError1},
      {"R-EX-08 record 1024 with body", kNtpv4 + kOffer15 + "0400000100" + kEnd, kError1},
  });
}

// The order of evaluation: records in their order, then what is missing.
TEST(KeExchange, TheFirstMistakeDecides) {
  EXPECT_EQ(Answer("cabc0000"
                   "800200020000" +
                   kEnd),
            kError0);
  EXPECT_EQ(Answer("800200020000"
                   "cabc0000" +
                   kEnd),
            kError1);
  EXPECT_EQ(Answer("cabc0000" + kEnd), kError0);  // no protocol record either
  EXPECT_EQ(Answer("cabc0000"
                   "800100020000"),
            kError1);  // no End of Message: framing comes first
  EXPECT_EQ(Evaluate(kNtpv4 + kEnd + "00").refusal, KeRefusal::kTrailingData);
}

// R-KE-14: every truncation, and garbage.
TEST(KeExchange, RefusesEveryTruncation) {
  const auto request = FromHex(kNtpv4 + kOffer15 + "00060009612e6578616d706c65" + kEnd);
  for (std::size_t size = 0; size < request.size(); ++size) {
    KeMessage message;
    message.Append(ByteView(request).first(size));
    const KeDecision decision = EvaluateKeRequest(message, FullPolicy(), {});
    EXPECT_EQ(decision.refusal, KeRefusal::kIncomplete) << size;
    EXPECT_EQ(Respond(decision), kError1) << size;
  }
  EXPECT_EQ(Answer(std::string(128, 'f')), kError1);
}

// R-KE-02: a request of 1,024 octets and more is normal; R-KE-03: past the bound it is refused.
TEST(KeExchange, TakesLargeRequests) {
  for (const std::size_t size : {1024U, 2048U, 4096U, 4097U}) {
    std::vector<std::uint8_t> octets(size);
    ByteWriter writer(octets);
    WriteKeRecord(writer, true, KeRecordType::kNextProtocol, kKeProtocolNtpv4);
    WriteKeRecord(writer, true, KeRecordType::kAeadAlgorithm, 15);
    WriteKeRecord(writer, false, static_cast<KeRecordType>(0x4abc), std::vector<std::uint8_t>(size - 20));
    WriteKeRecord(writer, true, KeRecordType::kEndOfMessage);
    ASSERT_EQ(writer.size(), size);
    KeMessage message;
    message.Append(octets);
    const KeDecision decision = EvaluateKeRequest(message, FullPolicy(), {});
    EXPECT_EQ(Respond(decision), size <= 4096 ? kGranted15 : kError1) << size;
    EXPECT_EQ(decision.refusal, size <= 4096 ? KeRefusal::kNone : KeRefusal::kTooLarge) << size;
  }
}

TEST(KeExchange, EveryRefusalHasItsRequestAndItsCode) {
  const std::string rest = kNtpv4 + kOffer15 + kEnd;
  const std::vector<std::pair<KeRefusal, KeDecision>> refusals{
      {KeRefusal::kTimeout, RefuseKeRequest(KeRefusal::kTimeout)},
      {KeRefusal::kIncomplete, Evaluate(kNtpv4)},
      {KeRefusal::kTooLarge, Evaluate("4abcffff")},
      {KeRefusal::kTrailingData, Evaluate(rest + "00")},
      {KeRefusal::kIllegalBody, Evaluate("80010000" + rest)},
      {KeRefusal::kForbiddenRecord, Evaluate("800200020000" + rest)},
      {KeRefusal::kRepeatedRecord, Evaluate(kOffer15 + rest)},
      {KeRefusal::kNotCritical, Evaluate("000100020000" + kEnd)},
      {KeRefusal::kUnknownCritical, Evaluate("cabc0000" + rest)},
      {KeRefusal::kNoNextProtocol, Evaluate(kOffer15 + kEnd)},
      {KeRefusal::kNoAead, Evaluate(kNtpv4 + kEnd)},
      {KeRefusal::kPoolContradiction, Evaluate(rest, PoolPolicy(), kKeptAlive)},
      {KeRefusal::kInternal, RefuseKeRequest(KeRefusal::kInternal)},
  };
  ASSERT_EQ(refusals.size() + 1, kKeRefusalCount);  // all but kNone
  for (const auto& [refusal, decision] : refusals) {
    EXPECT_EQ(decision.answer, KeAnswer::kError);
    EXPECT_EQ(decision.refusal, refusal);
    const std::string error = refusal == KeRefusal::kUnknownCritical ? kError0
                              : refusal == KeRefusal::kInternal      ? kError2  // R-KE-16
                                                                     : kError1;      // R-KE-15 among them
    EXPECT_EQ(Respond(decision), error);
  }
}

// R-EX-06, R-EX-07, R-EX-08: AEAD 30 only with record 1024, or when nothing else will do.
TEST(KeExchange, ChoosesGcmSivOnlyWithTheCompliantContext) {
  const std::string flag = "04000000";
  const std::string granted30 = kNtpv4 + "80040002001e" + kCookies + kEnd;
  const std::string confirmed30 = kNtpv4 + "80040002001e" + flag + kCookies + kEnd;
  ExpectRows({
      {"R-EX-06 30, 15 with 1024", kNtpv4 + "80040004001e000f" + flag + kEnd, confirmed30},
      {"R-EX-06 1024 before everything", flag + kNtpv4 + "80040004001e000f" + kEnd, confirmed30},
      {"R-EX-06 15, 30 with 1024: the client's order", kNtpv4 + "80040004000f001e" + flag + kEnd, kGranted15},
      {"R-EX-07 30, 15 without 1024", kNtpv4 + "80040004001e000f" + kEnd, kGranted15},
      {"R-EX-07 30, 17 without 1024", kNtpv4 + "80040004001e0011" + kEnd, kNtpv4 + "800400020011" + kCookies + kEnd},
      {"30 alone without 1024", kNtpv4 + "80040002001e" + kEnd, granted30},
      {"30 and unknown ones without 1024",
       kNtpv4 +
           "80040006000100"
           "1e0010" +
           kEnd,
       granted30},
      {"30 alone with 1024", kNtpv4 + "80040002001e" + flag + kEnd, confirmed30},
      {"R-EX-08 15 with 1024", kNtpv4 + kOffer15 + flag + kEnd, kGranted15},
      {"1024 with C",
       kNtpv4 +
           "80040002001e"
           "84000000" +
           kEnd,
       confirmed30},
  });
}

TEST(KeExchange, OffersOnlyTheAeadsOfItsPolicy) {
  KePolicy policy;
  policy.aeads = {AeadId::kAesSivCmac256};
  EXPECT_EQ(Answer(kNtpv4 +
                       "80040006001e0011000f"
                       "04000000" +
                       kEnd,
                   policy),
            kGranted15);
  EXPECT_EQ(Answer(kNtpv4 +
                       "80040004001e0011"
                       "04000000" +
                       kEnd,
                   policy),
            kNtpv4 +
                "80040000"
                "80000000");
}

// R-KE-31, R-KE-32, R-KE-33, R-KE-34, R-KE-35, R-KE-38.
TEST(KeExchange, NamesServerAndPort) {
  const std::string request = kNtpv4 + kOffer15;
  const std::string head = kNtpv4 + kOffer15;
  KePolicy policy = FullPolicy();
  policy.ntp_port = 4123;
  EXPECT_EQ(Answer(request + kEnd, policy), head + "80070002101b" + kCookies + kEnd);
  policy.ntp_server = "ntp.example.com";
  EXPECT_EQ(Answer(request + kEnd, policy), head +
                                                "80070002101b"
                                                "8006000f6e74702e6578616d706c652e636f6d" +
                                                kCookies + kEnd);
  policy.ntp_port = 123;
  EXPECT_EQ(Answer(request + kEnd, policy), head + "8006000f6e74702e6578616d706c652e636f6d" + kCookies + kEnd);
}

TEST(KeExchange, GrantsTheWishForAServerOfOurs) {
  KePolicy policy = FullPolicy();
  policy.ntp_server = "ntp.example.com";
  policy.known_servers = {"b.example", "192.0.2.1", "2001:db8::1"};
  const auto wish = [&](std::string_view name, const KeConnection& connection = {}) {
    std::vector<std::uint8_t> octets(4 + name.size());
    ByteWriter writer(octets);
    WriteKeRecord(writer, false, KeRecordType::kServer,
                  ByteView(reinterpret_cast<const std::uint8_t*>(name.data()), name.size()));
    return Evaluate(kNtpv4 + kOffer15 + ToHex(octets) + kEnd, policy, connection).server;
  };
  EXPECT_EQ(wish("b.example"), "b.example");
  EXPECT_EQ(wish("B.Example"), "b.example");
  EXPECT_EQ(wish("192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(wish("2001:DB8:0::1"), "2001:db8::1");
  EXPECT_EQ(wish("b.example.org"), "ntp.example.com");
  EXPECT_EQ(wish(""), "ntp.example.com");
  EXPECT_EQ(wish(std::string_view("b.example\0", 10)), "ntp.example.com");

  const KeConnection here{IpAddress::Parse("198.51.100.7"), false, true};
  EXPECT_EQ(wish("198.51.100.7", here), "ntp.example.com");  // time is elsewhere
  policy.ntp_server.clear();
  EXPECT_EQ(wish("198.51.100.7", here), "198.51.100.7");
  EXPECT_EQ(wish("198.51.100.8", here), "");
}

// R-TLS-22: NTPsec's client takes 2,047 octets at most.
TEST(KeExchange, TheLargestResponseFits) {
  KePolicy policy = FullPolicy();
  policy.ntp_port = 4123;
  policy.ntp_server = std::string(kKeServerNameSizeMax, 'a');
  KeDecision decision = Evaluate(kNtpv4 +
                                     "80040002001e"
                                     "04000000" +
                                     kEnd,
                                 policy);
  ASSERT_EQ(decision.answer, KeAnswer::kCookies);
  const std::vector<std::uint8_t> cookies(kKeCookieCount * kCookieSizeMax);
  std::array<std::uint8_t, kKeResponseSizeMax> memory;
  ByteWriter writer(memory);
  EXPECT_TRUE(WriteKeResponse(decision, policy, cookies, writer));
}

}  // namespace
}  // namespace ntsd
