#include <algorithm>

#include "tests/conformance/checks/checks.h"

namespace ntsd::conformance {
namespace {

std::string_view SectionOf(const Check& check) { return check.id.substr(0, check.id.rfind('-')); }

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
    if (std::find(sections.begin(), sections.end(), SectionOf(check)) == sections.end())
      sections.push_back(SectionOf(check));
  }
  // R-AEAD has one check among those of requests.
  const auto rank = [&](const Check& check) {
    return std::find(sections.begin(), sections.end(), SectionOf(check)) - sections.begin();
  };
  std::stable_sort(all.begin(), all.end(), [&](const Check& a, const Check& b) {
    return rank(a) != rank(b) ? rank(a) < rank(b) : a.id < b.id;
  });
  return all;
}

}  // namespace ntsd::conformance
