#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>

#include "tests/conformance/checks/checks.h"
#include "tests/conformance/checks/common.h"

namespace ntsd::conformance {
namespace {

constexpr std::uint16_t kUnknownField = 0x4321;
constexpr std::uint16_t kPlaceholder = 0x0304;

// Runs `change` on a request; what comes must be authentic time.
template <typename Change>
Finding StillServed(Probe& probe, std::string sent, Change change) {
  Association* const association = probe.Nts();
  if (association == nullptr) return Skip(std::string(kNoNts));
  NtsDraft draft = probe.Draft(*association);
  change(draft);
  const NtpReply came = probe.Ask(draft, *association);
  return JudgeNtp(came.IsAuthenticTime(), std::move(sent), "authentic time", came);
}

Finding FromTheCookieAlone(Probe& probe) {
  return StillServed(probe, "a cookie from another socket, after its NTS-KE connection has gone", [](NtsDraft&) {});
}

Finding EveryOctetCounts(Probe& probe) {
  Association* const association = probe.Nts();
  if (association == nullptr) return Skip(std::string(kNoNts));
  Variants variants("no time");
  NtsDraft draft = probe.Draft(*association);
  draft.before.push_back({.type = kUnknownField, .body = Octets(24)});
  const Octets good = draft.Build();
  const std::size_t associated_size = good.size() - 40;
  // Header octets that do not change what kind of packet it is, the unique identifier, and the unknown field's body.
  std::vector<std::size_t> positions{
      2, 3, 5, 11, 15, 23, 31, 39, 47, 60, 83, associated_size - 20, associated_size - 1};
  if (probe.is_fast()) {
    for (std::size_t position = 52; position < 84; position += 3) positions.push_back(position);
  }
  for (const std::size_t position : positions) {
    Octets bad = good;
    bad[position] ^= 0x01;
    const NtpReply came = probe.Ask(bad, {.keys = &association->keys, .expects_silence = true});
    variants.Add(!came.IsTime(), fmt::format("octet {} changed", position), came);
  }
  return variants.Done();
}

Finding BadCookie(Probe& probe) {
  Association* const association = probe.Nts();
  if (association == nullptr) return Skip(std::string(kNoNts));
  Variants variants("NTSN");
  const std::size_t size = association->cookies.front().size();
  for (const std::size_t position : {std::size_t{1}, std::size_t{8}, std::size_t{24}, size / 2, size - 1}) {
    NtsDraft draft = probe.Draft(*association);
    draft.cookie[position] ^= 0x01;
    const NtpReply came = probe.Ask(draft, *association);
    variants.Add(came.IsNak(), fmt::format("octet {} of the cookie changed", position), came);
  }
  NtsDraft shorter = probe.Draft(*association);
  shorter.cookie.resize(size - 4);
  const NtpReply came = probe.Ask(shorter, *association);
  variants.Add(came.IsNak(), "a cookie that lacks four octets", came);
  return variants.Done();
}

Finding BadAuthenticator(Probe& probe) {
  Association* const association = probe.Nts();
  if (association == nullptr) return Skip(std::string(kNoNts));
  Variants variants("NTSN");
  NtsDraft wrong_key = probe.Draft(*association);
  wrong_key.keys.c2s[0] ^= 0x01;
  const NtpReply key = probe.Ask(wrong_key, *association);
  variants.Add(key.IsNak(), "sealed with another key", key);
  NtsDraft no_tag = probe.Draft(*association);
  no_tag.authenticator.zero_tag = true;
  const NtpReply tag = probe.Ask(no_tag, *association);
  variants.Add(tag.IsNak(), "a tag of zeros", tag);
  return variants.Done();
}

Finding MissingPadding(Probe& probe) {
  Association* const association = probe.Nts();
  if (association == nullptr) return Skip(std::string(kNoNts));
  Variants variants("silence: there is no room for the server's nonce");
  for (const std::size_t size : std::initializer_list<std::size_t>{1, 8, 12}) {
    NtsDraft draft = probe.Draft(*association);
    draft.authenticator.nonce.resize(size);
    const NtpReply came = probe.Ask(draft, *association, true);
    variants.Add(came.IsSilence(), fmt::format("a nonce of {} octets without Additional Padding", size), came);
  }
  return variants.Done();
}

Finding NonceLengths(Probe& probe) {
  Association* const association = probe.Nts();
  if (association == nullptr) return Skip(std::string(kNoNts));
  Variants variants("authentic time");
  for (const auto& [size, padding] : {std::pair(12, 4), std::pair(16, 0), std::pair(17, 0), std::pair(32, 0)}) {
    NtsDraft draft = probe.Draft(*association);
    draft.authenticator.nonce = Octets(static_cast<std::size_t>(size));
    probe.random().Fill(draft.authenticator.nonce);
    draft.authenticator.additional_padding = static_cast<std::size_t>(padding);
    const NtpReply came = probe.Ask(draft, *association);
    variants.Add(came.IsAuthenticTime(), fmt::format("{} octets and {} of padding", size, padding), came);
  }
  return variants.Done();
}

Finding SurplusPadding(Probe& probe) {
  return StillServed(probe, "64 octets of Additional Padding",
                     [](NtsDraft& draft) { draft.authenticator.additional_padding = 64; });
}

Finding Replay(Probe& probe) {
  Association* const association = probe.Nts();
  if (association == nullptr) return Skip(std::string(kNoNts));
  const Octets datagram = probe.Draft(*association).Build();
  const NtpReply first = probe.Ask(datagram, {.keys = &association->keys, .association = association});
  const NtpReply second = probe.Ask(datagram, {.keys = &association->keys});
  return JudgeNtp(first.IsAuthenticTime() && second.IsAuthenticTime(), "the same request twice", "authentic time twice",
                  second);
}

Finding UnknownFields(Probe& probe) {
  Association* const association = probe.Nts();
  if (association == nullptr) return Skip(std::string(kNoNts));
  Variants variants("authentic time");
  NtsDraft clear = probe.Draft(*association);
  clear.before.push_back({.type = kUnknownField, .body = Octets(24)});
  const NtpReply authenticated = probe.Ask(clear, *association);
  variants.Add(authenticated.IsAuthenticTime(), "an unknown authenticated field", authenticated);
  NtsDraft sealed = probe.Draft(*association);
  sealed.authenticator.plaintext = testing::FieldOctets({.type = kUnknownField, .body = Octets(24)});
  const NtpReply encrypted = probe.Ask(sealed, *association);
  variants.Add(encrypted.IsAuthenticTime(), "an unknown encrypted field", encrypted);
  return variants.Done();
}

Finding CookieReuse(Probe& probe) {
  Association* const association = probe.Nts();
  if (association == nullptr) return Skip(std::string(kNoNts));
  const int repetitions = probe.is_fast() ? 100 : 5;
  const Octets cookie = probe.Draft(*association).cookie;
  for (int i = 0; i < repetitions; ++i) {
    NtsDraft draft = probe.Draft(*association);
    draft.cookie = cookie;
    const NtpReply came = probe.Ask(draft, *association);
    if (!came.IsAuthenticTime())
      return JudgeNtp(false, fmt::format("one cookie for the {}. time", i + 1), "authentic time", came);
  }
  return Judge(true, fmt::format("one cookie {} times", repetitions), "authentic time", "authentic time");
}

Finding TamperedPlaceholder(Probe& probe) {
  Association* const association = probe.Nts();
  if (association == nullptr) return Skip(std::string(kNoNts));
  NtsDraft draft = probe.Draft(*association);
  draft.authenticator.plaintext = testing::FieldOctets({.type = kPlaceholder, .body = Octets(draft.cookie.size())});
  Octets datagram = draft.Build();
  datagram.back() ^= 0x01;
  const NtpReply came = probe.Ask(datagram, {.keys = &association->keys, .expects_silence = true});
  return JudgeNtp(!came.IsTime(), "an encrypted placeholder with one bit changed", "no time", came);
}

Finding KissInFlood(Probe& probe) {
  if (!probe.is_fast()) return Skip(std::string(kOnlyFast));
  Association* const association = probe.Nts();
  if (association == nullptr) return Skip(std::string(kNoNts));
  std::vector<Octets> flood;
  for (int i = 0; i < 300; ++i) flood.push_back(probe.Draft(*association).Build());
  std::size_t kisses = 0;
  for (const NtpAnswer& answer : probe.Burst(flood, &association->keys)) {
    if (!answer.IsRefusal()) continue;
    ++kisses;
    if (answer.UniqueId().empty())
      return Judge(false, "300 NTS requests at once", "kisses with the unique identifier", Describe(answer));
  }
  if (kisses == 0) return Skip("the server limits nobody at this rate");
  return Judge(true, "300 NTS requests at once", "kisses with the unique identifier", Count(kisses, "kiss code"));
}

constexpr Check kChecks[] = {
    {"R-NTS-01", "RFC 8915 §5.7", Level::kMust, "The cookie alone tells AEAD and keys", FromTheCookieAlone},
    {"R-NTS-02", "RFC 8915 §5.6", Level::kMust, "Every octet before the authenticator is authenticated",
     EveryOctetCounts},
    {"R-NTS-12", "RFC 8915 §5.7", Level::kShould, "A bad or unknown cookie gets NTSN", BadCookie},
    {"R-NTS-13", "RFC 8915 §5.7", Level::kShould, "A bad authenticator gets NTSN", BadAuthenticator},
    {"R-NTS-15", "RFC 8915 §5.6", Level::kMust, "A request without room for the nonce is discarded", MissingPadding},
    {"R-NTS-16", "RFC 8915 §5.6", Level::kRecommended, "Nonces of 12, 16, 17 and 32 octets", NonceLengths},
    {"R-NTS-17", "RFC 8915 §5.6", Level::kRecommended, "Surplus Additional Padding is accepted", SurplusPadding},
    {"R-NTS-18", "RFC 8915 §1.3", Level::kRecommended, "A replayed request is answered", Replay},
    {"R-NTS-19", "RFC 8915 §5.7", Level::kRecommended, "Unknown fields do not stop the time", UnknownFields},
    {"R-NTS-20", "RFC 8915 §5.7", Level::kRecommended, "A cookie may be used again", CookieReuse},
    {"R-NTS-21", "RFC 8915 §5.3", Level::kMust, "RATE and DENY carry the unique identifier", KissInFlood},
    {"R-AEAD-06", "RFC 8452 §5", Level::kMust, "Nothing of a message is used before its tag is checked",
     TamperedPlaceholder},
};

}  // namespace

std::span<const Check> NtsRequestChecks() { return kChecks; }

}  // namespace ntsd::conformance
