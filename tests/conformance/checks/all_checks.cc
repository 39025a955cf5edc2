#include <algorithm>
#include <initializer_list>

#include "tests/conformance/checks/checks.h"

namespace ntsd::conformance {
namespace {

std::string_view SectionOf(std::string_view id) { return id.substr(0, id.rfind('-')); }

bool IsOneOf(std::string_view id, std::initializer_list<std::string_view> ids) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

}  // namespace

std::vector<Check> AllChecks() {
  std::vector<Check> all;
  for (const std::span<const Check> part :
       {TlsHandshakeChecks(), TlsStreamChecks(), KeRequestChecks(), KeAnswerChecks(), ExporterChecks(),
        NtpHeaderChecks(), NtpManners(), FieldChecks(), NtsFieldChecks(), NtsRequestChecks(), NtsAnswerChecks(),
        AeadChecks(), CookieChecks(), SecurityChecks(), LeapChecks(), InterleavedChecks(), PoolChecks(),
        Version5Checks()}) {
    all.insert(all.end(), part.begin(), part.end());
  }
  // Sections in the order in which they stand here, ids in order within them.
  std::vector<std::string_view> sections;
  for (const Check& check : all) {
    if (std::find(sections.begin(), sections.end(), SectionOf(check.id)) == sections.end())
      sections.push_back(SectionOf(check.id));
  }
  // R-AEAD has one check among those of requests.
  const auto rank = [&](const Check& check) {
    return std::find(sections.begin(), sections.end(), SectionOf(check.id)) - sections.begin();
  };
  std::stable_sort(all.begin(), all.end(), [&](const Check& a, const Check& b) {
    return rank(a) != rank(b) ? rank(a) < rank(b) : a.id < b.id;
  });
  return all;
}

bool NeedsNtsKe(std::string_view id) {
  return IsOneOf(SectionOf(id), {"R-TLS", "R-KE", "R-EX", "R-POOL"}) ||
         IsOneOf(id, {"R-CK-02", "R-CK-04", "R-SEC-04", "R-SEC-05", "R-V5-08"});
}

bool NeedsPlainNtp(std::string_view id) {
  // Kisses are looked at under NTS, and silence is right for those who serve nothing else.
  constexpr std::string_view kFirstOfSilence = "R-NTP-14";
  return (SectionOf(id) == "R-NTP" && (id < kFirstOfSilence || id == "R-NTP-21" || id == "R-NTP-23") &&
          id != "R-NTP-03") ||
         IsOneOf(SectionOf(id), {"R-LEAP", "R-IL"}) ||
         IsOneOf(id, {"R-EF-03", "R-EF-04", "R-EF-08", "R-EF-10", "R-NTS-23", "R-SEC-05", "R-SEC-06", "R-SEC-08"});
}

}  // namespace ntsd::conformance
