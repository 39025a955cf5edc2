#include "core/nts/client.h"

#include <gtest/gtest.h>

#include "core/ntp/extension_field.h"
#include "tests/support/responder_fixture.h"

namespace ntsd {
namespace {

using testing::ResponderHarness;

constexpr AeadId kAeads[] = {AeadId::kAesSivCmac256, AeadId::kAesSivCmac512, AeadId::kAes128GcmSiv};
const Aead& TheAead() { return *SelectAead(); }

class Client : public ::testing::TestWithParam<AeadId> {
 protected:
  ResponderHarness harness;
  NtsAssociation association = harness.Associate(GetParam());
};

INSTANTIATE_TEST_SUITE_P(Aeads, Client, ::testing::ValuesIn(kAeads),
                         [](const auto& tested) { return "Aead" + std::to_string(AeadNumber(tested.param)); });

TEST_P(Client, KeepsEightCookiesAndRefillsAfterLosses) {
  for (int i = 0; i < 30; ++i) {
    const auto request = BuildNtsRequest(association, TheAead(), harness.random);
    ASSERT_TRUE(request);
    if (i % 4 == 3) continue;  // the answer is lost
    const auto answer = harness.Ask(request->datagram);
    const ResponseFacts facts = JudgeNtsResponse(*request, answer.datagram, association, TheAead());
    EXPECT_EQ(facts.verdict, ResponseVerdict::kOk);
    EXPECT_TRUE(facts.authenticated);
    EXPECT_EQ(association.cookies.size(), 8U);
  }
  association.cookies.clear();
  EXPECT_FALSE(BuildNtsRequest(association, TheAead(), harness.random)) << "nothing left: do NTS-KE again";
}

TEST_P(Client, BelievesNoFlippedBit) {
  const auto request = BuildNtsRequest(association, TheAead(), harness.random);
  const Octets good = harness.Ask(request->datagram).datagram;
  const std::size_t cookie_count = association.cookies.size();
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    Octets answer = good;
    answer[bit / 8] ^= static_cast<std::uint8_t>(0x80 >> bit % 8);
    const ResponseFacts facts = JudgeNtsResponse(*request, answer, association, TheAead());
    EXPECT_NE(facts.verdict, ResponseVerdict::kOk) << "octet " << bit / 8;
    EXPECT_FALSE(facts.authenticated);
    EXPECT_EQ(association.cookies.size(), cookie_count) << "and takes no cookie from it";
  }
  EXPECT_EQ(JudgeNtsResponse(*request, good, association, TheAead()).verdict, ResponseVerdict::kOk);
}

TEST_P(Client, SurvivesEveryTruncation) {
  const auto request = BuildNtsRequest(association, TheAead(), harness.random);
  const Octets good = harness.Ask(request->datagram).datagram;
  for (std::size_t size = 0; size < good.size(); ++size) {
    EXPECT_NE(JudgeNtsResponse(*request, ByteView(good).first(size), association, TheAead()).verdict,
              ResponseVerdict::kOk);
  }
}

TEST_P(Client, TellsANakFromAForgery) {
  const auto request = BuildNtsRequest(association, TheAead(), harness.random);
  harness.Publish({testing::MakeMasterKey(0x7777)});
  const Octets nak = harness.Ask(request->datagram).datagram;
  EXPECT_EQ(JudgeNtsResponse(*request, nak, association, TheAead()).verdict, ResponseVerdict::kNak);
  const auto other = BuildNtsRequest(association, TheAead(), harness.random);
  EXPECT_EQ(JudgeNtsResponse(*other, nak, association, TheAead()).verdict, ResponseVerdict::kMismatched);
  // A plain answer to an NTS request is worth nothing.
  Octets plain = nak;
  plain[0] = 0x24;
  plain[1] = 1;
  EXPECT_EQ(JudgeNtsResponse(*request, plain, association, TheAead()).verdict, ResponseVerdict::kUnauthentic);
}

TEST(PlainClient, JudgesAnswers) {
  ResponderHarness harness;
  for (std::uint8_t version = 1; version <= 4; ++version) {
    const ClientRequest request = BuildPlainRequest(version, harness.random);
    Octets answer = harness.Ask(request.datagram).datagram;
    EXPECT_EQ(JudgePlainResponse(request, answer).verdict, ResponseVerdict::kOk);
    answer[24] ^= 1;
    EXPECT_EQ(JudgePlainResponse(request, answer).verdict, ResponseVerdict::kMismatched);
    answer[24] ^= 1;
    answer[0] ^= 1;
    EXPECT_EQ(JudgePlainResponse(request, answer).verdict, ResponseVerdict::kNotAnAnswer);
    EXPECT_EQ(JudgePlainResponse(request, ByteView(answer).first(47)).verdict, ResponseVerdict::kTooShort);
  }
  harness.state.Publish(ServerState{});
  const ClientRequest request = BuildPlainRequest(4, harness.random);
  EXPECT_EQ(JudgePlainResponse(request, harness.Ask(request.datagram).datagram).verdict,
            ResponseVerdict::kUnsynchronized);
}

TEST(ComputeSample, FindsOffsetAndDelayAcrossTheEras) {
  for (const std::int64_t now_s : {1'767'225'600LL, 2'085'978'496LL, 2'147'483'648LL}) {
    const UnixTime sent{std::chrono::seconds(now_s)};
    // The server is 3 ms ahead; 1 ms there, 0.5 ms inside, 2 ms back.
    NtpHeader answer;
    answer.receive = NtpTimestamp::FromUnix(sent + std::chrono::milliseconds(4));
    answer.transmit = NtpTimestamp::FromUnix(sent + std::chrono::microseconds(4500));
    const Sample sample = ComputeSample(sent, answer, sent + std::chrono::microseconds(3500));
    EXPECT_NEAR(static_cast<double>(sample.delay.count()), 3e6, 2);
    EXPECT_NEAR(static_cast<double>(sample.offset.count()), 2.5e6, 2);
  }
}

}  // namespace
}  // namespace ntsd
