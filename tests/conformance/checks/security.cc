#include <fmt/format.h>

#include <algorithm>

#include "tests/conformance/checks/checks.h"
#include "tests/conformance/checks/common.h"

namespace ntsd::conformance {
namespace {

constexpr std::size_t kIdleConnections = 40;

Octets RandomDatagram(Probe& probe) {
  Octets octets(48 + probe.random().NextU64() % 600);
  probe.random().Fill(octets);
  octets[0] = static_cast<std::uint8_t>((octets[0] & 0xC0) | 0x23);  // version 4, client
  return octets;
}

Finding NoAmplification(Probe& probe) {
  for (int i = 0; i < 8; ++i) probe.AskForSilence(RandomDatagram(probe));
  for (const SeenAnswer& seen : probe.seen()) {
    if (seen.answer.datagram.size() <= seen.request_size) continue;
    return Judge(false, fmt::format("a request of {} octets", seen.request_size), "no longer answer",
                 Describe(seen.answer));
  }
  return Judge(probe.octets_received() <= probe.octets_sent() && probe.datagrams_received() <= probe.datagrams_sent(),
               fmt::format("{} datagrams with {} octets in this run", probe.datagrams_sent(), probe.octets_sent()),
               "no more datagrams and no more octets",
               fmt::format("{} datagrams with {} octets", probe.datagrams_received(), probe.octets_received()));
}

Finding BadCookieFlood(Probe& probe) {
  if (!probe.is_fast()) return Skip(std::string(kOnlyFast));
  Association* const association = probe.Nts();
  if (association == nullptr) return Skip(std::string(kNoNts));
  std::vector<Octets> flood;
  for (int i = 0; i < 500; ++i) {
    NtsDraft draft = probe.Draft(*association);
    draft.cookie.back() ^= 1;
    flood.push_back(draft.Build());
  }
  probe.Burst(flood);
  // Silence is what would be wrong here, whoever else gets it too.
  const NtpReply came = probe.Ask(probe.Draft(*association), *association);
  return Judge(came.IsAuthenticTime(), "500 requests with bad cookies, then a good one", "authentic time",
               Describe(came));
}

// Many connections that say nothing, and what the server still does meanwhile.
Finding IdleConnections(Probe& probe) {
  if (!probe.is_fast()) return Skip(std::string(kOnlyFast));
  std::vector<Socket> idle;
  while (idle.size() < kIdleConnections) {
    Expected<Socket, std::string> socket = ConnectTcp(probe.ke_server(), Milliseconds(1000));
    if (!socket) break;
    idle.push_back(*std::move(socket));
  }
  const KeTranscript came = probe.Ke(Offer());
  return JudgeKe(IsGrant(came), fmt::format("{} connections that say nothing, then an ordinary one", idle.size()),
                 "a grant with cookies", came);
}

Finding NtpDuringKe(Probe& probe) {
  if (!probe.is_fast()) return Skip(std::string(kOnlyFast));
  std::vector<Socket> idle;
  Variants variants("an answer to every request");
  for (std::size_t i = 0; i < kIdleConnections; ++i) {
    Expected<Socket, std::string> socket = ConnectTcp(probe.ke_server(), Milliseconds(1000));
    if (socket) idle.push_back(*std::move(socket));
    if (i % 8 != 0) continue;
    const NtpReply came = probe.Ask(probe.Plain());
    variants.Add(came.answer.has_value(), fmt::format("NTP with {} NTS-KE connections open", idle.size()), came);
  }
  return variants.Done();
}

// A good NTS request with a few octets changed behind its header.
Octets DamagedRequest(Probe& probe, Association& association) {
  Octets datagram = probe.Draft(association).Build();
  for (int i = 0; i < 3; ++i) {
    const std::size_t position = kNtpHeaderSize + probe.random().NextU64() % (datagram.size() - kNtpHeaderSize);
    datagram[position] = static_cast<std::uint8_t>(probe.random().NextU64());
  }
  return datagram;
}

Finding ArbitraryInput(Probe& probe) {
  const int count = probe.is_fast() ? 200 : 12;
  Association* const association = probe.Nts();
  std::vector<Octets> nonsense;
  for (int i = 0; i < count; ++i) {
    nonsense.push_back(RandomDatagram(probe));
    if (association != nullptr) nonsense.push_back(DamagedRequest(probe, *association));
  }
  if (probe.is_fast()) {
    probe.Burst(nonsense);
  } else {
    for (const Octets& datagram : nonsense) probe.AskForSilence(datagram);
  }
  Variants variants("the server still works");
  const NtpReply time = probe.Ask(probe.Plain());
  variants.Add(time.answer.has_value(),
               fmt::format("{} datagrams of nonsense, then an ordinary request", nonsense.size()), Describe(time));
  if (probe.target().is_plain) return variants.Done();
  for (int i = 0; i < 6; ++i) {
    Octets garbage(64 + 50 * static_cast<std::size_t>(i));
    probe.random().Fill(garbage);
    KeAttempt attempt = probe.Attempt(garbage);
    attempt.close_after_request = true;
    if (i % 2 == 0) {
      attempt.raw = garbage;  // not even TLS
      attempt.patience = Milliseconds(300);
    }
    probe.Ke(attempt);
  }
  const KeTranscript came = probe.Ke(Offer());
  variants.Add(IsGrant(came), "6 connections of nonsense, then an ordinary one", came);
  return variants.Done();
}

Finding SameHeader(Probe& probe) {
  Variants variants("stratum, precision, reference id and reference time are those that others get");
  const NtpReply first = probe.Ask(probe.Plain());
  if (!first.answer) return JudgeNtp(false, "an NTPv4 request", "an answer", first);
  Association* const association = probe.Nts();
  const NtpReply other =
      association == nullptr ? probe.Ask(probe.Plain(3)) : probe.Ask(probe.Draft(*association), *association);
  const auto same = [&] {
    if (!other.answer) return false;
    const NtpHeader& a = first.answer->header;
    const NtpHeader& b = other.answer->header;
    // Between the two the server may have set its clock.
    const Duration moved = Difference(b.reference, a.reference);
    return a.stratum == b.stratum && a.precision == b.precision && a.reference_id == b.reference_id &&
           a.leap == b.leap && moved >= Duration::zero() && moved < std::chrono::hours(1);
  };
  variants.Add(same(), association == nullptr ? "a request of version 3" : "an NTS request", other);
  return variants.Done();
}

Finding EveryNode(Probe& probe) {
  Association* const association = probe.Nts();
  if (association == nullptr) return Skip(std::string(kNoNts));
  const bool is_elsewhere = std::find(probe.addresses().begin(), probe.addresses().end(), probe.ntp_server().address) ==
                            probe.addresses().end();
  if (is_elsewhere || probe.addresses().size() < 2) return Skip("NTP has only one address here");
  Variants variants("authentic time");
  for (const IpAddress& address : probe.addresses()) {
    const IpEndpoint server{address, probe.ntp_server().port};
    const NtpReply came = probe.Ask(probe.Draft(*association).Build(), {.keys = &association->keys, .server = server});
    variants.Add(came.IsAuthenticTime(), "a cookie to " + address.ToString(), came);
  }
  return variants.Done();
}

constexpr Check kChecks[] = {
    {"R-SEC-01", "RFC 8915 §8.4", Level::kMust, "No amplification", NoAmplification},
    {"R-SEC-02", "operation", Level::kRecommended, "A flood of bad cookies does not stop the service", BadCookieFlood},
    {"R-SEC-03", "operation", Level::kRecommended, "The victim of a spoofed flood still gets answers", nullptr,
     "addresses would have to be spoofed"},
    {"R-SEC-04", "RFC 8915 §8.3", Level::kRecommended, "Idle connections do not stop NTS-KE", IdleConnections},
    {"R-SEC-05", "RFC 8915 §8.3", Level::kRecommended, "NTP does not depend on NTS-KE's load", NtpDuringKe},
    {"R-SEC-06", "robustness", Level::kRecommended, "Arbitrary octets do no harm", ArbitraryInput},
    {"R-SEC-07", "operation", Level::kRecommended, "No secrets in logs", nullptr, "the logs would have to be read"},
    {"R-SEC-08", "RFC 8915 §9.2", Level::kRecommended, "All clients see the same header", SameHeader},
    {"R-SEC-09", "RFC 8915 §4.1.7", Level::kMust, "Every address of the name takes the cookies", EveryNode},
    {"R-SEC-10", "RFC 8633 §7", Level::kRecommended, "An anycast node with a bad clock withdraws", nullptr,
     "the node's clock would have to be moved"},
    {"R-SEC-11", "RFC 5905 §9.2", Level::kShould, "Access lists", nullptr, "only the operator can list this host"},
    {"R-SEC-12", "operation", Level::kRecommended, "Only the service can read its keys", nullptr,
     "the server's files would have to be looked at"},
    {"R-SEC-13", "operation", Level::kRecommended, "Certificates are renewed without a break", nullptr,
     "only the operator can renew them"},
    {"R-SEC-14", "RFC 8633 §3.5", Level::kShould, "The server watches its own synchronisation", nullptr,
     "its alarms go to the operator"},
};

}  // namespace

std::span<const Check> SecurityChecks() { return kChecks; }

}  // namespace ntsd::conformance
