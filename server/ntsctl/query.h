// Asks any NTP or NTS server for the time, as a client does, and reports what came of it.
//
// Threads: any; blocks for at most the timeouts. Errors: in the report.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "server/ntsctl/query_report.h"

namespace ntsd {

struct QuerySettings {
  std::string host;
  std::uint16_t ke_port = 4460;
  std::optional<std::uint16_t> ntp_port;  // nothing: what NTS-KE says, or 123
  std::string ca_file;                    // empty: what the system trusts
  bool is_insecure = false;               // any certificate will do
  std::optional<std::uint16_t> aead;      // nothing: 15, then 30, then 17
  int count = 4;
  bool is_plain = false;                    // no NTS
  std::chrono::milliseconds timeout{5000};  // of NTS-KE, and of each answer
  std::chrono::milliseconds interval{200};  // between samples
};

QueryReport RunQuery(const QuerySettings& settings);

}  // namespace ntsd
