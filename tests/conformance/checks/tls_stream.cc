#include <fmt/format.h>

#include "tests/conformance/checks/checks.h"
#include "tests/conformance/checks/common.h"

namespace ntsd::conformance {
namespace {

Finding CloseNotify(Probe& probe) {
  const KeTranscript came = probe.Ke(Offer());
  return JudgeKe(came.answers_complete == 1 && came.close_notify, "an ordinary request",
                 "an answer, then close_notify before TCP ends", came);
}

Finding HalfClose(Probe& probe) {
  KeAttempt attempt = probe.Attempt(Offer());
  attempt.close_after_request = true;
  const KeTranscript tls = probe.Ke(attempt);
  Variants variants("the whole answer");
  variants.Add(IsGrant(tls), "a request with close_notify right behind it", tls);
  attempt.end_after_request = true;
  const KeTranscript tcp = probe.Ke(attempt);
  variants.Add(IsGrant(tcp), "the same, and TCP's FIN", tcp);
  return variants.Done();
}

Finding NoReset(Probe& probe) {
  const int repetitions = probe.is_fast() ? 8 : 3;
  Variants variants("every answer whole, and no reset");
  std::vector<KeAttempt> attempts;
  for (int i = 0; i < repetitions; ++i) {
    attempts.push_back(probe.Attempt(Offer()));
    attempts.back().close_after_request = true;
    attempts.back().pause_before_reading = Milliseconds(probe.is_fast() ? 300 : 1000);
  }
  for (const KeTranscript& came : probe.KeTogether(attempts)) {
    variants.Add(IsGrant(came) && came.end != StreamEnd::kReset, "close_notify, then late reading", came);
  }
  return variants.Done();
}

Finding NoSecondRequest(Probe& probe) {
  KeAttempt attempt = probe.Attempt(Offer());
  attempt.second_request = attempt.request;
  const KeTranscript came = probe.Ke(attempt);
  return JudgeKe(came.answers_complete == 1, "a second request after the answer", "one answer alone", came);
}

Finding OctetByOctet(Probe& probe) {
  KeAttempt attempt = probe.Attempt(Offer());
  attempt.piece_size = 1;
  const KeTranscript came = probe.Ke(attempt);
  return JudgeKe(IsGrant(came), "a request in TLS records and TCP segments of one octet each", "a grant with cookies",
                 came);
}

Finding OneRecord(Probe& probe) {
  constexpr std::size_t kNtpsecBufferSize = 2048;
  const KeTranscript came = probe.Ke(Offer());
  if (came.answer.empty()) return JudgeKe(false, "an ordinary request", "an answer", came);
  return Judge(came.answer_record_count == 1 && came.answer.size() < kNtpsecBufferSize, "an ordinary request",
               "an answer of less than 2048 octets in one TLS record",
               Count(came.answer.size(), "octet") + " in " + Count(came.answer_record_count, "TLS record"));
}

Finding KeysAfterHandshake(Probe& probe) {
  Association* const association = probe.Nts();
  if (association == nullptr) return Skip(std::string(kNoNts));
  const NtpReply came = probe.Ask(probe.Draft(*association), *association);
  return JudgeNtp(came.IsAuthenticTime(), "an NTS request with keys from the exporter_master_secret",
                  "authentic time: the server has the same keys", came);
}

constexpr Check kChecks[] = {
    {"R-TLS-17", "RFC 8446 §6.1", Level::kMust, "close_notify follows the answer", CloseNotify},
    {"R-TLS-18", "RFC 8446 §6.1", Level::kMust, "An answer in spite of the client's close_notify", HalfClose},
    {"R-TLS-19", "robustness", Level::kRecommended, "No reset destroys an answer", NoReset},
    {"R-TLS-20", "RFC 8915 §4", Level::kMust, "No second exchange on one connection", NoSecondRequest},
    {"R-TLS-21", "robustness", Level::kRecommended, "A request may come octet by octet", OctetByOctet},
    {"R-TLS-22", "clients", Level::kRecommended, "The answer is one TLS record below 2048 octets", OneRecord},
    {"R-TLS-23", "RFC 8446 §7.5", Level::kMust, "Keys are exported after the handshake", KeysAfterHandshake},
};

}  // namespace

std::span<const Check> TlsStreamChecks() { return kChecks; }

}  // namespace ntsd::conformance
