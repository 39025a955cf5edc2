#include <fmt/format.h>

#include <algorithm>

#include "tests/conformance/checks/checks.h"
#include "tests/conformance/checks/common.h"

namespace ntsd::conformance {
namespace {

constexpr std::size_t kPlaceholdersMax = 7;

struct Series {
  std::vector<NtpReply> replies;  // by the number of placeholders
  std::vector<std::size_t> request_sizes;
};

// Requests with 0 to 7 placeholders. Answers above 1,280 octets may have fewer cookies; with AEAD 15 none comes near.
Series AskWithPlaceholders(Probe& probe, Association& association) {
  Series series;
  for (std::size_t count = 0; count <= kPlaceholdersMax; ++count) {
    NtsDraft draft = probe.Draft(association);
    draft.placeholder_count = count;
    series.request_sizes.push_back(draft.Build().size());
    series.replies.push_back(probe.Ask(draft, association));
  }
  return series;
}

template <typename Holds>
Finding JudgeSeries(Probe& probe, const std::string& expected, Holds holds) {
  Association* const association = probe.Nts();
  if (association == nullptr) return Skip(std::string(kNoNts));
  const Series series = AskWithPlaceholders(probe, *association);
  Variants variants(expected);
  for (std::size_t count = 0; count < series.replies.size(); ++count) {
    const NtpReply& came = series.replies[count];
    const bool fine = came.IsAuthenticTime() && holds(count, series.request_sizes[count], *came.answer);
    variants.Add(fine, Count(count, "placeholder"), came);
  }
  return variants.Done();
}

Finding Composition(Probe& probe) {
  return JudgeSeries(probe, "one unique identifier, one authenticator, at least one cookie inside it",
                     [](std::size_t, std::size_t, const NtpAnswer& answer) {
                       return answer.Count(ExtensionFieldType::kUniqueIdentifier) == 1 &&
                              answer.Count(ExtensionFieldType::kNtsAuthenticator) == 1 && !answer.cookies.empty() &&
                              answer.encrypted_is_well_formed;
                     });
}

Finding SealedWithS2c(Probe& probe) {
  return JudgeSeries(probe, "an answer that opens with S2C over all octets before the authenticator",
                     [](std::size_t, std::size_t, const NtpAnswer& answer) { return answer.is_authentic; });
}

Finding AsManyCookies(Probe& probe) {
  return JudgeSeries(
      probe, "one cookie, and one for each placeholder",
      [](std::size_t count, std::size_t, const NtpAnswer& answer) { return answer.cookies.size() == count + 1; });
}

Finding NotMoreCookies(Probe& probe) {
  return JudgeSeries(
      probe, "no more cookies than asked for",
      [](std::size_t count, std::size_t, const NtpAnswer& answer) { return answer.cookies.size() <= count + 1; });
}

Finding NoneInClear(Probe& probe) {
  return JudgeSeries(probe, "no cookie in clear", [](std::size_t, std::size_t, const NtpAnswer& answer) {
    return answer.Count(ExtensionFieldType::kNtsCookie) == 0;
  });
}

Finding NewCookiesWork(Probe& probe) {
  Association* const association = probe.Nts();
  if (association == nullptr) return Skip(std::string(kNoNts));
  NtsDraft draft = probe.Draft(*association);
  draft.placeholder_count = 3;
  const NtpReply reply = probe.Ask(draft, *association);
  if (!reply.IsAuthenticTime()) return JudgeNtp(false, "an NTS request", "authentic time", reply);
  Variants variants("authentic time");
  for (const Octets& cookie : reply.answer->cookies) {
    NtsDraft next = probe.Draft(*association);
    next.cookie = cookie;
    const NtpReply came = probe.Ask(next, *association);
    variants.Add(came.IsAuthenticTime(), "a cookie that came in an answer", came);
  }
  return variants.Done();
}

Finding NeverLonger(Probe& probe) {
  return JudgeSeries(
      probe, "an answer no longer than its request",
      [](std::size_t, std::size_t size, const NtpAnswer& answer) { return answer.datagram.size() <= size; });
}

Finding SameLength(Probe& probe) {
  Association* const association = probe.Nts();
  if (association == nullptr) return Skip(std::string(kNoNts));
  Variants variants("an answer as long as its request");
  const auto ask = [&](const std::string& sent, const NtsDraft& draft) {
    const NtpReply came = probe.Ask(draft, *association);
    variants.Add(came.answer && came.answer->datagram.size() == draft.Build().size(), sent, came);
  };
  ask("an NTS request", probe.Draft(*association));
  NtsDraft unknown = probe.Draft(*association);
  unknown.before.push_back({.type = 0x4321, .body = Octets(60)});
  ask("one with an unknown field", unknown);
  NtsDraft padded = probe.Draft(*association);
  padded.authenticator.additional_padding = 64;
  ask("one with surplus padding", padded);
  return variants.Done();
}

Finding NoNeedlessPadding(Probe& probe) {
  return JudgeSeries(probe, "an authenticator that ends with its ciphertext",
                     [](std::size_t, std::size_t, const NtpAnswer& answer) {
                       return answer.authenticator->additional_padding == 0 &&
                              answer.fields.back().offset == answer.authenticator->offset;
                     });
}

Finding NakIsBare(Probe& probe) {
  Association* const association = probe.Nts();
  if (association == nullptr) return Skip(std::string(kNoNts));
  NtsDraft draft = probe.Draft(*association);
  draft.cookie.back() ^= 1;
  const NtpReply came = probe.Ask(draft, *association);
  if (!came.IsNak()) return Skip("the server sent no NAK: " + Describe(came));
  return JudgeNtp(came.answer->Count(ExtensionFieldType::kNtsCookie) == 0 &&
                      came.answer->Count(ExtensionFieldType::kNtsAuthenticator) == 0,
                  "a damaged cookie", "a NAK without cookie and authenticator", came);
}

Finding NoFragments(Probe& probe) {
  constexpr std::size_t kIpv6MtuMin = 1280;
  Association* association = probe.Nts(AeadId::kAesSivCmac512);
  if (association == nullptr) association = probe.Nts();
  if (association == nullptr) return Skip(std::string(kNoNts));
  NtsDraft draft = probe.Draft(*association);
  draft.placeholder_count = kPlaceholdersMax;
  const NtpReply came = probe.Ask(draft, *association);
  return JudgeNtp(!came.answer || came.answer->datagram.size() <= kIpv6MtuMin,
                  fmt::format("7 placeholders with AEAD {}", AeadNumber(association->keys.aead)),
                  "an answer of 1280 octets at most", came);
}

// How long after its transmit timestamp an answer arrives, at best: what was not done before the stamp shows here.
Duration BestLag(Probe& probe, Association* association, std::size_t placeholders) {
  Duration best = Duration::max();
  for (int i = 0; i < 30; ++i) {
    NtpReply came;
    if (association == nullptr) {
      came = probe.Ask(probe.Plain());
    } else {
      NtsDraft draft = probe.Draft(*association);
      draft.placeholder_count = placeholders;
      came = probe.Ask(draft, *association);
    }
    if (!came.IsTime()) continue;
    best = std::min(best, Difference(NtpTimestamp::FromUnix(came.received), came.answer->header.transmit));
  }
  return best;
}

Finding LateStamp(Probe& probe) {
  if (!probe.is_fast()) return Skip("only near a server of one's own can this be measured: --fast");
  Association* const association = probe.Nts();
  if (association == nullptr) return Skip(std::string(kNoNts));
  constexpr Duration kMost = std::chrono::microseconds(100);
  const Duration plain = BestLag(probe, nullptr, 0);
  const Duration nts = BestLag(probe, association, 0);
  const Duration full = BestLag(probe, association, kPlaceholdersMax);
  if (plain == Duration::max() || nts == Duration::max() || full == Duration::max())
    return Skip("there are no answers to measure");
  const auto us = [](Duration duration) { return std::chrono::duration<double, std::micro>(duration).count(); };
  return Judge(nts - plain < kMost && full - plain < kMost,
               "30 requests of each kind: plain, NTS, NTS with 7 placeholders",
               "less than 100 us between them, from the transmit timestamp to the arrival",
               fmt::format("at best {:.1f}, {:.1f} and {:.1f} us", us(plain), us(nts), us(full)));
}

constexpr Check kChecks[] = {
    {"R-NTS-03", "RFC 8915 §5.7", Level::kMust, "One unique identifier, one authenticator, cookies inside",
     Composition},
    {"R-NTS-04", "RFC 8915 §5.6", Level::kMust, "Answers are sealed with the cookie's AEAD and S2C", SealedWithS2c},
    {"R-NTS-05", "RFC 8915 §5.7", Level::kShould, "One cookie, and one for each placeholder", AsManyCookies},
    {"R-NTS-06", "RFC 8915 §5.7", Level::kMust, "No more cookies than that", NotMoreCookies},
    {"R-NTS-07", "RFC 8915 §5.7", Level::kMust, "No cookies in clear", NoneInClear},
    {"R-NTS-08", "RFC 8915 §5.7", Level::kMust, "New cookies are valid", NewCookiesWork},
    {"R-NTS-09", "RFC 8915 §8.4", Level::kMust, "No answer is longer than its request", NeverLonger},
    {"R-NTS-10", "clients, NTPv5", Level::kRecommended, "Answers are as long as their requests", SameLength},
    {"R-NTS-11", "NTPsec's client", Level::kRecommended, "No padding where none is needed", NoNeedlessPadding},
    {"R-NTS-14", "RFC 8915 §5.7", Level::kMust, "A NAK has no cookie and no authenticator", NakIsBare},
    {"R-NTS-22", "RFC 8915 §5.7", Level::kRecommended, "Answers are never fragmented", NoFragments},
    {"R-NTS-23", "RFC 5905 §8", Level::kRecommended, "The transmit timestamp is taken after the work", LateStamp},
};

}  // namespace

std::span<const Check> NtsAnswerChecks() { return kChecks; }

}  // namespace ntsd::conformance
