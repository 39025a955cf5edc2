// Requests and judgements against a whole responder: what the server under load says, each kind of it.
#include "bench/load/answer_judge.h"

#include <gtest/gtest.h>

#include "tests/support/responder_fixture.h"

namespace ntsd::load {
namespace {

using testing::ResponderHarness;

class Load {
 public:
  explicit Load(RequestShape shape = {}, AeadId aead = AeadId::kAesSivCmac256, std::uint64_t verify_every = 1)
      : shape_(shape),
        clients(3),
        flights(256, 42),
        stamps(clients.size()),
        builder(shape, flights, *SelectAead(), random) {
    for (Client& client : clients) {
      random.Fill(client.keys.c2s);
      random.Fill(client.keys.s2c);
      client.keys.aead = aead;
      if (!shape.is_nts) continue;
      for (int i = 0; i < 8; ++i) client.cookies.Add(server.SealedCookie(client.keys), false);
    }
    judge = std::make_unique<AnswerJudge>(JudgeSettings{.shape = shape, .verify_every = verify_every}, flights, clients,
                                          &stamps, *SelectAead());
  }

  Outcomes& outcomes() { return judge->totals().outcomes; }

  // Sends one request; the datagram, and its flight in `last`.
  Octets Send(RequestKind kind = RequestKind::kGood, std::size_t client = 0) {
    builder.Clear();
    last = &flights.Begin();
    last->client = static_cast<std::uint32_t>(client);
    if (!builder.Add(kind, clients[client], *last)) return {};
    builder.Seal();
    judge->totals().outcomes.Sent(kind);
    return {builder.datagrams()[0].begin(), builder.datagrams()[0].end()};
  }
  void Receive(Octets answer, Duration at = std::chrono::milliseconds(1)) {
    Arrival arrival{.octets = answer, .received_ns = at.count(), .stamp = std::nullopt};
    judge->Judge(std::span(&arrival, 1));
  }
  // There and back.
  void Ask(RequestKind kind = RequestKind::kGood, std::size_t client = 0) {
    const Octets answer = server.Ask(Send(kind, client)).datagram;
    if (!answer.empty()) Receive(answer);
  }

  RequestShape shape_;
  ResponderHarness server;
  testing::FakeRandom random{5};
  std::vector<Client> clients;
  FlightTable flights;
  StampBook stamps;
  RequestBuilder builder;
  std::unique_ptr<AnswerJudge> judge;
  Flight* last = nullptr;
};

class EveryAead : public ::testing::TestWithParam<AeadId> {};
INSTANTIATE_TEST_SUITE_P(Load, EveryAead,
                         ::testing::Values(AeadId::kAesSivCmac256, AeadId::kAesSivCmac512, AeadId::kAes128GcmSiv),
                         [](const auto& tested) { return "Aead" + std::to_string(AeadNumber(tested.param)); });

TEST_P(EveryAead, GoodRequestsGetGoodAnswersAndSpoiledOnesAreRefused) {
  Load load({}, GetParam());
  for (int i = 0; i < 20; ++i) {
    load.Ask(RequestKind::kGood, static_cast<std::size_t>(i % 3));
    load.Ask(RequestKind::kForged, static_cast<std::size_t>(i % 3));
    load.Ask(RequestKind::kStale, static_cast<std::size_t>(i % 3));
  }
  load.outcomes().Settle();
  EXPECT_EQ(load.outcomes().count(RequestKind::kGood, AnswerKind::kOk), 20U);
  EXPECT_EQ(load.outcomes().count(RequestKind::kForged, AnswerKind::kNak), 20U);
  EXPECT_EQ(load.outcomes().count(RequestKind::kStale, AnswerKind::kNak), 20U);
  EXPECT_EQ(load.outcomes().unexpected(), 0U);
  EXPECT_EQ(load.outcomes().LossRatio(), 0);
  EXPECT_EQ(load.judge->totals().verified, 20U);
}

TEST_P(EveryAead, FreshCookiesLastForEverAndSurviveLosses) {
  Load load({.spends_cookies = true}, GetParam());
  for (int i = 0; i < 200; ++i) {
    const Octets request = load.Send();
    ASSERT_FALSE(request.empty()) << "the client ran out of cookies at " << i;
    if (i % 3 != 0) load.Receive(load.server.Ask(request).datagram);
  }
  EXPECT_EQ(load.outcomes().unexpected(), 0U);
  EXPECT_GT(load.judge->totals().cookies_taken, 150U);
  EXPECT_GT(load.judge->totals().cookies_opened, 100U) << "cookies from answers opened later";
  EXPECT_EQ(load.clients[0].cookies.count(), 8U);
}

TEST_P(EveryAead, PlaceholdersBringCookies) {
  for (std::size_t placeholders = 0; placeholders <= 7; ++placeholders) {
    Load load({.spends_cookies = true, .placeholders = placeholders}, GetParam());
    const std::uint64_t before = load.judge->totals().cookies_taken;
    load.Ask();
    ASSERT_EQ(load.outcomes().count(AnswerKind::kOk), 1U);
    // With AEAD 17 eight cookies do not fit into an answer that is never fragmented.
    const std::uint64_t most = GetParam() == AeadId::kAesSivCmac512 ? 6 : 8;
    EXPECT_EQ(load.judge->totals().cookies_taken - before, std::min<std::uint64_t>(placeholders + 1, most));
  }
}

TEST(AnswerJudge, ClientsWithoutCookiesGiveNoRequest) {
  Load load({.spends_cookies = true});
  for (int i = 0; i < 8; ++i) EXPECT_FALSE(load.Send().empty());
  EXPECT_TRUE(load.Send().empty()) << "eight are spent and none came back";
  EXPECT_FALSE(load.Send(RequestKind::kGood, 1).empty()) << "another client has its own";
}

TEST(AnswerJudge, GarbageIsMetWithSilence) {
  Load load;
  for (int i = 0; i < 300; ++i) {
    EXPECT_TRUE(load.server.Ask(load.Send(RequestKind::kGarbage)).datagram.empty()) << i;
  }
  load.outcomes().Settle();
  EXPECT_EQ(load.outcomes().count(AnswerKind::kSilence), 300U);
}

TEST(AnswerJudge, PlainVersionsOneToFour) {
  for (std::uint8_t version = 1; version <= 4; ++version) {
    Load load({.version = version, .is_nts = false});
    load.Ask();
    EXPECT_EQ(load.outcomes().count(AnswerKind::kOk), 1U) << int{version};
  }
}

TEST(AnswerJudge, NoFlippedBitOfAnAnswerIsOk) {
  Load load;
  const Octets request = load.Send();
  const Octets good = load.server.Ask(request).datagram;
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    Octets answer = good;
    answer[bit / 8] ^= static_cast<std::uint8_t>(0x80 >> bit % 8);
    load.last->state = FlightState::kOpen;
    load.Receive(answer);
    EXPECT_EQ(load.outcomes().count(AnswerKind::kOk), 0U) << "octet " << bit / 8;
  }
  EXPECT_GT(load.outcomes().count(AnswerKind::kUnauthentic), 0U);
  EXPECT_GT(load.outcomes().count(AnswerKind::kMismatched), 0U) << "origin and unique identifier";
  load.last->state = FlightState::kOpen;
  load.Receive(good);
  EXPECT_EQ(load.outcomes().count(AnswerKind::kOk), 1U);
}

TEST(AnswerJudge, NothingButTheTrueAnswerIsOkWhateverIsDoneToIt) {
  Load load;
  testing::FakeRandom random(2026);
  const Octets good = load.server.Ask(load.Send()).datagram;
  for (std::size_t size = 0; size < good.size(); ++size) {
    load.last->state = FlightState::kOpen;
    load.Receive({good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size)});
  }
  for (int i = 0; i < 20'000; ++i) {
    Octets answer = good;
    for (std::uint64_t changes = random.Below(8); changes > 0; --changes) {
      answer[random.Below(answer.size())] = static_cast<std::uint8_t>(random.Next());
    }
    if (random.Below(4) == 0) {
      answer.resize(random.Below(kRequestSizeMax));
      for (std::size_t k = good.size(); k < answer.size(); ++k) answer[k] = static_cast<std::uint8_t>(random.Next());
    }
    if (answer == good) continue;
    load.last->state = FlightState::kOpen;
    load.Receive(answer);
    ASSERT_EQ(load.outcomes().count(AnswerKind::kOk), 0U) << "seed 2026, round " << i;
  }
  load.last->state = FlightState::kOpen;
  load.Receive(good);
  EXPECT_EQ(load.outcomes().count(AnswerKind::kOk), 1U);
}

TEST(AnswerJudge, WithoutVerifyingAForgeryPassesWhichIsWhyTheShareIsTold) {
  Load load({}, AeadId::kAesSivCmac256, 1'000'000);
  Octets answer = load.server.Ask(load.Send()).datagram;
  answer.back() ^= 1;
  load.Receive(answer);
  EXPECT_EQ(load.outcomes().count(AnswerKind::kOk), 1U);
  EXPECT_EQ(load.judge->totals().verified, 0U);
}

TEST(AnswerJudge, SecondAnswersAreDuplicatesAndOldOnesLate) {
  Load load;
  const Octets answer = load.server.Ask(load.Send()).datagram;
  load.Receive(answer);
  load.Receive(answer);
  EXPECT_EQ(load.outcomes().count(AnswerKind::kDuplicate), 1U);
  const Octets slow = load.server.Ask(load.Send()).datagram;
  load.Receive(slow, std::chrono::seconds(2));
  EXPECT_EQ(load.outcomes().count(AnswerKind::kLate), 1U);
  load.Receive(slow, std::chrono::seconds(3));
  EXPECT_EQ(load.outcomes().count(AnswerKind::kLate), 1U) << "once only";
  load.outcomes().Settle();
  EXPECT_EQ(load.outcomes().count(AnswerKind::kLost), 0U);
}

TEST(AnswerJudge, AnAnswerAfterTheRequestWasGivenUpIsLate) {
  Load load;
  const Octets answer = load.server.Ask(load.Send()).datagram;
  load.flights.GiveUp(std::chrono::seconds(5).count());
  load.Receive(answer, std::chrono::seconds(2));
  EXPECT_EQ(load.outcomes().count(AnswerKind::kLate), 1U);
}

TEST(AnswerJudge, LatencyCountsFromTheIntendedTime) {
  Load load;
  const Octets request = load.Send();
  load.last->intended_ns = 100'000;
  load.last->lag_ns = 700'000;  // it was sent late
  load.Receive(load.server.Ask(request).datagram, std::chrono::milliseconds(1));
  EXPECT_EQ(load.judge->totals().latency.max(), std::chrono::microseconds(900));
}

// Every way in which a plain header can be wrong.
struct HeaderCase {
  const char* name;
  AnswerKind kind;
  void (*spoil)(NtpHeader&);
};
class EveryHeader : public ::testing::TestWithParam<HeaderCase> {};
INSTANTIATE_TEST_SUITE_P(
    Load, EveryHeader,
    ::testing::Values(
        HeaderCase{"Nak", AnswerKind::kNak,
                   [](NtpHeader& h) { h.stratum = 0, h.reference_id = static_cast<std::uint32_t>(KissCode::kNtsn); }},
        HeaderCase{"Rate", AnswerKind::kRate,
                   [](NtpHeader& h) { h.stratum = 0, h.reference_id = static_cast<std::uint32_t>(KissCode::kRate); }},
        HeaderCase{"Deny", AnswerKind::kDeny,
                   [](NtpHeader& h) { h.stratum = 0, h.reference_id = static_cast<std::uint32_t>(KissCode::kDeny); }},
        HeaderCase{"OtherKiss", AnswerKind::kOtherKiss,
                   [](NtpHeader& h) { h.stratum = 0, h.reference_id = 0x494E4954; }},
        HeaderCase{"Unsynchronized", AnswerKind::kUnsynchronized,
                   [](NtpHeader& h) { h.leap = LeapIndicator::kUnsynchronized; }},
        HeaderCase{"OtherMode", AnswerKind::kMalformed, [](NtpHeader& h) { h.mode = NtpMode::kClient; }},
        HeaderCase{"OtherVersion", AnswerKind::kMalformed, [](NtpHeader& h) { h.version = 3; }},
        HeaderCase{"Disordered", AnswerKind::kStampsDisordered,
                   [](NtpHeader& h) { h.transmit.bits = h.receive.bits - 1; }},
        HeaderCase{"NoStamp", AnswerKind::kStampsDisordered, [](NtpHeader& h) { h.transmit.bits = 0; }},
        HeaderCase{"OtherOrigin", AnswerKind::kMismatched, [](NtpHeader& h) { h.origin.bits ^= 1; }}),
    [](const auto& tested) { return tested.param.name; });

TEST_P(EveryHeader, IsToldApart) {
  Load load({.is_nts = false});
  Octets answer = load.server.Ask(load.Send()).datagram;
  NtpHeader header = *NtpHeader::Parse(answer);
  GetParam().spoil(header);
  ByteWriter writer(answer);
  header.Write(writer);
  load.Receive(answer);
  EXPECT_EQ(load.outcomes().count(GetParam().kind), 1U);
  EXPECT_EQ(load.outcomes().unexpected(), 1U);
}

TEST(AnswerJudge, LongerThanTheRequestIsOversized) {
  Load load({.is_nts = false});
  Octets answer = load.server.Ask(load.Send()).datagram;
  answer.resize(answer.size() + 4);
  load.Receive(answer);
  EXPECT_EQ(load.outcomes().count(AnswerKind::kOversized), 1U);
}

TEST(AnswerJudge, ShortAndForeignDatagramsAreMismatched) {
  Load load;
  load.Send();
  load.Receive(Octets(47));
  load.Receive(Octets(48));
  EXPECT_EQ(load.outcomes().count(AnswerKind::kMismatched), 2U);
}

TEST(AnswerJudge, APlainAnswerToAnNtsRequestIsUnauthentic) {
  Load load;
  Octets answer = load.server.Ask(load.Send()).datagram;
  answer.resize(kNtpHeaderSize + 36);  // header and unique identifier
  load.Receive(answer);
  EXPECT_EQ(load.outcomes().count(AnswerKind::kUnauthentic), 1U);
}

TEST(AnswerJudge, AnEchoIsComparedWithItsRequest) {
  Load load;
  AnswerJudge judge({.shape = {}, .is_echo = true}, load.flights, load.clients, nullptr, *SelectAead());
  Octets request = load.Send();
  const auto receive = [&](Octets& octets) {
    Arrival arrival{.octets = octets, .received_ns = 0, .stamp = std::nullopt};
    judge.Judge(std::span(&arrival, 1));
  };
  Octets spoiled = request;
  spoiled[kNtpHeaderSize + 10] ^= 1;  // the unique identifier
  receive(spoiled);
  EXPECT_EQ(judge.totals().outcomes.count(AnswerKind::kMismatched), 1U);
  receive(request);
  EXPECT_EQ(judge.totals().outcomes.count(AnswerKind::kOk), 1U);
}

TEST(AnswerJudge, InterleavedRequestsNameTheAnswerBefore) {
  Load load({.is_nts = false, .is_interleaved = true});
  load.Ask();
  const NtpTimestamp server_receive = load.clients[0].server_receive;
  ASSERT_FALSE(server_receive.IsUnknown());
  const Octets request = load.Send();
  NtpHeader header = *NtpHeader::Parse(request);
  EXPECT_EQ(header.origin, server_receive);
  EXPECT_NE(header.receive, header.transmit) << "RFC 9769: or it would be a basic request";
  // An interleaved answer has our receive timestamp as its origin, and an earlier transmit timestamp.
  NtpHeader answer = header;
  answer.mode = NtpMode::kServer;
  answer.stratum = 1;
  answer.origin = header.receive;
  answer.receive = {server_receive.bits + (std::uint64_t{1} << 32)};
  answer.transmit = {server_receive.bits + 1000};
  Octets datagram(kNtpHeaderSize);
  ByteWriter writer(datagram);
  answer.Write(writer);
  load.Receive(datagram);
  EXPECT_EQ(load.judge->totals().interleaved, 1U);
  EXPECT_EQ(load.outcomes().unexpected(), 0U);
}

}  // namespace
}  // namespace ntsd::load
