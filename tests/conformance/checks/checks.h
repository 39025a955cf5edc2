// Every requirement, by section: checks for what can be seen from outside, reasons for what cannot.
//
// Threads: functions without state; the tables never change.
#pragma once

#include <span>
#include <vector>

#include "tests/conformance/check.h"

namespace ntsd::conformance {

std::span<const Check> TlsHandshakeChecks();  // R-TLS-01 to -16
std::span<const Check> TlsStreamChecks();     // R-TLS-17 to -23
std::span<const Check> KeRequestChecks();     // R-KE: what a request may look like
std::span<const Check> KeAnswerChecks();      // R-KE: what an answer must look like
std::span<const Check> ExporterChecks();      // R-EX
std::span<const Check> NtpHeaderChecks();     // R-NTP-01 to -13
std::span<const Check> NtpManners();          // R-NTP-14 to -26
std::span<const Check> FieldChecks();         // R-EF-01 to -14
std::span<const Check> NtsFieldChecks();      // R-EF-15 to -22
std::span<const Check> NtsRequestChecks();    // R-NTS
std::span<const Check> NtsAnswerChecks();     // R-NTS
std::span<const Check> AeadChecks();          // R-AEAD
std::span<const Check> CookieChecks();        // R-CK
std::span<const Check> SecurityChecks();      // R-SEC
std::span<const Check> LeapChecks();          // R-LEAP
std::span<const Check> InterleavedChecks();   // R-IL
std::span<const Check> PoolChecks();          // R-POOL
std::span<const Check> Version5Checks();      // R-V5

// All of them, in the order of their ids.
std::vector<Check> AllChecks();

// What a check cannot do without: an NTS-KE server, or one that serves time without NTS, as nobody has to.
bool NeedsNtsKe(std::string_view id);
bool NeedsPlainNtp(std::string_view id);

}  // namespace ntsd::conformance
