#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "tests/conformance/checks/checks.h"
#include "tests/conformance/checks/common.h"
#include "tests/conformance/probe/udp.h"

namespace ntsd::conformance {
namespace {

// Chance lets equal octets stand at a few places; a run of them is a mark.
constexpr std::size_t kCommonRunMax = 4;
constexpr std::size_t kKeyIdRoom = 8;  // in front of a cookie, common to all clients

std::vector<Octets> CookiesOf(Probe& probe, std::uint16_t aead = 15) {
  return KeAnswerView::Parse(probe.Ke(Offer({aead})).answer).Cookies();
}

Finding Opaque(Probe& probe) {
  Association* const association = probe.Nts();
  if (association == nullptr) return Skip(std::string(kNoNts));
  Variants variants("no time: the cookie's integrity is protected");
  const std::size_t size = association->cookies.front().size();
  const std::size_t step = probe.is_fast() ? 7 : 31;
  for (std::size_t position = 0; position < size; position += step) {
    NtsDraft draft = probe.Draft(*association);
    draft.cookie[position] ^= 0x80;
    const NtpReply came = probe.Ask(draft, *association, true);
    variants.Add(!came.IsTime(), fmt::format("octet {} changed", position), came);
  }
  return variants.Done();
}

// The longest run of octets that two cookies share at the same place, behind the room for a key id.
std::size_t CommonRun(const Octets& a, const Octets& b) {
  std::size_t longest = 0;
  std::size_t run = 0;
  for (std::size_t i = kKeyIdRoom; i < std::min(a.size(), b.size()); ++i) {
    run = a[i] == b[i] ? run + 1 : 0;
    longest = std::max(longest, run);
  }
  return longest;
}

Finding Unlinkable(Probe& probe) {
  const std::vector<Octets> cookies = CookiesOf(probe);
  const std::vector<Octets> others = CookiesOf(probe);
  if (cookies.size() < 2 || others.empty()) return Skip(std::string(kNoNts));
  std::size_t longest = 0;
  for (std::size_t i = 0; i < cookies.size(); ++i) {
    for (std::size_t j = i + 1; j < cookies.size(); ++j) longest = std::max(longest, CommonRun(cookies[i], cookies[j]));
  }
  // The front, which all cookies may share, must not tell one client from another.
  const auto front = [](const Octets& cookie) { return Octets(cookie.begin(), cookie.begin() + 4); };
  const std::set<Octets> own{front(cookies.front()), front(cookies.back())};
  const bool front_is_common = own.size() > 1 || front(others.front()) == front(cookies.front());
  return Judge(longest <= kCommonRunMax && front_is_common, "the cookies of two clients",
               "nothing in common between cookies of one client but what all clients have in common",
               fmt::format("at most {} equal octets in a row{}", longest,
                           front_is_common ? "" : "; the first octets tell clients apart"));
}

Finding OneLength(Probe& probe) {
  constexpr std::size_t kChronySizeMax = 104;
  std::set<std::size_t> sizes;
  for (const Octets& cookie : CookiesOf(probe)) sizes.insert(cookie.size());
  if (Association* const association = probe.Nts()) {
    NtsDraft draft = probe.Draft(*association);
    draft.placeholder_count = 2;
    const NtpReply came = probe.Ask(draft, *association);
    if (came.answer) {
      for (const Octets& cookie : came.answer->cookies) sizes.insert(cookie.size());
    }
  }
  if (sizes.empty()) return Skip(std::string(kNoNts));
  return Judge(sizes.size() == 1 && *sizes.begin() % 4 == 0 && *sizes.begin() <= kChronySizeMax,
               "cookies of NTS-KE and of NTP, AEAD 15", "one length, a multiple of 4, of 104 octets at most",
               fmt::format("cookies of {} octets", fmt::join(sizes, ", ")));
}

Finding OtherAddress(Probe& probe) {
  Association* const association = probe.Nts();
  if (association == nullptr) return Skip(std::string(kNoNts));
  const IpEndpoint& server = probe.ntp_server();
  if (server.address.is_v4 && server.address.IsLoopback()) {
    const NtpReply came = probe.Ask(probe.Draft(*association).Build(),
                                    {.keys = &association->keys, .source_address = IpAddress::Parse("127.0.0.77")});
    return JudgeNtp(came.IsAuthenticTime(), "a cookie from another address", "authentic time", came);
  }
  // Over the other address family we come from another address by nature.
  for (const IpAddress& address : probe.addresses()) {
    if (address.is_v4 == server.address.is_v4) continue;
    const NtpReply came = probe.Ask(probe.Draft(*association).Build(),
                                    {.keys = &association->keys, .server = IpEndpoint{address, server.port}});
    return Judge(came.IsAuthenticTime(), "a cookie over the other address family", "authentic time", Describe(came));
  }
  return Skip("this host has only one address towards the server");
}

constexpr Check kChecks[] = {
    {"R-CK-01", "RFC 8915 §6", Level::kMust, "Cookies are protected in every octet", Opaque},
    {"R-CK-02", "RFC 8915 §9.1", Level::kMust, "Cookies of one client have nothing in common", Unlinkable},
    {"R-CK-03", "RFC 8915 §6", Level::kRecommended, "Cookies are sealed by a misuse-resistant AEAD", nullptr,
     "cookies are opaque"},
    {"R-CK-04", "clients", Level::kRecommended, "Cookies have one length, of 104 octets at most", OneLength},
    {"R-CK-05", "clients", Level::kRecommended, "Their length outlives rotations", nullptr,
     "the operator would have to rotate the keys meanwhile"},
    {"R-CK-06", "RFC 8915 §6", Level::kRecommended, "A new key is used at once", nullptr,
     "the operator would have to rotate the keys meanwhile"},
    {"R-CK-07", "RFC 8915 §6", Level::kRecommended, "Old keys live for a bounded time", nullptr,
     "it takes days, or an operator who rotates the keys"},
    {"R-CK-08", "RFC 8915 §6", Level::kRecommended, "Expired keys are erased", nullptr,
     "the server's memory and disk would have to be read"},
    {"R-CK-09", "RFC 8915 §8.2", Level::kShould, "A compromised key can be removed at once", nullptr,
     "only the operator can"},
    {"R-CK-10", "RFC 8915 §6", Level::kRecommended, "Keys survive a restart", nullptr,
     "the server would have to be restarted"},
    {"R-CK-11", "RFC 8915 §6", Level::kRecommended, "Several nodes agree on keys", nullptr,
     "it has to be known which nodes there are; R-SEC-09 tries the addresses of the name"},
    {"R-CK-12", "RFC 8915 §6", Level::kRecommended, "The ratchet is HKDF", nullptr, "keys stay inside the server"},
    {"R-CK-13", "RFC 8915 §9.1", Level::kRecommended, "Cookies are not bound to an address", OtherAddress},
    {"R-CK-14", "RFC 8915 §6", Level::kRecommended, "The AEAD is bound to the cookie", nullptr, "cookies are opaque"},
    {"R-CK-15", "operation", Level::kRecommended, "Nodes with unequal clocks agree", nullptr,
     "the nodes' clocks would have to be moved"},
};

}  // namespace

std::span<const Check> CookieChecks() { return kChecks; }

}  // namespace ntsd::conformance
