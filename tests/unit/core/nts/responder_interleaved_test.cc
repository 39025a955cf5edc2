// Interleaved mode (RFC 9769 §2): who gets the departure of which answer, and who must not.
#include <gtest/gtest.h>

#include "tests/support/packet_builder.h"
#include "tests/support/responder_fixture.h"

namespace ntsd {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::PacketBuilder;
using testing::ResponderHarness;

// Two workers with one store of departures, as in the service.
class Interleaved : public ::testing::Test {
 protected:
  Interleaved() : one(MakeResponder(ListenerPolicy{})), two(MakeResponder(ListenerPolicy{})) {}

  std::unique_ptr<Responder> MakeResponder(const ListenerPolicy& policy) {
    return std::make_unique<Responder>(*SelectAead(), harness.ring, harness.state, harness.clock, harness.random,
                                       std::vector<ListenerPolicy>{policy}, nullptr, &store);
  }

  struct Answered {
    Reason reason;
    NtpHeader header;
    UnixTime stamped;
    std::uint32_t sample = 0;
  };
  // Some time passes, the request comes, is stamped 20 µs later and answered.
  Answered Ask(Responder& responder, Octets request) {
    harness.clock.Advance(seconds(1));
    std::array<std::uint8_t, kReplySizeMax> reply;
    Exchange exchange{.request = request, .reply = reply, .source = source, .received = harness.clock.Now()};
    responder.Prepare(std::span(&exchange, 1));
    harness.clock.Advance(microseconds(20));
    responder.Finish(std::span(&exchange, 1));
    EXPECT_GT(exchange.reply_size, 0U) << ReasonName(exchange.reason);
    const auto header = NtpHeader::Parse(ByteView(reply).first(exchange.reply_size));
    return {exchange.reason, header.value_or(NtpHeader{}), harness.clock.Now(), exchange.sample};
  }
  // Of a client whose last answer had that receive timestamp; zero: it has just started.
  PacketBuilder Request(NtpTimestamp last_receive) {
    ++number;
    PacketBuilder builder;
    builder.header().origin = last_receive;
    builder.header().receive.bits = 0xAAAA'0000'0000'0000 + number;
    builder.header().transmit.bits = 0xBBBB'0000'0000'0000 + number;
    return builder;
  }
  Octets Nts(NtpTimestamp last_receive) {
    const AssociationKeys keys = testing::VectorKeys(AeadId::kAesSivCmac256);
    PacketBuilder builder = Request(last_receive);
    return builder.UniqueId().Cookie(harness.SealedCookie(keys)).Authenticate(*SelectAead(), keys).Build();
  }
  Answered AskPlain(NtpTimestamp last_receive) { return Ask(*one, Request(last_receive).Build()); }
  // The receive timestamp of a client's second request: from then on it is remembered.
  NtpTimestamp Introduce() { return AskPlain(AskPlain({}).header.receive).header.receive; }

  bool IsInterleaved(const Answered& answer) const {
    EXPECT_NE(answer.header.receive, answer.header.transmit) << "R-IL-05";
    EXPECT_EQ(answer.header.receive.bits & 1, 1U);
    EXPECT_EQ(answer.header.transmit.bits & 1, 0U);
    if (answer.header.origin.bits == 0xAAAA'0000'0000'0000 + number) return true;
    EXPECT_EQ(answer.header.origin.bits, 0xBBBB'0000'0000'0000 + number);
    // A basic answer tells its own departure.
    EXPECT_LT(std::chrono::abs(answer.header.transmit.ToUnix(answer.stamped) - answer.stamped), microseconds(1));
    return false;
  }
  static std::uint64_t Count(const Responder& responder, ResponderCounters::Interleaved what) {
    return responder.counters().interleaved.Read(what);
  }

  ResponderHarness harness;
  InterleavedStore store{1 << 10};
  IpEndpoint source = ResponderHarness::DefaultSource();
  std::unique_ptr<Responder> one, two;
  std::uint64_t number = 0;
};

TEST_F(Interleaved, TellsTheDepartureOfTheAnswerBefore_R_IL_01_03_06) {
  const Answered zeroth = AskPlain({});
  EXPECT_FALSE(IsInterleaved(zeroth)) << "basic mode is always there";
  Answered last = AskPlain(zeroth.header.receive);
  EXPECT_FALSE(IsInterleaved(last)) << "only from now on it is worth remembering";
  NtpTimestamp promised = last.header.transmit;
  for (int i = 0; i < 5; ++i) {
    const Answered next = AskPlain(last.header.receive);
    EXPECT_TRUE(IsInterleaved(next));
    if (i == 0) {
      EXPECT_EQ(next.header.transmit, promised) << "what the answer before said itself, until the kernel tells better";
    }
    EXPECT_LT(std::chrono::abs(next.header.transmit.ToUnix(last.stamped) - last.stamped), microseconds(1));
    last = next;
  }
  EXPECT_EQ(Count(*one, ResponderCounters::kToldReckoned), 5U);
  EXPECT_EQ(Count(*one, ResponderCounters::kRemembered), 6U);
}

TEST_F(Interleaved, TellsWhatTheKernelToldOfIt) {
  const Answered first = AskPlain(AskPlain({}).header.receive);
  ASSERT_NE(first.sample, 0U) << "interleaved clients' answers are sampled first";
  const UnixTime left = first.stamped + Duration(4321);
  const Departure departure{.sample = first.sample, .left = left};
  one->Learn(std::span(&departure, 1));
  const Answered second = AskPlain(first.header.receive);
  EXPECT_TRUE(IsInterleaved(second));
  EXPECT_EQ(second.header.transmit, InterleavedStore::MarkTransmit(NtpTimestamp::FromUnix(left)));
  EXPECT_EQ(Count(*one, ResponderCounters::kToldMeasured), 1U);
}

TEST_F(Interleaved, WorksOverNts_R_IL_03) {
  Answered last = Ask(*one, Nts(Ask(*one, Nts({})).header.receive));
  EXPECT_FALSE(IsInterleaved(last));
  for (int i = 0; i < 3; ++i) {
    const Answered next = Ask(*two, Nts(last.header.receive));
    EXPECT_EQ(next.reason, Reason::kNts);
    EXPECT_TRUE(IsInterleaved(next)) << "whichever worker answers";
    last = next;
  }
}

TEST_F(Interleaved, AnswersADuplicateInBasicMode_R_IL_04) {
  const NtpTimestamp receive = Introduce();
  const Octets request = Request(receive).Build();
  EXPECT_TRUE(IsInterleaved(Ask(*one, request)));
  EXPECT_FALSE(IsInterleaved(Ask(*one, request)));
  EXPECT_FALSE(IsInterleaved(Ask(*two, request)));
}

TEST_F(Interleaved, KeepsClientsBehindOneAddressApart_R_IL_08) {
  const NtpTimestamp left = Introduce();
  const NtpTimestamp right = Introduce();
  const UnixTime right_sent = harness.clock.Now();
  source.port = 50'000;  // and the translator gives them another port
  const Answered to_left = AskPlain(left);
  EXPECT_TRUE(IsInterleaved(to_left));
  EXPECT_GT(right_sent - to_left.header.transmit.ToUnix(right_sent), milliseconds(900)) << "its own, not the other's";
  const Answered to_right = AskPlain(right);
  EXPECT_TRUE(IsInterleaved(to_right));
  EXPECT_LT(std::chrono::abs(to_right.header.transmit.ToUnix(right_sent) - right_sent), microseconds(1));
}

TEST_F(Interleaved, IsOnlyForThoseWhoAsk_R_IL_02) {
  const NtpTimestamp receive = Introduce();
  PacketBuilder equal = Request(receive);
  equal.header().receive = equal.header().transmit;
  EXPECT_EQ(Ask(*one, equal.Build()).header.origin, equal.header().transmit);
  EXPECT_FALSE(IsInterleaved(AskPlain({receive.bits + 2})));
  EXPECT_FALSE(IsInterleaved(AskPlain({receive.bits ^ 1})));
  EXPECT_FALSE(IsInterleaved(AskPlain({})));
  EXPECT_TRUE(IsInterleaved(AskPlain(receive)));
}

TEST_F(Interleaved, RemembersNothingOfClientsInBasicMode) {
  NtpTimestamp transmit;
  for (int i = 0; i < 10; ++i) {
    // Such a client sends the transmit timestamp back, or nothing.
    transmit = AskPlain(i % 2 == 0 ? NtpTimestamp{} : transmit).header.transmit;
  }
  EXPECT_EQ(Count(*one, ResponderCounters::kRemembered), 0U);
}

TEST_F(Interleaved, ForgetsWhatWasBeforeAClockStep_R_IL_09) {
  for (const Duration step : {Duration(seconds(-3600)), Duration(seconds(3600)), Duration(seconds(-1))}) {
    const NtpTimestamp receive = Introduce();
    harness.clock.Step(step);
    ServerState state = harness.state.Read();
    ++state.clock_epoch;
    state.epoch_began = harness.clock.Now();
    harness.state.Publish(state);
    EXPECT_FALSE(IsInterleaved(AskPlain(receive))) << step.count();
    EXPECT_TRUE(IsInterleaved(AskPlain(Introduce()))) << "in the new epoch all is well";
  }
}

TEST_F(Interleaved, ForgeriesTakeNobodysDepartureAway) {
  const NtpTimestamp receive = Ask(*one, Nts(Ask(*one, Nts({})).header.receive)).header.receive;
  Octets forged = Nts(receive);
  forged.back() ^= 1;
  const Answered nak = Ask(*one, forged);
  EXPECT_EQ(nak.reason, Reason::kBadAuthenticator);
  EXPECT_EQ(nak.header.origin.bits, 0xBBBB'0000'0000'0000 + number) << "a kiss is never interleaved";
  EXPECT_TRUE(IsInterleaved(Ask(*one, Nts(receive))));
}

TEST_F(Interleaved, IsNotForListenersThatHaveItOff) {
  const auto off = MakeResponder({.interleaved = false});
  const NtpTimestamp receive = Introduce();
  EXPECT_FALSE(IsInterleaved(Ask(*off, Request(receive).Build())));
  EXPECT_EQ(Count(*off, ResponderCounters::kRemembered), 0U);
  EXPECT_TRUE(IsInterleaved(AskPlain(receive)));
}

TEST_F(Interleaved, KissesAreNeverInterleaved) {
  const auto denying = MakeResponder({.require_nts = RequireNts::kDeny});
  const NtpTimestamp receive = Introduce();
  const Answered denied = Ask(*denying, Request(receive).Build());
  EXPECT_EQ(denied.reason, Reason::kPlainDenied);
  EXPECT_EQ(denied.header.origin.bits, 0xBBBB'0000'0000'0000 + number);
  EXPECT_TRUE(IsInterleaved(AskPlain(receive)));
}

}  // namespace
}  // namespace ntsd
