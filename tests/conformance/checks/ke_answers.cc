#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "tests/conformance/checks/checks.h"
#include "tests/conformance/checks/common.h"

namespace ntsd::conformance {
namespace {

constexpr std::uint16_t kNotAProtocol = 0x7FFF;
constexpr std::uint16_t kNotAnAead = 1;  // AES-128-GCM has no place in NTS; servers do not know it
constexpr std::size_t kNtpsecNameSizeMax = 99;

KeAnswerView Answer(const KeTranscript& transcript) { return KeAnswerView::Parse(transcript.answer); }

// One answer of each kind, so that checks over all answers have something to look at.
void ProvokeAll(Probe& probe) {
  if (probe.ke_answers().size() > 12) return;
  probe.Ke(Offer());
  probe.Ke(KeRequest().Protocols({kNotAProtocol}).Aeads({15}));
  probe.Ke(Offer({kNotAnAead}));
  probe.Ke(Offer().Record(true, 0x4ABC));
  probe.Ke(KeRequest().Aeads({15}));
}

// Judges every answer that has come so far.
template <typename Holds>
Finding JudgeAll(Probe& probe, std::string expected, Holds holds) {
  ProvokeAll(probe);
  for (const Octets& octets : probe.ke_answers()) {
    const KeAnswerView answer = KeAnswerView::Parse(octets);
    if (!holds(answer)) return Judge(false, "requests good and bad", std::move(expected), Describe(answer));
  }
  const std::size_t count = probe.ke_answers().size();
  return Judge(count > 0, "requests good and bad", std::move(expected), Count(count, "answer"));
}

Finding WellFormed(Probe& probe) {
  return JudgeAll(probe, "whole records to the last octet",
                  [](const KeAnswerView& answer) { return answer.rest_size == 0 && !answer.records.empty(); });
}

Finding OneEnd(Probe& probe) {
  return JudgeAll(probe, "exactly one End of Message: last, empty, C=1", [](const KeAnswerView& answer) {
    // A second exchange on one connection is another check's business.
    return answer.IsFramed() || answer.Count(KeRecordType::kEndOfMessage) > 1;
  });
}

Finding OneProtocolRecord(Probe& probe) {
  return JudgeAll(
      probe, "exactly one Next Protocol record, C=1, unless there is an Error", [](const KeAnswerView& answer) {
        if (answer.Count(KeRecordType::kError) > 0 || answer.Count(KeRecordType::kEndOfMessage) > 1) return true;
        const bool is_pool =
            answer.Count(KeRecordType::kSupportedProtocols) + answer.Count(KeRecordType::kSupportedAlgorithms) > 0;
        const KeAnswerRecord* const record = answer.Find(KeRecordType::kNextProtocol);
        return is_pool || (answer.Count(KeRecordType::kNextProtocol) == 1 && record->critical);
      });
}

Finding ProtocolSubset(Probe& probe) {
  const KeTranscript came = probe.Ke(KeRequest().Protocols({0x1234}).Aeads({15}));
  const KeAnswerRecord* const record = Answer(came).Find(KeRecordType::kNextProtocol);
  return JudgeKe(record != nullptr && Answer(came).Numbers(KeRecordType::kNextProtocol).empty(), "protocols [0x1234]",
                 "an empty Next Protocol record", came);
}

Finding OneProtocol(Probe& probe) {
  const KeTranscript came = probe.Ke(KeRequest().Protocols({0x8001, 0}).Aeads({15}));
  return JudgeKe(Answer(came).Numbers(KeRecordType::kNextProtocol).size() == 1, "protocols [0x8001, 0]",
                 "exactly one of them", came);
}

Finding NoCommonProtocol(Probe& probe) {
  const KeTranscript came = probe.Ke(KeRequest().Protocols({kNotAProtocol}).Aeads({15}));
  const KeAnswerView answer = Answer(came);
  const bool holds = answer.IsFramed() && answer.Find(KeRecordType::kNextProtocol) != nullptr &&
                     answer.Numbers(KeRecordType::kNextProtocol).empty() && answer.Count(KeRecordType::kError) == 0 &&
                     answer.Count(KeRecordType::kNewCookie) == 0;
  return JudgeKe(holds, "protocols [0x7fff]", "an empty Next Protocol record, no cookies, no Error", came);
}

// Every error that is easy to provoke, once.
std::vector<KeTranscript> Errors(Probe& probe) {
  std::vector<KeTranscript> errors;
  errors.push_back(probe.Ke(Offer().Record(true, 0x4ABC)));
  errors.push_back(probe.Ke(KeRequest().Aeads({15})));
  errors.push_back(probe.Ke(Offer({})));
  return errors;
}

Finding ErrorRecord(Probe& probe) {
  Variants variants("an Error record with C=1 and two octets");
  for (const KeTranscript& came : Errors(probe)) {
    const KeAnswerView answer = Answer(came);
    const KeAnswerRecord* const record = answer.Find(KeRecordType::kError);
    variants.Add(record != nullptr && record->critical && record->body.size() == 2, "a bad request", came);
  }
  return variants.Done();
}

Finding OnlyErrorAndEnd(Probe& probe) {
  Variants variants("Error and End of Message alone");
  for (const KeTranscript& came : Errors(probe)) variants.Add(Answer(came).IsAnyError(), "a bad request", came);
  return variants.Done();
}

Finding NoWarnings(Probe& probe) {
  return JudgeAll(probe, "no Warning record",
                  [](const KeAnswerView& answer) { return answer.Count(KeRecordType::kWarning) == 0; });
}

Finding OneAead(Probe& probe) {
  Variants variants("one AEAD record with one id of those offered");
  for (const std::vector<std::uint16_t>& offered : {std::vector<std::uint16_t>{30, 15}, {15}, {17, 15}}) {
    const KeTranscript came = probe.Ke(Offer(offered));
    const KeAnswerView answer = Answer(came);
    const std::vector<std::uint16_t> chosen = answer.Numbers(KeRecordType::kAeadAlgorithm);
    const bool holds = answer.Count(KeRecordType::kAeadAlgorithm) == 1 && chosen.size() == 1 &&
                       std::find(offered.begin(), offered.end(), chosen.front()) != offered.end();
    variants.Add(holds, fmt::format("AEADs [{}]", fmt::join(offered, ", ")), came);
  }
  return variants.Done();
}

Finding NoCommonAead(Probe& probe) {
  const KeTranscript came = probe.Ke(Offer({kNotAnAead}));
  const KeAnswerView answer = Answer(came);
  const KeAnswerRecord* const record = answer.Find(KeRecordType::kAeadAlgorithm);
  const bool holds = answer.IsFramed() && record != nullptr && record->body.empty() &&
                     answer.Numbers(KeRecordType::kNextProtocol) == std::vector<std::uint16_t>{0} &&
                     answer.Count(KeRecordType::kError) == 0 && answer.Count(KeRecordType::kNewCookie) == 0;
  return JudgeKe(holds, "AEADs [1]", "NTPv4, an empty AEAD record, no cookies, no Error", came);
}

Finding MandatoryAead(Probe& probe) {
  Variants variants("an AEAD is chosen: the server does 15");
  for (const std::vector<std::uint16_t>& offered : {std::vector<std::uint16_t>{1, 15}, {0xFFFE, 17, 15}}) {
    const KeTranscript came = probe.Ke(Offer(offered));
    variants.Add(IsGrant(came), fmt::format("AEADs [{}]", fmt::join(offered, ", ")), came);
  }
  return variants.Done();
}

Finding SomeCookies(Probe& probe) {
  const KeTranscript came = probe.Ke(Offer());
  return JudgeKe(HasCookies(came), "an ordinary request", "at least one cookie", came);
}

Finding EightCookies(Probe& probe) {
  const KeTranscript came = probe.Ke(Offer());
  return JudgeKe(Answer(came).Cookies().size() == 8, "an ordinary request", "eight cookies", came);
}

Finding CookiesNotCritical(Probe& probe) {
  const KeTranscript came = probe.Ke(Offer());
  const KeAnswerView answer = Answer(came);
  const KeAnswerRecord* const cookie = answer.Find(KeRecordType::kNewCookie);
  return JudgeKe(cookie != nullptr && !cookie->critical, "an ordinary request", "cookies in records with C=0", came);
}

Finding NoOtherCookies(Probe& probe) {
  return JudgeAll(probe, "cookies only with NTPv4 and an AEAD", [](const KeAnswerView& answer) {
    return answer.Count(KeRecordType::kNewCookie) == 0 || answer.IsGrant() ||
           answer.Count(KeRecordType::kEndOfMessage) > 1;
  });
}

Finding AtMostOneServer(Probe& probe) {
  return JudgeAll(probe, "at most one Server record in a grant", [](const KeAnswerView& answer) {
    return !answer.IsGrant() || answer.Count(KeRecordType::kServer) <= 1;
  });
}

bool IsDomainName(std::string_view name) {
  if (name.empty() || name.size() > 253) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '_';
  });
}

Finding ServerName(Probe& probe) {
  const KeTranscript came = probe.Ke(Offer());
  const KeAnswerView answer = Answer(came);
  const KeAnswerRecord* const record = answer.Find(KeRecordType::kServer);
  if (record == nullptr) return Skip("the server names none: the address of NTS-KE serves NTP");
  const std::string name(record->body.begin(), record->body.end());
  const bool is_name = IpAddress::Parse(name).has_value() || IsDomainName(name);
  return JudgeKe(is_name && name.size() <= kNtpsecNameSizeMax, "an ordinary request",
                 "an address, or a domain name in ASCII of at most 99 octets", came);
}

Finding CookiesWork(Probe& probe) {
  Association association;
  KeTranscript transcript = probe.Ke(Offer());
  if (!probe.Keep(transcript, association)) return JudgeKe(false, "an ordinary request", "a grant", transcript);
  const NtpReply came = probe.Ask(probe.Draft(association), association);
  return JudgeNtp(came.IsAuthenticTime(), "a cookie to " + probe.ntp_server().ToString(), "authentic time", came);
}

Finding ServerWish(Probe& probe) {
  // What the server calls itself, or the address by which it was reached: both are servers that it can serve.
  const KeAnswerView own = Answer(probe.Ke(Offer()));
  const KeAnswerRecord* const record = own.Find(KeRecordType::kServer);
  const std::string wish =
      record != nullptr ? std::string(record->body.begin(), record->body.end()) : probe.ke_server().address.ToString();
  const KeTranscript came = probe.Ke(Offer().Text(false, KeRecordType::kServer, wish));
  const KeAnswerView answer = Answer(came);
  const KeAnswerRecord* const echo = answer.Find(KeRecordType::kServer);
  return JudgeKe(echo != nullptr && std::string(echo->body.begin(), echo->body.end()) == wish,
                 "a wish for " + Printable(wish), "the same Server record", came);
}

Finding OwnFamily(Probe& probe) {
  Variants variants("no Server record, or one of the connection's address family, or a name with such an address");
  for (const IpAddress& address : probe.addresses()) {
    const KeTranscript came = probe.KeAt({address, probe.target().ke_port}, probe.Attempt(Offer()));
    const KeAnswerView answer = Answer(came);
    const KeAnswerRecord* const record = answer.Find(KeRecordType::kServer);
    bool holds = IsGrant(came);
    if (holds && record != nullptr) {
      const Expected<std::vector<IpAddress>, std::string> found =
          Resolve(std::string(record->body.begin(), record->body.end()));
      holds = found && std::any_of(found->begin(), found->end(),
                                   [&](const IpAddress& one) { return one.is_v4 == address.is_v4; });
    }
    variants.Add(holds, "a request to " + address.ToString(), came);
  }
  return variants.Done();
}

Finding PortRecord(Probe& probe) {
  KeTranscript transcript = probe.Ke(Offer());
  const KeAnswerView answer = Answer(transcript);
  const KeAnswerRecord* const record = answer.Find(KeRecordType::kPort);
  if (!answer.IsGrant()) return JudgeKe(false, "an ordinary request", "a grant", transcript);
  if (record != nullptr && record->body.size() != 2) {
    return JudgeKe(false, "an ordinary request", "a Port record of two octets", transcript);
  }
  const std::uint16_t port = record == nullptr ? 123 : answer.Numbers(KeRecordType::kPort).front();
  Association association;
  probe.Keep(transcript, association);
  const IpEndpoint server{probe.ntp_server().address, port};
  const NtpReply came = probe.Ask(probe.Draft(association).Build(), {.keys = &association.keys, .server = server});
  return Judge(came.IsAuthenticTime(), fmt::format("a cookie to port {}", port),
               "authentic time: without a Port record NTP is on port 123", Describe(came));
}

Finding CookiesDiffer(Probe& probe) {
  const KeTranscript came = probe.Ke(Offer());
  const std::vector<Octets> cookies = Answer(came).Cookies();
  const std::set<Octets> different(cookies.begin(), cookies.end());
  const bool same_size = std::all_of(cookies.begin(), cookies.end(), [&](const Octets& cookie) {
    return cookie.size() == cookies.front().size() && cookie.size() % 4 == 0;
  });
  return JudgeKe(!cookies.empty() && different.size() == cookies.size() && same_size, "an ordinary request",
                 "cookies that differ, of one length that is a multiple of 4", came);
}

constexpr Check kChecks[] = {
    {"R-KE-01", "RFC 8915 §4", Level::kMust, "Answers are whole records", WellFormed},
    {"R-KE-06", "RFC 8915 §4.1.1", Level::kMust, "One End of Message, last, in every answer", OneEnd},
    {"R-KE-07", "RFC 8915 §4.1.2", Level::kMust, "One Next Protocol record in every answer", OneProtocolRecord},
    {"R-KE-08", "RFC 8915 §4.1.2", Level::kMust, "Only protocols that were offered", ProtocolSubset},
    {"R-KE-09", "RFC 8915 §4.1.2", Level::kRecommended, "One protocol of several", OneProtocol},
    {"R-KE-10", "RFC 8915 §4.1.2", Level::kMust, "No common protocol: an empty record, no cookies", NoCommonProtocol},
    {"R-KE-13", "RFC 8915 §4.1.3", Level::kMust, "Error records have C=1 and two octets", ErrorRecord},
    {"R-KE-17", "RFC 8915 §4.1.3", Level::kRecommended, "Error answers carry nothing else", OnlyErrorAndEnd},
    {"R-KE-19", "RFC 8915 §4.1.4", Level::kRecommended, "No Warning records", NoWarnings},
    {"R-KE-22", "RFC 8915 §4.1.5", Level::kMust, "One AEAD of those offered", OneAead},
    {"R-KE-23", "RFC 8915 §4.1.5", Level::kMust, "No common AEAD: an empty record, no cookies", NoCommonAead},
    {"R-KE-24", "RFC 8915 §4.1.5", Level::kMust, "AEAD 15 is always possible", MandatoryAead},
    {"R-KE-27", "RFC 8915 §4.1.6", Level::kMust, "At least one cookie", SomeCookies},
    {"R-KE-28", "RFC 8915 §4.1.6", Level::kShould, "Eight cookies", EightCookies},
    {"R-KE-29", "RFC 8915 §4.1.6", Level::kShould, "Cookies are not critical", CookiesNotCritical},
    {"R-KE-30", "RFC 8915 §4.1.6", Level::kMust, "No cookies in any other answer", NoOtherCookies},
    {"R-KE-31", "RFC 8915 §4.1.7", Level::kMust, "At most one Server record", AtMostOneServer},
    {"R-KE-32", "RFC 8915 §4.1.7", Level::kMust, "The Server record names an address or a domain", ServerName},
    {"R-KE-33", "RFC 8915 §4.1.7", Level::kMust, "The NTP server takes the cookies", CookiesWork},
    {"R-KE-34", "RFC 8915 §4.1.7", Level::kShould, "A wish for this very server is granted", ServerWish},
    {"R-KE-35", "RFC 8915 §4.1.7", Level::kShould, "The named server has the session's address family", OwnFamily},
    {"R-KE-38", "RFC 8915 §4.1.8", Level::kMust, "A Port record unless NTP is on port 123", PortRecord},
    {"R-KE-43", "RFC 8915 §9.1", Level::kRecommended, "Cookies differ and have one length", CookiesDiffer},
};

}  // namespace

std::span<const Check> KeAnswerChecks() { return kChecks; }

}  // namespace ntsd::conformance
