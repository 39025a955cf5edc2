#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "tests/conformance/checks/checks.h"
#include "tests/conformance/checks/common.h"

namespace ntsd::conformance {
namespace {

constexpr std::string_view kNotOffered = "the server does not do interleaved mode";

// What an interleaved client sends next: origin is the server's last receive timestamp, receive is its own.
NtpReply Next(Probe& probe, NtpTimestamp origin, NtpTimestamp receive, NtpTimestamp transmit) {
  testing::PacketBuilder builder;
  builder.header() = probe.Header();
  builder.header().origin = origin;
  builder.header().receive = receive;
  builder.header().transmit = transmit;
  return probe.Ask(builder.Build());
}

NtpTimestamp Stamp(Probe& probe) { return {probe.random().NextU64() | 2}; }

struct Sequence {
  NtpReply first;
  NtpReply second;
  NtpTimestamp receive;   // of the second request
  NtpTimestamp transmit;  // likewise

  bool IsInterleaved() const { return second.IsTime() && second.answer->header.origin == receive; }
};

// A basic exchange, then a request that asks for the true transmit timestamp of its answer.
Sequence TwoRequests(Probe& probe) {
  Sequence sequence;
  sequence.receive = Stamp(probe);
  sequence.transmit = Stamp(probe);
  // Servers may keep timestamps only for clients whose origin looks like their own; one more request shows them.
  const NtpReply zeroth = probe.Ask(probe.Plain());
  if (!zeroth.IsTime()) return sequence;
  sequence.first = Next(probe, zeroth.answer->header.receive, Stamp(probe), Stamp(probe));
  if (!sequence.first.IsTime()) return sequence;
  sequence.second = Next(probe, sequence.first.answer->header.receive, sequence.receive, sequence.transmit);
  return sequence;
}

Finding BasicMode(Probe& probe) {
  const NtpTimestamp transmit = Stamp(probe);
  const NtpReply came = Next(probe, {}, {}, transmit);
  return JudgeNtp(came.answer && came.answer->header.origin == transmit, "a request with an origin of zero",
                  "a basic answer", came);
}

Finding OnlyWhenAsked(Probe& probe) {
  if (!TwoRequests(probe).IsInterleaved()) return Skip(std::string(kNotOffered));
  Variants variants("a basic answer");
  const auto is_basic = [](const NtpReply& reply, NtpTimestamp transmit) {
    return reply.IsTime() && reply.answer->header.origin == transmit;
  };
  const NtpTimestamp transmit = Stamp(probe);
  const NtpReply first = probe.Ask(probe.Plain());
  if (!first.IsTime()) return JudgeNtp(false, "an NTPv4 request", "an answer", first);
  const NtpReply equal = Next(probe, first.answer->header.receive, transmit, transmit);
  variants.Add(is_basic(equal, transmit), "receive equal to transmit", equal);
  const NtpReply unknown = Next(probe, Stamp(probe), Stamp(probe), transmit);
  variants.Add(is_basic(unknown, transmit), "an origin that the server never sent", unknown);
  return variants.Done();
}

Finding Interleaved(Probe& probe) {
  const Sequence sequence = TwoRequests(probe);
  if (!sequence.IsInterleaved()) return Skip(std::string(kNotOffered));
  const NtpHeader& first = sequence.first.answer->header;
  const NtpHeader& second = sequence.second.answer->header;
  const Duration from_receive = Difference(second.transmit, first.receive);
  return Judge(from_receive > Duration::zero() && from_receive < std::chrono::seconds(1) &&
                   second.transmit != second.receive && Difference(second.receive, second.transmit) > Duration::zero(),
               "three requests", "the transmit time of the answer before, and receive of this one",
               fmt::format("transmit {} ns behind the first receive timestamp", from_receive.count()));
}

Finding NotTwice(Probe& probe) {
  const Sequence sequence = TwoRequests(probe);
  if (!sequence.IsInterleaved()) return Skip(std::string(kNotOffered));
  const NtpTimestamp transmit = Stamp(probe);
  const NtpReply again = Next(probe, sequence.first.answer->header.receive, Stamp(probe), transmit);
  return JudgeNtp(again.IsTime() && again.answer->header.origin == transmit, "the same origin once more",
                  "a basic answer", again);
}

Finding TransmitDiffers(Probe& probe) {
  for (int i = 0; i < 4; ++i) TwoRequests(probe);
  for (const SeenAnswer& seen : probe.seen()) {
    if (seen.answer.header.stratum == 0 || seen.answer.header.receive != seen.answer.header.transmit) continue;
    return Judge(false, "requests", "receive and transmit that differ", Describe(seen.answer));
  }
  return Judge(!probe.seen().empty(), "requests", "receive and transmit that differ in every answer",
               Count(probe.seen().size(), "answer"));
}

Finding EveryPairIsKept(Probe& probe) {
  const Sequence sequence = TwoRequests(probe);
  if (!sequence.IsInterleaved()) return Skip(std::string(kNotOffered));
  // The interleaved answer's own pair serves the next one.
  const NtpTimestamp receive = Stamp(probe);
  const NtpReply third = Next(probe, sequence.second.answer->header.receive, receive, Stamp(probe));
  return JudgeNtp(third.IsTime() && third.answer->header.origin == receive, "a fourth request", "an interleaved answer",
                  third);
}

Finding BoundedStore(Probe& probe) {
  if (!probe.is_fast()) return Skip(std::string(kOnlyFast));
  if (!TwoRequests(probe).IsInterleaved()) return Skip(std::string(kNotOffered));
  std::vector<Octets> flood;
  for (int i = 0; i < 2000; ++i) flood.push_back(probe.Plain());
  probe.Burst(flood);
  const Sequence after = TwoRequests(probe);
  return JudgeNtp(after.IsInterleaved(), "2000 requests, then an interleaved client", "an interleaved answer",
                  after.second);
}

Finding AnyPort(Probe& probe) {
  // Every request of ours comes from a port of its own.
  const Sequence sequence = TwoRequests(probe);
  if (!sequence.IsInterleaved()) return Skip(std::string(kNotOffered));
  return JudgeNtp(true, "three requests from three ports", "an interleaved answer", sequence.second);
}

Finding UniqueStamps(Probe& probe) {
  if (probe.seen().size() < 20) {
    for (int i = 0; i < 20; ++i) probe.Ask(probe.Plain());
  }
  // A client tells basic from interleaved answers by which of its timestamps comes back: the server's must not be
  // mixed up either.
  std::set<std::uint64_t> receives;
  std::size_t count = 0;
  for (const SeenAnswer& seen : probe.seen()) {
    if (seen.answer.header.stratum == 0) continue;
    ++count;
    receives.insert(seen.answer.header.receive.bits);
  }
  const auto mixed = std::count_if(probe.seen().begin(), probe.seen().end(), [&](const SeenAnswer& seen) {
    return seen.answer.header.stratum != 0 && receives.count(seen.answer.header.transmit.bits) > 0;
  });
  return Judge(count > 0 && receives.size() == count && mixed == 0, Count(count, "request"),
               "as many different receive timestamps, none of them a transmit timestamp as well",
               fmt::format("{} receive timestamps, {} of them transmit timestamps too", receives.size(), mixed));
}

constexpr Check kChecks[] = {
    {"R-IL-01", "RFC 9769 §1", Level::kMust, "Basic mode is always there", BasicMode},
    {"R-IL-02", "RFC 9769 §2", Level::kMust, "Interleaved only when it was asked for", OnlyWhenAsked},
    {"R-IL-03", "RFC 9769 §2", Level::kMust, "An interleaved answer has the earlier transmit time", Interleaved},
    {"R-IL-04", "RFC 9769 §2", Level::kMust, "A stored timestamp is used once", NotTwice},
    {"R-IL-05", "RFC 9769 §2", Level::kMust, "Transmit never equals receive", TransmitDiffers},
    {"R-IL-06", "RFC 9769 §2", Level::kShould, "Every answer's timestamps are kept", EveryPairIsKept},
    {"R-IL-07", "RFC 9769 §2", Level::kShould, "The store is bounded, the oldest goes", BoundedStore},
    {"R-IL-08", "RFC 9769 §2", Level::kShould, "A client may change its port", AnyPort},
    {"R-IL-09", "RFC 9769 §2", Level::kShould, "Timestamps are unique", UniqueStamps},
};

}  // namespace

std::span<const Check> InterleavedChecks() { return kChecks; }

}  // namespace ntsd::conformance
