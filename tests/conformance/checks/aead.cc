#include <fmt/format.h>

#include <initializer_list>
#include <set>

#include "tests/conformance/checks/checks.h"
#include "tests/conformance/checks/common.h"

namespace ntsd::conformance {
namespace {

Finding Exchange(Probe& probe, AeadId aead, const std::string& sent) {
  Association* const association = probe.Nts(aead);
  if (association == nullptr) return Skip(fmt::format("the server does not grant AEAD {}", AeadNumber(aead)));
  const NtpReply came = probe.Ask(probe.Draft(*association), *association);
  return JudgeNtp(came.IsAuthenticTime(), sent, "authentic time: both implementations agree", came);
}

Finding Siv(Probe& probe) { return Exchange(probe, AeadId::kAesSivCmac256, "a request sealed by AES-SIV-CMAC-256"); }
Finding GcmSiv(Probe& probe) { return Exchange(probe, AeadId::kAes128GcmSiv, "a request sealed by AES-128-GCM-SIV"); }

Finding EmptyPlaintext(Probe& probe) {
  return Exchange(probe, AeadId::kAesSivCmac256, "a request with nothing encrypted");
}

Finding Layout(Probe& probe) {
  Variants variants("an answer that opens: tag first with SIV, last with GCM-SIV");
  int granted = 0;
  for (const AeadId aead : {AeadId::kAesSivCmac256, AeadId::kAesSivCmac512, AeadId::kAes128GcmSiv}) {
    Association* const association = probe.Nts(aead);
    if (association == nullptr) continue;
    ++granted;
    const NtpReply came = probe.Ask(probe.Draft(*association), *association);
    variants.Add(came.IsAuthenticTime(), std::string(AeadName(aead)), came);
  }
  return granted == 0 ? Skip(std::string(kNoNts)) : variants.Done();
}

Finding NonceSizes(Probe& probe) {
  Variants variants("no time");
  Association* const siv = probe.Nts();
  if (siv == nullptr) return Skip(std::string(kNoNts));
  NtsDraft none = probe.Draft(*siv);
  none.authenticator.nonce.clear();
  none.authenticator.nonce_size = 0;
  none.authenticator.additional_padding = 16;
  const NtpReply empty = probe.Ask(none, *siv, true);
  variants.Add(!empty.IsTime(), "AEAD 15 with an empty nonce", empty);
  if (Association* const gcm = probe.Nts(AeadId::kAes128GcmSiv)) {
    NtsDraft longer = probe.Draft(*gcm);
    longer.authenticator.nonce.resize(16);
    const NtpReply came = probe.Ask(longer, *gcm, true);
    variants.Add(!came.IsTime(), "AEAD 30 with a nonce of 16 octets", came);
  }
  return variants.Done();
}

Finding NoncesDiffer(Probe& probe) {
  Association* const association = probe.Nts();
  if (association == nullptr) return Skip(std::string(kNoNts));
  const int more = probe.is_fast() ? 500 : 8;
  for (int i = 0; i < more; ++i) probe.Ask(probe.Draft(*association), *association);
  std::set<Octets> nonces;
  std::size_t count = 0;
  for (const SeenAnswer& seen : probe.seen()) {
    if (!seen.answer.is_authentic) continue;
    ++count;
    nonces.insert(seen.answer.authenticator->nonce);
  }
  return Judge(count > 0 && nonces.size() == count, Count(count, "NTS request"), "as many different nonces",
               Count(nonces.size(), "different nonce"));
}

Finding OwnNonce(Probe& probe) {
  Association* const association = probe.Nts();
  if (association == nullptr) return Skip(std::string(kNoNts));
  const NtsDraft draft = probe.Draft(*association);
  const NtpReply came = probe.Ask(draft, *association);
  return JudgeNtp(came.IsAuthenticTime() && came.answer->authenticator->nonce != draft.authenticator.nonce,
                  "an NTS request", "an answer with a nonce of the server's own", came);
}

Finding Padding(Probe& probe) {
  Association* const association = probe.Nts();
  if (association == nullptr) return Skip(std::string(kNoNts));
  Variants variants("authentic time, and zeros wherever the answer is padded");
  for (const std::size_t size : std::initializer_list<std::size_t>{16, 17}) {
    NtsDraft draft = probe.Draft(*association);
    draft.authenticator.nonce.resize(size);
    const NtpReply came = probe.Ask(draft, *association);
    variants.Add(came.IsAuthenticTime() && came.answer->authenticator->padding_is_zero,
                 fmt::format("a nonce of {} octets", size), came);
  }
  return variants.Done();
}

Finding BadLengths(Probe& probe) {
  Association* const association = probe.Nts();
  if (association == nullptr) return Skip(std::string(kNoNts));
  Variants variants("no time");
  for (const int size : {0, 15, 20, 65535}) {
    NtsDraft draft = probe.Draft(*association);
    draft.authenticator.claimed_sealed_size = static_cast<std::uint16_t>(size);
    const NtpReply came = probe.Ask(draft, *association, true);
    variants.Add(!came.IsTime(), fmt::format("a ciphertext that claims {} octets", size), came);
  }
  NtsDraft draft = probe.Draft(*association);
  draft.authenticator.claimed_nonce_size = 65535;
  const NtpReply came = probe.Ask(draft, *association, true);
  variants.Add(!came.IsTime(), "a nonce that claims 65535 octets", came);
  return variants.Done();
}

constexpr Check kChecks[] = {
    {"R-AEAD-01", "RFC 5297", Level::kMust, "AES-SIV-CMAC-256 is computed right", Siv},
    {"R-AEAD-02", "RFC 5297 §6", Level::kMust, "An empty plaintext is a third string", EmptyPlaintext},
    {"R-AEAD-03", "RFC 5297 §6.1", Level::kMust, "Nonces of illegal length get no time", NonceSizes},
    {"R-AEAD-04", "RFC 5116 §3.1", Level::kMust, "No nonce comes twice", NoncesDiffer},
    {"R-AEAD-05", "RFC 8915 §5.6", Level::kMust, "The server chooses its own nonce", OwnNonce},
    {"R-AEAD-07", "RFC 8452 §5", Level::kMust, "Tags are compared in constant time", nullptr,
     "the network's jitter hides such differences; the code has to be looked at"},
    {"R-AEAD-08", "RFC 8452", Level::kMust, "AES-128-GCM-SIV is computed right", GcmSiv},
    {"R-AEAD-09", "RFC 5297 §2.6", Level::kMust, "The tag stands where the AEAD wants it", Layout},
    {"R-AEAD-10", "RFC 8915 §5.6", Level::kMust, "Padding to words with zeros, lengths without it", Padding},
    {"R-AEAD-11", "RFC 8915 §5.6", Level::kMust, "Lengths beyond the field get no time", BadLengths},
    {"R-AEAD-12", "RFC 5297 §6", Level::kShould, "At most 2^48 messages under one key", nullptr,
     "how often keys change stays inside the server"},
};

}  // namespace

std::span<const Check> AeadChecks() { return kChecks; }

}  // namespace ntsd::conformance
