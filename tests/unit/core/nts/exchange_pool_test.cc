#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/nts/exchange.h"
#include "tests/support/ke_exchange.h"

namespace ntsd {
namespace {

using namespace testing;  // NOLINT: a vocabulary of tables
using ::testing::StartsWith;

std::string TokenRecord(std::string_view token) {
  std::vector<std::uint8_t> octets(4 + token.size());
  ByteWriter writer(octets);
  WriteKeRecord(writer, false, KeRecordType::kAuthenticationToken,
                ByteView(reinterpret_cast<const std::uint8_t*>(token.data()), token.size()));
  return ToHex(octets);
}

const std::string kKeys15 = "800c0040" + std::string(64, 'a') + std::string(64, 'b');

// R-POOL-01: without a token in the policy, or without the right one before them, the records are unknown.
TEST(KePool, RecordsAreUnknownWithoutTheToken) {
  const std::string rest = kNtpv4 + kOffer15 + kEnd;
  for (const std::string record : {"80080000", "80090000", "800a0000", "800b0000"}) {
    EXPECT_EQ(Answer(record + rest), kError0) << record;
    EXPECT_EQ(Answer(record + rest, PoolPolicy()), kError0) << record;
    EXPECT_EQ(Answer(TokenRecord(kToken) + record + rest), kError0) << record;
    EXPECT_EQ(Answer(TokenRecord("wrong") + record + rest, PoolPolicy()), kError0) << record;
    EXPECT_EQ(Answer(record + TokenRecord(kToken) + rest, PoolPolicy()), kError0) << record;
  }
  EXPECT_EQ(Answer(kKeys15 + rest, PoolPolicy()), kError0);
  // Not critical: ignored, and no connection is kept for a stranger.
  EXPECT_EQ(Answer("00080000" + rest, PoolPolicy()), kGranted15);
  EXPECT_EQ(Answer(TokenRecord("wrong") + rest, PoolPolicy()), kGranted15);
  EXPECT_EQ(Answer(TokenRecord("") + rest, PoolPolicy()), kGranted15);
  EXPECT_EQ(Answer("800e0000" + rest), kError0);
}

// R-POOL-02, R-POOL-03, R-POOL-06.
TEST(KePool, AnswersWithItsListsAndNegotiatesNothing) {
  const std::string token = TokenRecord(kToken);
  const KePolicy policy = PoolPolicy();
  const std::string protocols = "800900020000";
  const std::string algorithms = "800a0008000f002000110040";
  const std::string servers =
      "80060009612e6578616d706c65"
      "80060009622e6578616d706c65";
  EXPECT_EQ(Answer(token +
                       "80090000"
                       "800a0000" +
                       kEnd,
                   policy),
            protocols + algorithms + kEnd);
  EXPECT_EQ(Answer(token + "80090002ffff" + kEnd, policy), protocols + kEnd);
  EXPECT_EQ(Answer(token + "800b0000" + kEnd, policy), servers + kEnd);
  EXPECT_EQ(Answer(token +
                       "800a0000"
                       "00080000" +
                       kEnd,
                   policy),
            "00080000" + algorithms + kEnd);
  for (const std::string& beside : {kNtpv4, kOffer15, kKeys15}) {
    EXPECT_EQ(Evaluate(token + "80090000" + beside + kEnd, policy).refusal, KeRefusal::kPoolContradiction);
  }
}

TEST(KePool, NamesAsManyServersAsFit) {
  KePolicy policy = PoolPolicy();
  policy.pool_server_names.assign(100, std::string(100, 'a'));  // a certificate for a whole fleet
  const std::string answer = Answer(TokenRecord(kToken) + "800b0000" + kEnd, policy);
  EXPECT_THAT(answer, StartsWith("80060064"));
  EXPECT_THAT(answer, ::testing::EndsWith(kEnd));
  EXPECT_EQ(answer.size() / 2, 4 + kKeResponseSizeMax / 104 * 104);
}

// R-POOL-04, R-POOL-05.
TEST(KePool, SealsCookiesForFixedKeys) {
  const KePolicy policy = PoolPolicy();
  const std::string token = TokenRecord(kToken);
  const std::string request = token + kNtpv4 + kOffer15 + kKeys15;
  const KeDecision decision = Evaluate(request + kEnd, policy);
  ASSERT_EQ(decision.answer, KeAnswer::kCookies);
  EXPECT_TRUE(decision.fixed_keys);
  EXPECT_EQ(decision.keys.aead, AeadId::kAesSivCmac256);
  EXPECT_EQ(ToHex(ByteView(decision.keys.c2s).first(32)), std::string(64, 'a'));
  EXPECT_EQ(ToHex(ByteView(decision.keys.s2c).first(32)), std::string(64, 'b'));
  EXPECT_EQ(Respond(decision, policy), kGranted15);
  EXPECT_EQ(Answer(request + "00080000" + kEnd, policy), "00080000" + kGranted15);

  EXPECT_EQ(Answer(request + "00080000" + kEnd, policy, kNoRoom), kGranted15);

  // AEAD 17 takes keys of 64 octets each.
  EXPECT_TRUE(Evaluate(token + kNtpv4 +
                           "800400020011"
                           "800c0080" +
                           std::string(256, '7') + kEnd,
                       policy)
                  .fixed_keys);
  // 30 is not for pools, which do not forward record 1024.
  EXPECT_EQ(Evaluate(token + kNtpv4 +
                         "80040002001e"
                         "800c0020" +
                         std::string(64, '7') + kEnd,
                     policy)
                .answer,
            KeAnswer::kNoAead);

  EXPECT_EQ(Answer(token + kNtpv4 +
                       "80040002000f"
                       "800c003f" +
                       std::string(126, '7') + kEnd,
                   policy),
            kError1);
  EXPECT_EQ(Answer(token + kNtpv4 +
                       "80040002000f"
                       "800c0041" +
                       std::string(130, '7') + kEnd,
                   policy),
            kError1);
  EXPECT_EQ(Answer(token + kNtpv4 + "800400020011" + kKeys15 + kEnd, policy), kError1);
  EXPECT_EQ(Answer(token + kNtpv4 + "80040004000f0011" + kKeys15 + kEnd, policy), kError1);
  EXPECT_EQ(Answer(token + "8001000400000000" + kOffer15 + kKeys15 + kEnd, policy), kError1);
  EXPECT_EQ(Answer(token + kNtpv4 + kKeys15 + kEnd, policy), kError1);
  EXPECT_EQ(Answer(request + kKeys15 + kEnd, policy), kError1);
  EXPECT_EQ(Answer(token + request + kEnd, policy), kError1);
}

// R-POOL-08.
TEST(KePool, NeverExportsKeysAfterKeepAlive) {
  const KePolicy policy = PoolPolicy();
  const std::string token = TokenRecord(kToken);
  EXPECT_EQ(Answer(kNtpv4 + kOffer15 + kEnd, policy, kKeptAlive), kError1);
  EXPECT_EQ(Answer(token + "00080000" + kNtpv4 + kOffer15 + kEnd, policy), kError1);
  EXPECT_EQ(Answer(token + kNtpv4 + kOffer15 + kKeys15 + kEnd, policy, kKeptAlive), kGranted15);
}

// R-POOL-07.
TEST(KePool, TakesTokensOfUpTo128Characters) {
  for (const std::size_t size : {1U, 63U, 64U, 65U, 128U}) {
    KePolicy policy = PoolPolicy();
    policy.pool_tokens = {std::string(size, 'x')};
    EXPECT_THAT(Answer(TokenRecord(std::string(size, 'x')) + "80090000" + kEnd, policy), StartsWith("8009")) << size;
    EXPECT_EQ(Answer(TokenRecord(std::string(size - 1, 'x')) + "80090000" + kEnd, policy), kError0) << size;
    EXPECT_EQ(Answer(TokenRecord(std::string(size - 1, 'x') + 'y') + "80090000" + kEnd, policy), kError0) << size;
  }
}

}  // namespace
}  // namespace ntsd
