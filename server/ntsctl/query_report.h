// What a query of a server found, as values, and as text and JSON.
//
// Threads: values, and functions of their arguments.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/nts/client.h"
#include "server/ntsctl/text.h"

namespace ntsd {

struct KeQueryReport {
  std::string peer;  // "192.0.2.1:4460"
  std::string tls_version;
  std::string cipher_suite;
  std::string certificate_subject;
  std::vector<std::string> certificate_names;
  std::string certificate_issuer;
  std::string certificate_key;           // "ECDSA P-256"
  std::int64_t certificate_ends_at = 0;  // Unix time
  bool is_verified = false;
  int aead = 0;
  bool has_compliant_context = false;  // record 1024
  std::size_t cookie_count = 0;
  std::size_t cookie_size = 0;
  std::string ntp_server;
  std::uint16_t ntp_port = 0;
};

struct SampleReport {
  std::string address;  // "192.0.2.1:123"
  std::string problem;  // empty: the sample is good
  bool is_authenticated = false;
  bool has_header = false;  // the figures below are from an answer
  double offset_s = 0;
  double delay_s = 0;
  int stratum = 0;
  LeapIndicator leap = LeapIndicator::kUnsynchronized;
  std::uint32_t reference_id = 0;
  double root_delay_s = 0;
  double root_dispersion_s = 0;
  std::size_t new_cookie_count = 0;

  // RFC 5905 §11.2: the most by which this sample can be wrong.
  double RootDistance_s() const { return (root_delay_s + delay_s) / 2 + root_dispersion_s; }
};

struct QueryReport {
  std::string host;
  bool is_plain = false;
  std::int64_t now = 0;  // Unix time of the query
  std::string problem;   // why there are no samples
  std::optional<KeQueryReport> ke;
  std::vector<std::string> notes;
  std::vector<SampleReport> samples;

  // Every sample that was asked for is good; of an NTS query, authenticated too.
  bool IsGood() const;
};

std::string QueryText(const QueryReport& report, const Palette& palette);
std::string QueryJson(const QueryReport& report);

}  // namespace ntsd
