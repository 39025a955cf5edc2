#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <initializer_list>

#include "tests/conformance/checks/checks.h"
#include "tests/conformance/checks/common.h"
#include "tests/conformance/probe/udp.h"

namespace ntsd::conformance {
namespace {

using testing::PacketBuilder;

// The registered kiss codes of RFC 5905 §7.4 and RFC 8915 §7.
constexpr std::array<std::string_view, 14> kKissCodes{"ACST", "AUTH", "AUTO", "BCST", "CRYP", "DENY", "DROP",
                                                      "RSTR", "INIT", "MCST", "NKEY", "NTSN", "RATE", "RMOT"};

std::string KissText(const NtpHeader& header) {
  std::string text;
  for (int shift = 24; shift >= 0; shift -= 8) text += static_cast<char>(header.reference_id >> shift & 0xFF);
  return text;
}

NtpReply Mode(Probe& probe, NtpMode mode) {
  PacketBuilder builder;
  builder.header() = probe.Header();
  builder.header().mode = mode;
  return probe.AskForSilence(builder.Build());
}

Finding OtherModes(Probe& probe) {
  Variants variants("silence");
  for (const NtpMode mode : {NtpMode::kReserved, NtpMode::kSymmetricPassive, NtpMode::kServer, NtpMode::kBroadcast}) {
    const NtpReply came = Mode(probe, mode);
    variants.Add(came.IsSilence(), fmt::format("mode {}", static_cast<unsigned>(mode)), came);
  }
  return variants.Done();
}

Finding ControlModes(Probe& probe) {
  Variants variants("silence");
  const Octets read_variables{0x26, 0x02, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0};
  Octets monitor_list{0x17, 0, 3, 42};
  monitor_list.resize(192);
  for (const auto& [sent, datagram] :
       {std::pair("mode 6, read variables", read_variables), std::pair("mode 7, monlist", monitor_list)}) {
    const NtpReply came = probe.AskForSilence(datagram);
    variants.Add(came.IsSilence(), sent, came);
  }
  return variants.Done();
}

Finding SymmetricActive(Probe& probe) {
  return JudgeSilence("mode 1 from a stranger", Mode(probe, NtpMode::kSymmetricActive));
}

Finding BadLengths(Probe& probe) {
  Variants variants("silence");
  for (const std::size_t size : std::initializer_list<std::size_t>{47, 49, 50, 51, 1, 0}) {
    Octets datagram = probe.Plain();
    datagram.resize(size);
    const NtpReply came = probe.AskForSilence(datagram);
    variants.Add(came.IsSilence(), Count(size, "octet"), came);
  }
  return variants.Done();
}

// A NAK, the one kiss that can be asked for.
NtpReply ProvokeKiss(Probe& probe, Association& association) {
  NtsDraft draft = probe.Draft(association);
  draft.cookie[draft.cookie.size() / 2] ^= 1;
  return probe.Ask(draft, association);
}

template <typename Holds>
Finding JudgeKiss(Probe& probe, std::string expected, Holds holds) {
  Association* const association = probe.Nts();
  if (association == nullptr) return Skip(std::string(kNoNts));
  const NtpReply came = ProvokeKiss(probe, *association);
  if (!came.IsNak()) return Skip("the server sent no kiss code to a bad cookie: " + Describe(came));
  const NtpHeader& header = came.answer->header;
  return JudgeNtp(holds(header, *came.answer), "a request with a damaged cookie", std::move(expected), came);
}

Finding KissLayout(Probe& probe) {
  return JudgeKiss(probe, "stratum 0, LI 3, an ASCII code, the origin timestamp",
                   [&](const NtpHeader& header, const NtpAnswer&) {
                     const std::string code = KissText(header);
                     return header.leap == LeapIndicator::kUnsynchronized && !header.origin.IsUnknown() &&
                            std::all_of(code.begin(), code.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
                   });
}

Finding KissStamps(Probe& probe) {
  return JudgeKiss(
      probe, "receive and transmit that are not zero and differ", [](const NtpHeader& header, const NtpAnswer&) {
        return !header.receive.IsUnknown() && !header.transmit.IsUnknown() && header.receive != header.transmit;
      });
}

Finding SparseKisses(Probe& probe) {
  if (!probe.is_fast()) return Skip(std::string(kOnlyFast));
  std::vector<Octets> flood;
  for (int i = 0; i < 1000; ++i) flood.push_back(probe.Plain());
  const std::vector<NtpAnswer> answers = probe.Burst(flood);
  const auto kisses =
      std::count_if(answers.begin(), answers.end(), [](const NtpAnswer& answer) { return answer.IsRefusal(); });
  return Judge(static_cast<std::size_t>(kisses) <= flood.size() / 8, "1000 requests at once",
               "kisses to an eighth of them at most",
               fmt::format("{} answers, {} of them kisses", answers.size(), kisses));
}

Finding RegisteredKisses(Probe& probe) {
  if (Association* const association = probe.Nts()) ProvokeKiss(probe, *association);
  probe.Ask(probe.Plain());
  for (const SeenAnswer& seen : probe.seen()) {
    const std::string code = KissText(seen.answer.header);
    if (!seen.answer.IsKiss() || std::find(kKissCodes.begin(), kKissCodes.end(), code) != kKissCodes.end()) continue;
    return Judge(false, "requests good and bad", "registered kiss codes alone", Printable(code));
  }
  return Judge(true, "requests good and bad", "registered kiss codes alone", Count(probe.seen().size(), "answer"));
}

Finding Multicast(Probe& probe) {
  // A server on our own link answers what may not pass any router; only then would it hear the group.
  const NtpReply near = probe.Ask(probe.Plain(), {.hop_limit = 1});
  if (!near.answer) return Skip("the server is not on this link, so it cannot hear a multicast of ours");
  const bool is_v4 = probe.ntp_server().address.is_v4;
  const IpEndpoint group{*IpAddress::Parse(is_v4 ? "224.0.1.1" : "ff02::101"), probe.ntp_server().port};
  const NtpReply came = probe.Ask(probe.Plain(), {.expects_silence = true, .server = group, .hop_limit = 1});
  return Judge(came.datagram_count == 0, "a request to " + group.ToString(), "silence", Describe(came));
}

Finding OldVersionsHaveNoFields(Probe& probe) {
  PacketBuilder builder;
  builder.header() = probe.Header();
  builder.header().version = 3;
  builder.UniqueId();
  return JudgeSilence("version 3 with a unique identifier", probe.AskForSilence(builder.Build()));
}

Finding UnknownMac(Probe& probe) {
  PacketBuilder builder;
  builder.header() = probe.Header();
  Octets mac{0, 0, 0, 99};
  mac.resize(20, 0x5A);
  builder.Raw(mac);
  return JudgeSilence("a request with a MAC of an unknown key", probe.AskForSilence(builder.Build()));
}

constexpr Check kChecks[] = {
    {"R-NTP-14", "RFC 5905 §9.2", Level::kMust, "Modes 0, 2, 4 and 5 get silence", OtherModes},
    {"R-NTP-15", "RFC 8633 §3.4", Level::kRecommended, "Modes 6 and 7 get silence", ControlModes},
    {"R-NTP-16", "RFC 8633 §5.6", Level::kShould, "Mode 1 from strangers gets silence", SymmetricActive},
    {"R-NTP-17", "RFC 5905 §9.2", Level::kMust, "Short packets and odd lengths get silence", BadLengths},
    {"R-NTP-18", "RFC 5905 §6", Level::kRecommended, "The end of the era in 2036", nullptr,
     "the server's clock would have to be moved"},
    {"R-NTP-19", "RFC 5905 §7.4", Level::kMust, "The layout of kisses", KissLayout},
    {"R-NTP-20", "clients, RFC 9769", Level::kRecommended, "Kisses have true timestamps", KissStamps},
    {"R-NTP-21", "RFC 8633 §5.4", Level::kRecommended, "Kisses are sparse in a flood", SparseKisses},
    {"R-NTP-22", "RFC 5905 §7.4", Level::kMust, "Only registered kiss codes", RegisteredKisses},
    {"R-NTP-23", "RFC 5905 §9.2", Level::kMust, "Requests to multicast get silence", Multicast},
    {"R-NTP-24", "RFC 5905 §7.3", Level::kRecommended, "No extension fields before version 4", OldVersionsHaveNoFields},
    {"R-NTP-25", "RFC 5905 §9.2", Level::kMust, "Symmetric keys, if there are any", nullptr,
     "a symmetric key would have to be shared with the server"},
    {"R-NTP-26", "robustness", Level::kRecommended, "A MAC of an unknown key gets silence", UnknownMac},
};

}  // namespace

std::span<const Check> NtpManners() { return kChecks; }

}  // namespace ntsd::conformance
