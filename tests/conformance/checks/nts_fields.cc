#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>

#include "tests/conformance/checks/checks.h"
#include "tests/conformance/checks/common.h"

namespace ntsd::conformance {
namespace {

constexpr std::uint16_t kUniqueIdentifier = 0x0104;
constexpr std::uint16_t kCookie = 0x0204;
constexpr std::uint16_t kPlaceholder = 0x0304;
constexpr std::uint16_t kUnknownField = 0x4321;

std::size_t CookieCount(const NtpReply& reply) { return reply.answer ? reply.answer->cookies.size() : 0; }

Finding PlaceholderContent(Probe& probe) {
  Association* const association = probe.Nts();
  if (association == nullptr) return Skip(std::string(kNoNts));
  NtsDraft draft = probe.Draft(*association);
  draft.placeholder_count = 2;
  draft.placeholder_fill = 0xFF;
  const NtpReply came = probe.Ask(draft, *association);
  return JudgeNtp(came.IsAuthenticTime() && CookieCount(came) == 3, "two placeholders filled with ff", "three cookies",
                  came);
}

Finding PlaceholderLength(Probe& probe) {
  Association* const association = probe.Nts();
  if (association == nullptr) return Skip(std::string(kNoNts));
  Variants variants("silence, or one cookie alone");
  for (const int difference : {-4, 4}) {
    NtsDraft draft = probe.Draft(*association);
    draft.placeholder_count = 1;
    draft.placeholder_size = draft.cookie.size() + static_cast<std::size_t>(difference);
    const NtpReply came = probe.Ask(draft, *association, true);
    variants.Add(!came.IsTime() || CookieCount(came) <= 1, fmt::format("a placeholder of {:+} octets", difference),
                 came);
  }
  return variants.Done();
}

Octets Fields(std::initializer_list<RawField> fields) {
  Octets octets;
  for (const RawField& field : fields) testing::Append(octets, testing::FieldOctets(field));
  return octets;
}

Finding EncryptedPlaceholders(Probe& probe) {
  Association* const association = probe.Nts();
  if (association == nullptr) return Skip(std::string(kNoNts));
  NtsDraft draft = probe.Draft(*association);
  const Octets body(draft.cookie.size());
  draft.authenticator.plaintext = Fields({{.type = kPlaceholder, .body = body}, {.type = kPlaceholder, .body = body}});
  const NtpReply came = probe.Ask(draft, *association);
  return JudgeNtp(came.IsAuthenticTime() && CookieCount(came) == 3, "two encrypted placeholders", "three cookies",
                  came);
}

Finding AfterAuthenticator(Probe& probe) {
  Association* const association = probe.Nts();
  if (association == nullptr) return Skip(std::string(kNoNts));
  NtsDraft draft = probe.Draft(*association);
  draft.after.push_back({.type = kUnknownField, .body = Octets(24)});
  const NtpReply came = probe.Ask(draft, *association);
  return JudgeNtp(came.IsAuthenticTime(), "an unknown field behind the authenticator", "authentic time", came);
}

Finding SmallEncryptedFields(Probe& probe) {
  Association* const association = probe.Nts();
  if (association == nullptr) return Skip(std::string(kNoNts));
  Variants variants("authentic time");
  for (const std::size_t size : std::initializer_list<std::size_t>{0, 4}) {
    NtsDraft draft = probe.Draft(*association);
    draft.authenticator.plaintext = Fields({{.type = kUnknownField, .body = Octets(size)}});
    const NtpReply came = probe.Ask(draft, *association);
    variants.Add(came.IsAuthenticTime(), fmt::format("an encrypted field of {} octets", size + 4), came);
  }
  return variants.Done();
}

Finding AnyOrder(Probe& probe) {
  Association* const association = probe.Nts();
  if (association == nullptr) return Skip(std::string(kNoNts));
  Variants variants("authentic time with two cookies");
  const auto ask = [&](const std::string& sent, int order) {
    NtsDraft draft = probe.Draft(*association);
    const RawField id{.type = kUniqueIdentifier, .body = draft.unique_id};
    const RawField cookie{.type = kCookie, .body = draft.cookie};
    const RawField placeholder{.type = kPlaceholder, .body = Octets(draft.cookie.size())};
    draft.unique_id.clear();
    draft.cookie.clear();
    draft.before = order == 0 ? std::vector{cookie, placeholder, id} : std::vector{placeholder, id, cookie};
    const NtpReply came = probe.Ask(draft, *association);
    variants.Add(came.IsAuthenticTime() && CookieCount(came) == 2, sent, came);
  };
  ask("cookie, placeholder, unique identifier", 0);
  ask("placeholder, unique identifier, cookie", 1);
  return variants.Done();
}

Finding Repeated(Probe& probe) {
  Association* const association = probe.Nts();
  if (association == nullptr) return Skip(std::string(kNoNts));
  Variants variants("no time");
  NtsDraft cookies = probe.Draft(*association);
  cookies.before.push_back({.type = kCookie, .body = cookies.cookie});
  const NtpReply two_cookies = probe.Ask(cookies, *association, true);
  variants.Add(!two_cookies.IsTime(), "two cookies", two_cookies);
  NtsDraft ids = probe.Draft(*association);
  ids.before.push_back({.type = kUniqueIdentifier, .body = ids.unique_id});
  const NtpReply two_ids = probe.Ask(ids, *association, true);
  variants.Add(!two_ids.IsTime(), "two unique identifiers", two_ids);
  NtsDraft authenticators = probe.Draft(*association);
  const Octets once = authenticators.Build();
  Octets twice = once;
  twice.insert(twice.end(), once.end() - 40, once.end());
  const NtpReply two_authenticators =
      probe.Ask(twice, {.keys = &association->keys, .association = association, .expects_silence = true});
  variants.Add(!two_authenticators.IsTime(), "two authenticators", two_authenticators);
  return variants.Done();
}

Finding Missing(Probe& probe) {
  Association* const association = probe.Nts();
  if (association == nullptr) return Skip(std::string(kNoNts));
  Variants variants("no time under NTS");
  NtsDraft no_id = probe.Draft(*association);
  no_id.unique_id.clear();
  const NtpReply without_id = probe.Ask(no_id, *association, true);
  variants.Add(!without_id.IsAuthenticTime(), "no unique identifier", without_id);
  NtsDraft no_cookie = probe.Draft(*association);
  no_cookie.cookie.clear();
  const NtpReply without_cookie = probe.Ask(no_cookie, *association, true);
  variants.Add(!without_cookie.IsAuthenticTime(), "no cookie", without_cookie);
  NtsDraft no_authenticator = probe.Draft(*association);
  no_authenticator.authenticate = false;
  const NtpReply without_authenticator = probe.Ask(no_authenticator, *association, true);
  variants.Add(!without_authenticator.IsAuthenticTime(), "no authenticator", without_authenticator);
  return variants.Done();
}

constexpr Check kChecks[] = {
    {"R-EF-15", "RFC 8915 §5.5", Level::kMust, "The content of placeholders is ignored", PlaceholderContent},
    {"R-EF-16", "RFC 8915 §5.5", Level::kMust, "A placeholder of another length brings no cookie", PlaceholderLength},
    {"R-EF-17", "RFC 8915 §5.7", Level::kMust, "Encrypted placeholders count", EncryptedPlaceholders},
    {"R-EF-18", "RFC 8915 §5.7", Level::kMust, "Fields behind the authenticator are ignored", AfterAuthenticator},
    {"R-EF-19", "RFC 8915 §5.6", Level::kMust, "Encrypted fields may be of 4 octets", SmallEncryptedFields},
    {"R-EF-20", "RFC 8915 §5.7", Level::kRecommended, "Fields may come in any order", AnyOrder},
    {"R-EF-21", "RFC 8915 §5.7", Level::kRecommended, "Fields that may come once get no time twice", Repeated},
    {"R-EF-22", "RFC 8915 §5.7", Level::kRecommended, "An incomplete NTS request gets no time under NTS", Missing},
};

}  // namespace

std::span<const Check> NtsFieldChecks() { return kChecks; }

}  // namespace ntsd::conformance
