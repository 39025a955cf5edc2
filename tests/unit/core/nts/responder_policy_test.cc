// Plain NTP, listener policies, the header that all clients share, and the counters.
#include <gtest/gtest.h>

#include "tests/support/packet_builder.h"
#include "tests/support/responder_fixture.h"

namespace ntsd {
namespace {

using testing::Answer;
using testing::PacketBuilder;
using testing::ResponderHarness;
using testing::VectorKeys;

NtpHeader HeaderOf(const Answer& answer) {
  const auto header = NtpHeader::Parse(answer.datagram);
  EXPECT_TRUE(header);
  return header.value_or(NtpHeader{});
}

TEST(PlainNtp, AnswersEveryVersionInItsOwn_R_NTP_01_02_04) {
  ResponderHarness harness;
  for (std::uint8_t version = 1; version <= 4; ++version) {
    for (const std::uint64_t transmit : {std::uint64_t{0}, ~std::uint64_t{0}, std::uint64_t{0x123456789ABCDEF0}}) {
      PacketBuilder builder;
      builder.header().version = version;
      builder.header().transmit.bits = transmit;
      const Answer answer = harness.Ask(builder.Build());
      EXPECT_EQ(answer.reason, Reason::kPlain);
      ASSERT_EQ(answer.datagram.size(), 48U);
      const NtpHeader header = HeaderOf(answer);
      EXPECT_EQ(header.version, version);
      EXPECT_EQ(header.mode, NtpMode::kServer);
      EXPECT_EQ(header.origin.bits, transmit);
      EXPECT_EQ(header.leap, LeapIndicator::kNone);
      EXPECT_EQ(header.stratum, 1);
    }
  }
}

TEST(PlainNtp, CopiesThePoll_R_NTP_07) {
  ResponderHarness harness;
  for (const int poll : {-128, -1, 0, 6, 10, 17, 127}) {
    PacketBuilder builder;
    builder.header().poll = static_cast<std::int8_t>(poll);
    EXPECT_EQ(HeaderOf(harness.Ask(builder.Build())).poll, poll);
  }
}

TEST(PlainNtp, TellsNoShorterPollThanTheFloor_R_NTP_07) {
  ResponderHarness harness({testing::MakeMasterKey(1)}, 0, {ListenerPolicy{.poll_floor = 4}});
  for (const int poll : {-128, -1, 3, 4, 5, 17, 127}) {
    PacketBuilder builder;
    builder.header().poll = static_cast<std::int8_t>(poll);
    EXPECT_EQ(HeaderOf(harness.Ask(builder.Build())).poll, std::max(poll, 4));
  }
}

TEST(PlainNtp, EchoesAUniqueIdAlone_R_EF_10) {
  ResponderHarness harness;
  for (const std::size_t size : {32U, 64U, 256U}) {
    const Octets request = PacketBuilder().UniqueId(size).Build();
    const Answer answer = harness.Ask(request);
    EXPECT_EQ(answer.reason, Reason::kPlain);
    ASSERT_EQ(answer.datagram.size(), request.size());
    EXPECT_TRUE(std::equal(request.begin() + 48, request.end(), answer.datagram.begin() + 48));
  }
}

TEST(PlainNtp, AnswersUnknownFieldsWithABareHeader_R_EF_03_04) {
  ResponderHarness harness;
  EXPECT_EQ(harness.Ask(PacketBuilder().Field(0x4321, Octets(24, 7)).Build()).datagram.size(), 48U);
}

TEST(PlainNtp, StampsInOrder_R_NTP_05_R_IL_05) {
  ResponderHarness harness;
  for (int i = 0; i < 1000; ++i) {
    const NtpHeader header = HeaderOf(harness.Ask(PacketBuilder().Build()));
    const Duration residence = Difference(header.transmit, header.receive);
    EXPECT_GT(residence, Duration(19'900));
    EXPECT_LT(residence, Duration(20'100));
  }
}

TEST(PlainNtp, NeverSendsEqualOrUnknownStamps_R_IL_05_R_NTP_18) {
  ResponderHarness harness;
  ServerState coarse = ResponderHarness::SynchronizedState();
  coarse.precision = -6;  // a clock of 16 ms: all stamps of an exchange fall together
  harness.state.Publish(coarse);
  // Around the start of era 1, where a timestamp may be zero.
  harness.clock.Set(UnixTime(std::chrono::seconds(2'085'978'496) - std::chrono::milliseconds(2)));
  for (int i = 0; i < 500; ++i) {
    const NtpHeader header = HeaderOf(harness.Ask(PacketBuilder().Build()));
    EXPECT_GT(static_cast<std::int64_t>(header.transmit.bits - header.receive.bits), 0);
    EXPECT_FALSE(header.receive.IsUnknown());
    EXPECT_FALSE(header.transmit.IsUnknown());
  }
}

TEST(PlainNtp, StampsKissesTheSameWay_R_NTP_18_20) {
  ResponderHarness harness({testing::MakeMasterKey(1)}, 0, {ListenerPolicy{.require_nts = RequireNts::kDeny}});
  const AssociationKeys keys = VectorKeys(AeadId::kAesSivCmac256);
  PacketBuilder forged;
  forged.UniqueId().Cookie(Octets(100)).Authenticate(*SelectAead(), keys);
  ServerState coarse = ResponderHarness::SynchronizedState();
  coarse.precision = -6;
  harness.state.Publish(coarse);
  harness.clock.Set(UnixTime(std::chrono::seconds(2'085'978'496) - std::chrono::milliseconds(2)));
  for (int i = 0; i < 200; ++i) {
    for (const Octets& request : {PacketBuilder().Build(), forged.Build()}) {
      const Answer answer = harness.Ask(request);
      EXPECT_TRUE(answer.reason == Reason::kPlainDenied || answer.reason == Reason::kUnknownCookieKey);
      const NtpHeader header = HeaderOf(answer);
      EXPECT_EQ(header.stratum, 0);
      EXPECT_GT(static_cast<std::int64_t>(header.transmit.bits - header.receive.bits), 0);
      EXPECT_FALSE(header.receive.IsUnknown());
      EXPECT_FALSE(header.transmit.IsUnknown());
    }
  }
}

TEST(PlainNtp, RandomisesBitsBelowThePrecision_R_NTP_11) {
  ResponderHarness harness;
  std::uint64_t ones_receive = 0;
  std::uint64_t ones_transmit = 0;
  std::uint64_t all_receive = ~std::uint64_t{0};
  for (int i = 0; i < 200; ++i) {
    harness.clock.Set(UnixTime(std::chrono::seconds(1'767'225'600)));
    const NtpHeader header = HeaderOf(harness.Ask(PacketBuilder().Build()));
    ones_receive |= header.receive.bits;
    ones_transmit |= header.transmit.bits;
    all_receive &= header.receive.bits;
  }
  EXPECT_EQ(ones_receive & 0x7F, 0x7FU);
  EXPECT_EQ(ones_transmit & 0x7F, 0x7EU) << "the lowest bit tells transmit from receive timestamps (RFC 9769)";
  EXPECT_EQ(all_receive & 0x7F, 1U);
  EXPECT_EQ(ones_receive, all_receive | 0x7E) << "bits above the precision are the clock's";
}

TEST(SharedHeader, TellsTheServerState_R_NTP_08_R_SEC_08) {
  ResponderHarness harness;
  ServerState state = ResponderHarness::SynchronizedState();
  // 2026-01-31, in the last minute before a leap second at the month's end.
  harness.clock.Set(UnixTime(std::chrono::seconds(1'769'903'940)));
  state.leap_second = {.at = UnixTime(std::chrono::seconds(1'769'904'000)), .change = 1};
  state.stratum = 2;
  state.reference_id = 0xC0000201;
  state.root_delay = std::chrono::milliseconds(12);
  state.root_dispersion = std::chrono::milliseconds(3);
  harness.state.Publish(state);
  const NtpHeader header = HeaderOf(harness.Ask(PacketBuilder().Build()));
  EXPECT_EQ(header.leap, LeapIndicator::kInsert) << "R-LEAP-02";
  EXPECT_EQ(header.stratum, 2);
  EXPECT_EQ(header.precision, -25);
  EXPECT_EQ(header.reference_id, 0xC0000201U);
  EXPECT_EQ(header.root_delay, NtpShort::FromDuration(std::chrono::milliseconds(12)));
  EXPECT_EQ(header.root_dispersion, NtpShort::FromDuration(std::chrono::milliseconds(3)));
  EXPECT_EQ(header.reference, NtpTimestamp::FromUnix(state.reference_time));
}

TEST(SharedHeader, IsTheSameForEveryClient_R_SEC_08) {
  ResponderHarness harness;
  const AssociationKeys keys = VectorKeys(AeadId::kAesSivCmac256);
  PacketBuilder authentic;
  authentic.UniqueId().Cookie(harness.SealedCookie(keys)).Authenticate(*SelectAead(), keys);
  PacketBuilder old;
  old.header().version = 1;
  old.header().poll = 17;
  const Octets first = harness.Ask({PacketBuilder().Build()}, {*IpAddress::Parse("192.0.2.5"), 123})[0].datagram;
  for (const char* address : {"192.0.2.5", "198.51.100.1", "2001:db8::1"}) {
    for (const Octets& request : {PacketBuilder().Build(), authentic.Build(), old.Build()}) {
      const Octets answer = harness.Ask({request}, {*IpAddress::Parse(address), 40000})[0].datagram;
      EXPECT_EQ(answer[0] & 0xC7, first[0] & 0xC7) << "leap and mode";
      EXPECT_EQ(answer[1], first[1]) << "stratum";
      // Precision to reference timestamp: the poll before them and what comes behind belong to the request.
      EXPECT_TRUE(std::equal(first.begin() + 3, first.begin() + 24, answer.begin() + 3));
    }
  }
}

TEST(SharedHeader, GrowsTheDispersionUntilWeAreNoClockAnyMore_R_NTP_06_09_R_LEAP_05) {
  ResponderHarness harness;
  ServerState state = ResponderHarness::SynchronizedState();
  state.distance_max = std::chrono::milliseconds(100);
  harness.state.Publish(state);
  harness.clock.Advance(std::chrono::hours(1));
  NtpHeader header = HeaderOf(harness.Ask(PacketBuilder().Build()));
  // 0.5 ms and 15 ppm for an hour.
  EXPECT_EQ(header.root_dispersion, NtpShort::FromDuration(std::chrono::microseconds(500 + 54'000)));
  EXPECT_EQ(header.stratum, 1);
  harness.clock.Advance(std::chrono::hours(1));
  header = HeaderOf(harness.Ask(PacketBuilder().Build()));
  EXPECT_EQ(header.leap, LeapIndicator::kUnsynchronized);
  EXPECT_EQ(header.stratum, 0);
  EXPECT_EQ(header.reference_id, 0U) << "not to be taken for a kiss code";
  EXPECT_GT(header.root_dispersion.ToDuration(), std::chrono::milliseconds(100));
}

TEST(Policy, IgnoresOrDeniesPlainNtpWhereNtsIsRequired) {
  ListenerPolicy ignore{.require_nts = RequireNts::kIgnore};
  ListenerPolicy deny{.require_nts = RequireNts::kDeny};
  ResponderHarness harness({testing::MakeMasterKey(1)}, 0, {ListenerPolicy{}, ignore, deny});
  const std::vector<Octets> plain{PacketBuilder().UniqueId().Build()};
  const auto ask = [&](std::size_t listener) {
    return harness.Ask(plain, ResponderHarness::DefaultSource(), listener)[0];
  };
  EXPECT_EQ(ask(0).reason, Reason::kPlain);
  EXPECT_EQ(ask(1).reason, Reason::kPlainIgnored);
  EXPECT_TRUE(ask(1).datagram.empty());
  const Answer denied = ask(2);
  EXPECT_EQ(denied.reason, Reason::kPlainDenied);
  EXPECT_EQ(HeaderOf(denied).stratum, 0);
  EXPECT_EQ(HeaderOf(denied).reference_id, 0x44454E59U) << "DENY";
  EXPECT_EQ(denied.datagram.size(), 84U) << "with the unique identifier (R-EF-09)";
  // NTS passes everywhere.
  for (std::size_t listener = 0; listener < 3; ++listener) {
    const AssociationKeys keys = VectorKeys(AeadId::kAesSivCmac256);
    PacketBuilder builder;
    builder.UniqueId().Cookie(harness.SealedCookie(keys)).Authenticate(*SelectAead(), keys);
    EXPECT_EQ(harness.Ask({builder.Build()}, ResponderHarness::DefaultSource(), listener)[0].reason, Reason::kNts);
  }
}

TEST(Policy, AnswersNobodyWhoCannotHaveAsked_R_NTP_23) {
  ResponderHarness harness;
  const std::vector<Octets> plain{PacketBuilder().Build()};
  const auto from = [&](const char* address) {
    return harness.Ask(plain, {*IpAddress::Parse(address), 123})[0].reason;
  };
  EXPECT_EQ(from("192.0.2.7"), Reason::kPlain);
  EXPECT_EQ(from("2001:db8::7"), Reason::kPlain);
  for (const char* address : {"224.0.1.1", "255.255.255.255", "0.0.0.0", "ff02::101", "::"}) {
    EXPECT_EQ(from(address), Reason::kBadSource) << address;
  }
  harness.to_unicast = false;
  EXPECT_EQ(from("192.0.2.7"), Reason::kBadDestination);
}

TEST(Counting, CountsEveryDatagramOnceAndItsOctets) {
  ResponderHarness harness;
  PacketBuilder third_version;
  third_version.header().version = 3;
  harness.Ask(
      {PacketBuilder().Build(), third_version.Build(), Octets(10), PacketBuilder().Cookie(Octets(100)).Build()});
  EXPECT_EQ(harness.CountOf(Reason::kPlain), 2U);
  EXPECT_EQ(harness.CountOf(Reason::kTooShort), 1U);
  EXPECT_EQ(harness.CountOf(Reason::kMissingUniqueId), 1U);
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < kReasonCount; ++i) total += harness.responder.counters().reasons.Read(i);
  EXPECT_EQ(total, 4U);
  const auto& requests = harness.responder.counters().requests[0];
  EXPECT_EQ(requests.Read(ResponderCounters::RequestIndex(4, false)), 1U);
  EXPECT_EQ(requests.Read(ResponderCounters::RequestIndex(3, false)), 1U);
  const auto& octets = harness.responder.counters().octets;
  EXPECT_EQ(octets.Read(ResponderCounters::kOctetsIn), 48U + 48 + 10 + 152);
  EXPECT_EQ(octets.Read(ResponderCounters::kOctetsOut), 96U);
  EXPECT_EQ(octets.Read(ResponderCounters::kAmplified), 0U);
}

TEST(Reasons, HaveDistinctNamesAndOneActionEach) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < kReasonCount; ++i) {
    const auto name = ReasonName(static_cast<Reason>(i));
    EXPECT_NE(name, "unknown") << i;
    names.insert(name);
  }
  EXPECT_EQ(names.size(), kReasonCount);
}

}  // namespace
}  // namespace ntsd
