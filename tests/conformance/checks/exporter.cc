#include <fmt/format.h>

#include "tests/conformance/checks/checks.h"
#include "tests/conformance/checks/common.h"

namespace ntsd::conformance {
namespace {

constexpr AeadId kAeads[] = {AeadId::kAesSivCmac256, AeadId::kAesSivCmac512, AeadId::kAes128GcmSiv};

// One NTS exchange with each AEAD that the server grants: when it succeeds, label, context and key length are right.
Finding EveryAead(Probe& probe) {
  Variants variants("authentic time: both sides have the same keys");
  int granted = 0;
  for (const AeadId aead : kAeads) {
    Association* const association = probe.Nts(aead);
    if (association == nullptr) continue;
    ++granted;
    const NtpReply came = probe.Ask(probe.Draft(*association), *association);
    variants.Add(came.IsAuthenticTime(), fmt::format("AEAD {}", AeadNumber(aead)), came);
  }
  return granted == 0 ? Skip(std::string(kNoNts)) : variants.Done();
}

Finding EverySuite(Probe& probe) {
  Variants variants("authentic time: the hash is that of the cipher suite");
  for (const char* const suite : {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384"}) {
    KeAttempt attempt = probe.Attempt(Offer());
    attempt.tls.cipher_suites = suite;
    KeTranscript transcript = probe.Ke(attempt);
    Association association;
    if (!probe.Keep(transcript, association)) {
      // AES-256 is only a SHOULD of TLS; whether it is there is another check's business.
      if (!transcript.handshake_done) continue;
      variants.Add(false, suite, transcript);
      continue;
    }
    const NtpReply came = probe.Ask(probe.Draft(association), association);
    variants.Add(came.IsAuthenticTime(), suite, came);
  }
  return variants.Done();
}

KeRequest Offer1024(const std::vector<std::uint16_t>& aeads) {
  return Offer(aeads).Flag(false, KeRecordType::kCompliantGcmSivContext);
}

Finding CompliantContext(Probe& probe) {
  KeTranscript transcript = probe.Ke(Offer1024({30}));
  if (!IsGrant(transcript, 30)) return Skip("the server does not do AEAD 30");
  const KeAnswerView answer = KeAnswerView::Parse(transcript.answer);
  const KeAnswerRecord* const record = answer.Find(KeRecordType::kCompliantGcmSivContext);
  if (record == nullptr || record->critical || !record->body.empty()) {
    return JudgeKe(false, "AEAD [30] with record 1024", "record 1024 in the answer, C=0, empty", transcript);
  }
  Association association;
  probe.Keep(transcript, association);
  const NtpReply came = probe.Ask(probe.Draft(association), association);
  return JudgeNtp(came.IsAuthenticTime(), "AEAD [30] with record 1024, then NTP with context 0000 001e",
                  "record 1024 in the answer, then authentic time", came);
}

Finding WithoutRecord1024(Probe& probe) {
  if (probe.Nts(AeadId::kAes128GcmSiv) == nullptr) return Skip("the server does not do AEAD 30");
  const KeTranscript came = probe.Ke(Offer({30, 15}));
  return JudgeKe(IsGrant(came) && !IsGrant(came, 30), "AEADs [30, 15] without record 1024", "15 is chosen", came);
}

Finding Record1024Alone(Probe& probe) {
  Variants variants("no record 1024 unless it was asked for and 30 was chosen; Error 1 for one with a body");
  const auto has_record = [](const KeTranscript& transcript) {
    return KeAnswerView::Parse(transcript.answer).Count(KeRecordType::kCompliantGcmSivContext) > 0;
  };
  const KeTranscript other = probe.Ke(Offer1024({15}));
  variants.Add(IsGrant(other, 15) && !has_record(other), "AEAD [15] with record 1024", other);
  const KeTranscript unasked = probe.Ke(Offer({30}));
  variants.Add(!has_record(unasked), "AEAD [30] without it", unasked);
  if (probe.Nts(AeadId::kAes128GcmSiv) != nullptr) {
    const KeTranscript body = probe.Ke(Offer({30, 15}).Record(false, 1024, Octets{1}));
    variants.Add(KeAnswerView::Parse(body.answer).IsError(KeErrorCode::kBadRequest), "record 1024 with a body", body);
  }
  return variants.Done();
}

constexpr Check kChecks[] = {
    {"R-EX-01", "RFC 8915 §4.3", Level::kMust, "The exporter's label", EveryAead},
    {"R-EX-02", "RFC 8915 §5.1", Level::kMust, "The exporter's context, for every AEAD granted", EveryAead},
    {"R-EX-03", "RFC 8915 §5.1", Level::kMust, "Keys of the AEAD's length", EveryAead},
    {"R-EX-04", "RFC 8446 §7.5", Level::kMust, "The hash of the suite, SHA-256 and SHA-384", EverySuite},
    {"R-EX-05", "RFC 8915 §5.1", Level::kMust, "No private keys from this context", nullptr,
     "what else a server derives stays inside it"},
    {"R-EX-06", "IANA, record 1024", Level::kRecommended, "AEAD 30 with the compliant context", CompliantContext},
    {"R-EX-07", "IANA, record 1024", Level::kRecommended, "Without record 1024 another AEAD goes before 30",
     WithoutRecord1024},
    {"R-EX-08", "IANA, record 1024", Level::kRecommended, "Record 1024 only where it belongs", Record1024Alone},
};

}  // namespace

std::span<const Check> ExporterChecks() { return kChecks; }

}  // namespace ntsd::conformance
