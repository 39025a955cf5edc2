#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "tests/conformance/checks/checks.h"
#include "tests/conformance/checks/common.h"
#include "tests/conformance/probe/udp.h"

namespace ntsd::conformance {
namespace {

using testing::PacketBuilder;

// The server's time may differ from ours by a lot, but not by this much.
constexpr Duration kOffsetMax = std::chrono::hours(24);

Octets WithHeader(const NtpHeader& header) {
  PacketBuilder builder;
  builder.header() = header;
  return builder.Build();
}

bool IsPlainTime(const NtpReply& reply) {
  return reply.answer && reply.answer->header.mode == NtpMode::kServer &&
         reply.answer->datagram.size() == kNtpHeaderSize;
}

std::string HeaderText(const NtpReply& reply) {
  if (!reply.answer) return Describe(reply);
  const NtpHeader& header = reply.answer->header;
  return fmt::format(
      "LI {}, stratum {}, precision {}, root delay {:.6f} s, root dispersion {:.6f} s, reference id {:08x}",
      static_cast<unsigned>(header.leap), header.stratum, header.precision,
      std::chrono::duration<double>(header.root_delay.ToDuration()).count(),
      std::chrono::duration<double>(header.root_dispersion.ToDuration()).count(), header.reference_id);
}

Finding PlainAnswer(Probe& probe) {
  const NtpReply came = probe.Ask(probe.Plain());
  return JudgeNtp(IsPlainTime(came), "an NTPv4 request of 48 octets", "a packet of mode 4 and 48 octets", came);
}

Finding SameVersion(Probe& probe) {
  Variants variants("an answer in the request's version, or none to versions 1 and 2");
  for (const int version : {4, 3, 2, 1}) {
    const NtpReply came = probe.Ask(probe.Plain(static_cast<std::uint8_t>(version)), {.expects_silence = version < 3});
    const bool silent_is_fine = version < 3 && came.IsSilence();
    const bool holds = silent_is_fine || (IsPlainTime(came) && came.answer->header.version == version);
    variants.Add(holds, fmt::format("version {}", version), came);
  }
  return variants.Done();
}

Finding OtherVersions(Probe& probe) {
  Variants variants("silence");
  for (const int version : {0, 5, 6, 7}) {
    const NtpReply came = probe.AskForSilence(probe.Plain(static_cast<std::uint8_t>(version)));
    variants.Add(came.IsSilence(), fmt::format("version {}", version), came);
  }
  return variants.Done();
}

Finding OriginIsCopied(Probe& probe) {
  Variants variants("an origin timestamp that equals the request's transmit timestamp in every bit");
  for (const std::uint64_t bits : {probe.random().NextU64(), std::uint64_t{0}, ~std::uint64_t{0}, std::uint64_t{1}}) {
    NtpHeader header = probe.Header();
    header.transmit.bits = bits;
    const NtpReply came = probe.Ask(WithHeader(header));
    variants.Add(came.answer && came.answer->header.origin.bits == bits, fmt::format("transmit {:016x}", bits), came);
  }
  return variants.Done();
}

Finding StampsOfTheServer(Probe& probe) {
  const NtpReply came = probe.Ask(probe.Plain());
  if (!came.answer) return JudgeNtp(false, "an NTPv4 request", "time", came);
  const NtpHeader& header = came.answer->header;
  if (header.stratum == 0) return Skip("the server says that it has no time");
  const Sample sample = ComputeSample(came.sent, header, came.received);
  const Duration inside = Difference(header.transmit, header.receive);
  const Duration offset = sample.offset < Duration::zero() ? -sample.offset : sample.offset;
  return Judge(inside >= Duration::zero() && inside < std::chrono::seconds(2) && offset < kOffsetMax,
               "an NTPv4 request", "receive before transmit, both from a clock that is near ours",
               fmt::format("{} ns from receive to transmit, offset {:.6f} s", inside.count(),
                           std::chrono::duration<double>(sample.offset).count()));
}

Finding Unsynchronized(Probe& probe) {
  const NtpReply came = probe.Ask(probe.Plain());
  if (!came.answer) return JudgeNtp(false, "an NTPv4 request", "an answer", came);
  const NtpHeader& header = came.answer->header;
  const bool claims_time = header.stratum >= 1 && header.stratum <= 15 && header.leap != LeapIndicator::kUnsynchronized;
  const bool claims_none = header.stratum == 0 && header.leap == LeapIndicator::kUnsynchronized;
  return Judge(claims_time || claims_none, "an NTPv4 request",
               "stratum 1 to 15 with LI 0 to 2, or stratum 0 with LI 3; never 16", HeaderText(came));
}

Finding PollIsCopied(Probe& probe) {
  Variants variants("the request's poll, or a larger one");
  for (const int poll : {6, 10, -1}) {
    NtpHeader header = probe.Header();
    header.poll = static_cast<std::int8_t>(poll);
    const NtpReply came = probe.Ask(WithHeader(header));
    variants.Add(came.answer && came.answer->header.poll >= poll, fmt::format("poll {}", poll), came);
  }
  return variants.Done();
}

Finding PlausibleHeader(Probe& probe) {
  constexpr auto kDistanceMax = std::chrono::seconds(16);  // MAXDISP of RFC 5905
  const NtpReply came = probe.Ask(probe.Plain());
  if (!came.answer) return JudgeNtp(false, "an NTPv4 request", "an answer", came);
  const NtpHeader& header = came.answer->header;
  if (header.stratum == 0) return Skip("the server says that it has no time");
  const bool reference_is_past =
      !header.reference.IsUnknown() && Difference(header.receive, header.reference) > -std::chrono::seconds(1);
  const bool holds = header.precision < 0 && header.precision >= -32 && header.root_delay.ToDuration() < kDistanceMax &&
                     header.root_dispersion.ToDuration() < kDistanceMax && reference_is_past;
  return Judge(holds, "an NTPv4 request",
               "a precision below 1 s, root delay and dispersion below 16 s, a reference time in the past",
               HeaderText(came));
}

Finding ReferenceId(Probe& probe) {
  const NtpReply came = probe.Ask(probe.Plain());
  if (!came.answer) return JudgeNtp(false, "an NTPv4 request", "an answer", came);
  const NtpHeader& header = came.answer->header;
  if (header.stratum == 0) return Skip("the server says that it has no time");
  bool holds = header.reference_id != 0;
  if (header.stratum == 1) {
    bool ended = false;
    for (int shift = 24; shift >= 0; shift -= 8) {
      const auto c = static_cast<unsigned char>(header.reference_id >> shift);
      if (c == 0) ended = true;
      holds = holds && (c == 0 || (!ended && c > 0x20 && c < 0x7F));
    }
  }
  return Judge(holds, "an NTPv4 request", "four ASCII letters at stratum 1, else an id that is not zero",
               HeaderText(came));
}

Finding RandomLowBits(Probe& probe) {
  constexpr std::size_t kSamples = 24;
  std::size_t samples = 0;
  std::set<std::uint64_t> low;
  int bits = 0;
  while (samples < kSamples) {
    const NtpReply came = probe.Ask(probe.Plain());
    if (!came.answer) return JudgeNtp(false, "an NTPv4 request", "an answer", came);
    const NtpHeader& header = came.answer->header;
    bits = std::clamp(32 + header.precision, 0, 16);
    if (bits < 4) return Skip("the server's precision leaves no bits below it");
    low.insert(header.transmit.bits & ((std::uint64_t{1} << bits) - 1));
    ++samples;
  }
  // Of 24 samples of at least 4 random bits, some must differ in the lowest octave.
  return Judge(low.size() >= 5, fmt::format("{} requests", kSamples), "different bits below the precision",
               fmt::format("{} values of the {} lowest bits", low.size(), bits));
}

Finding SourceAddress(Probe& probe) {
  Variants variants("an answer from the address and port that were asked");
  std::vector<IpAddress> addresses = probe.addresses();
  if (std::find(addresses.begin(), addresses.end(), probe.ntp_server().address) == addresses.end()) {
    addresses = {probe.ntp_server().address};
  }
  for (const IpAddress& address : addresses) {
    const IpEndpoint server{address, probe.ntp_server().port};
    AskOptions options;
    if (server != probe.ntp_server()) options.server = server;
    const NtpReply came = probe.Ask(probe.Plain(), options);
    const std::string sent = "a request to " + server.ToString();
    if (came.answer) {
      variants.Add(came.from == server, sent, "an answer from " + came.from.ToString());
    } else {
      variants.Add(false, sent, came);
    }
  }
  return variants.Done();
}

Finding AnyPort(Probe& probe) {
  Variants variants("an answer");
  const NtpReply ephemeral = probe.Ask(probe.Plain());
  variants.Add(ephemeral.answer.has_value(), "a request from a high port", ephemeral);
  IpAddress any;
  any.is_v4 = probe.ntp_server().address.is_v4;
  if (UdpSocket::Open({any, 123}).has_value()) {
    const NtpReply from_123 = probe.Ask(probe.Plain(), {.source_port = 123});
    variants.Add(from_123.answer.has_value(), "one from port 123", from_123);
  }
  return variants.Done();
}

constexpr Check kChecks[] = {
    {"R-NTP-01", "RFC 5905 §9.2", Level::kMust, "A plain request gets a plain answer", PlainAnswer},
    {"R-NTP-02", "RFC 5905 §9.2", Level::kMust, "The answer has the request's version", SameVersion},
    {"R-NTP-03", "RFC 5905 §9.2", Level::kMust, "Versions 0 and above 4 get silence", OtherVersions},
    {"R-NTP-04", "RFC 5905 §8", Level::kMust, "Origin is the request's transmit timestamp", OriginIsCopied},
    {"R-NTP-05", "RFC 5905 §8", Level::kMust, "Receive and transmit come from the server's clock", StampsOfTheServer},
    {"R-NTP-06", "RFC 5905 §7.3", Level::kMust, "Without time: stratum 0 and LI 3", Unsynchronized},
    {"R-NTP-07", "RFC 5905 §9.2", Level::kMust, "Poll is the request's, or larger", PollIsCopied},
    {"R-NTP-08", "RFC 5905 §7.3", Level::kMust, "The header's figures are plausible", PlausibleHeader},
    {"R-NTP-09", "RFC 5905 §11", Level::kMust, "Root dispersion grows without updates", nullptr,
     "the server would have to be cut off from its sources for an hour"},
    {"R-NTP-10", "RFC 5905 §7.3", Level::kMust, "The reference id fits the stratum", ReferenceId},
    {"R-NTP-11", "RFC 5905 §6", Level::kShould, "Bits below the precision are random", RandomLowBits},
    {"R-NTP-12", "RFC 5905 §9.2", Level::kMust, "Answers come from the address that was asked", SourceAddress},
    {"R-NTP-13", "RFC 9109 §4", Level::kMust, "Any source port is served", AnyPort},
};

}  // namespace

std::span<const Check> NtpHeaderChecks() { return kChecks; }

}  // namespace ntsd::conformance
