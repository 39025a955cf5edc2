// What an operator may ask of a running ntsd, as an interface: main answers, the control socket carries.
//
// Threads: the functions are called by the control thread, one at a time; whatever they touch must allow that.
// Errors: a command that is refused says why in one text; the asker reads it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/expected.h"
#include "core/keys/key_file.h"
#include "core/keys/key_set.h"
#include "server/health.h"
#include "server/log.h"
#include "server/metrics/families.h"

namespace ntsd {

struct ReferenceReport {
  std::string source;  // "chrony 127.0.0.1:323"
  bool synchronized = false;
  int leap = 0;
  int stratum = 0;
  std::string reference_id;  // "192.0.2.1" or "GPS"
  double offset_s = 0;
  double root_delay_s = 0;
  double root_dispersion_s = 0;
  double age_s = 0;  // since the source was last asked
};

struct ListenerReport {
  std::string protocol;  // "ntp", "nts-ke", "metrics"
  std::string address;
  std::string policy;  // what is special here: "require-nts deny"; may be empty
};

struct RateReport {
  double ntp_requests_per_s = 0;
  double ntp_nts_per_s = 0;
  double ntp_dropped_per_s = 0;
  double ke_connections_per_s = 0;
};

struct KeyReport {
  KeyId id = 0;
  std::string state;  // "future", "current", "past"
  double age_s = 0;
  int aead = 0;
};
struct KeysReport {
  std::string source;  // "generate", "follow"
  std::string file;
  std::string fingerprint;  // of the whole ring, to compare hosts
  double next_rotation_s = 0;
  std::vector<KeyReport> keys;  // newest first
};

struct CertificateReport {
  std::string name;
  std::string chain;            // the file
  std::int64_t expires_at = 0;  // Unix time
};

// A certificate that a reload read again.
struct ReadCertificateReport {
  std::string name;
  std::string chain;            // the file
  std::int64_t expires_at = 0;  // Unix time
  bool is_new = false;          // another one than before
};

struct ReloadReport {
  std::int64_t at = 0;  // Unix time; 0: not since start
  bool is_good = true;
  std::string problem;                              // why nothing was changed
  std::vector<std::string> applied;                 // keys of the configuration
  std::vector<std::string> needs_restart;           // the same
  std::vector<ReadCertificateReport> certificates;  // all that are in force now
};

// A network card whose stamps the configuration asks for.
struct CardReport {
  std::string interface;
  bool is_used = false;  // its stamps are the receive timestamps; otherwise the kernel's
  std::string detail;    // how well its clock is known, or why it is not used
  double error_s = 0;    // of its clock against the system clock, while it is used
};

struct StatusReport {
  std::string version;
  std::int64_t now = 0;  // Unix time of this report
  double uptime_s = 0;
  bool is_draining = false;
  std::string engine;         // "io_uring"
  std::string engine_reason;  // why this one
  std::string crypto;         // "vaes512"
  std::string sandbox;        // what of it is in force
  std::string log_level;
  int ntp_workers = 0;
  int ke_workers = 0;
  std::vector<CardReport> cards;
  ReferenceReport reference;
  std::vector<ListenerReport> listeners;
  RateReport rates;
  KeysReport keys;
  std::vector<CertificateReport> certificates;
  ReloadReport last_reload;
};

struct StatsReport {
  std::vector<MetricFamily> families;
};

struct KeyExport {
  std::string text;  // secret
  std::string note;  // what the other side loses, if anything
};

enum class ClientOrder : std::uint8_t { kRate, kDrops };
struct ClientReport {
  std::string network;  // "192.0.2.0/24"
  double requests_per_s = 0;
  double refused_per_s = 0;    // of these: not served
  double overcount_per_s = 0;  // by how much the first figure may be too high
};
struct ClientsReport {
  bool is_listed = false;                // limits.ntp.clients
  std::uint64_t networks_this_hour = 0;  // an estimate, to about 2 %
  std::uint64_t networks_last_hour = 0;  // 0 in the first hour
  std::vector<ClientReport> clients;     // as ordered by the asker
};

// A command that was done, and what to know about it.
struct Done {
  std::string note;
};

class ControlService {
 public:
  virtual ~ControlService() = default;

  virtual StatusReport Status() = 0;
  virtual StatsReport Stats() = 0;
  virtual Health Check() = 0;
  // The busiest `count` networks.
  virtual ClientsReport Clients(ClientOrder order, std::size_t count) = 0;
  virtual KeysReport Keys() = 0;
  virtual Expected<KeysReport, std::string> RotateKeys() = 0;
  // Nothing: all of them.
  virtual Expected<KeysReport, std::string> RevokeKeys(std::optional<KeyId> id) = 0;
  virtual Expected<KeyExport, std::string> ExportKeys(KeyFileFormat format) = 0;
  virtual Expected<KeysReport, std::string> ImportKeys(KeyFileFormat format, const std::string& text) = 0;
  // A refused file changes nothing; the report says so.
  virtual ReloadReport Reload() = 0;
  virtual Done Drain() = 0;
  virtual Done SetLogLevel(LogLevel level) = 0;
};

}  // namespace ntsd
