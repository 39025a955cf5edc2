// The configuration of ntsd as a value: every table and key of ntsd.toml with its default.
//
// The names of the members are those of the keys. server/config/schema.h says which range each may have;
// deploy/ntsd.toml documents them for operators and a test holds the three together.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/ip_address.h"
#include "core/base/time.h"
#include "core/crypto/aead.h"
#include "server/log.h"

namespace ntsd {

// [[ntp]] require-nts: what a request without NTS gets.
enum class PlainNtpPolicy : std::uint8_t { kServe, kIgnore, kDeny };
enum class Smear : std::uint8_t { kNone, kLinear24h };
enum class EngineChoice : std::uint8_t { kAuto, kIoUring, kMmsg, kXdp };
// Which worker gets a datagram: by the kernel's hash of addresses and ports, or that of the CPU it was received on.
enum class SpreadChoice : std::uint8_t { kHash, kCpu };
enum class KeySourceKind : std::uint8_t { kGenerate, kFollow, kEtcd };
enum class ReferenceSource : std::uint8_t { kChrony, kNtp, kKernel, kLocal };
enum class SandboxMode : std::uint8_t { kStrict, kAuto, kOff };

// One [[ntp]] table: addresses that share a policy.
struct NtpConfig {
  std::vector<IpEndpoint> listen = {{IpAddress::V4(0), 123}, {{{}, false}, 123}};
  PlainNtpPolicy require_nts = PlainNtpPolicy::kServe;
  std::vector<std::uint8_t> versions = {1, 2, 3, 4};
  std::uint8_t dscp = 0;
  Smear smear = Smear::kNone;
  bool smear_public = false;  // smear even where a public pool may send clients
  bool interleaved = true;

  friend bool operator==(const NtpConfig&, const NtpConfig&) = default;
};

struct CertificateConfig {
  std::string chain;
  std::string key;

  friend bool operator==(const CertificateConfig&, const CertificateConfig&) = default;
};

// One [[ke]] table.
struct KeConfig {
  std::vector<IpEndpoint> listen = {{IpAddress::V4(0), 4460}, {{{}, false}, 4460}};
  std::vector<CertificateConfig> certificates = {{"/etc/ntsd/fullchain.pem", "/etc/ntsd/privkey.pem"}};
  // A set: the client's order decides. AEAD 15 is in it whatever the file says (RFC 8915 §4.1.5).
  std::vector<AeadId> aeads = {AeadId::kAes128GcmSiv, AeadId::kAesSivCmac256, AeadId::kAesSivCmac512};
  std::string ntp_server;                 // empty: no NTPv4 Server record
  std::optional<std::uint16_t> ntp_port;  // nothing: the port of the first [[ntp]]; see NtpPortFor()
  Duration timeout = std::chrono::seconds(5);
  std::uint32_t max_connections = 8192;
  std::string pool_tokens;  // a file; empty: records of the NTS pool are refused
  std::vector<AeadId> pool_aeads = {AeadId::kAesSivCmac256, AeadId::kAesSivCmac512};

  friend bool operator==(const KeConfig&, const KeConfig&) = default;
};

// How many threads, and where: "auto", a number, or a list of CPUs with one pinned thread each.
struct WorkerPlan {
  enum class Kind : std::uint8_t { kAuto, kCount, kCpus };
  Kind kind = Kind::kAuto;
  std::uint32_t count = 0;     // kCount
  std::vector<unsigned> cpus;  // kCpus

  friend bool operator==(const WorkerPlan&, const WorkerPlan&) = default;
};

struct WorkersConfig {
  WorkerPlan ntp;
  WorkerPlan ke;
  EngineChoice engine = EngineChoice::kAuto;
  SpreadChoice spread = SpreadChoice::kHash;
  // Interfaces whose network cards stamp what comes in; empty: the kernel stamps all of it.
  std::vector<std::string> hardware_timestamps;

  friend bool operator==(const WorkersConfig&, const WorkersConfig&) = default;
};

struct EtcdConfig {
  std::vector<std::string> endpoints;
  std::string ca;
  std::string user;
  std::string password_file;
  std::string certificate;
  std::string key;
  std::string prefix = "/ntsd/keys";
  std::string wrapping_keys = "/etc/ntsd/wrapping-keys";

  friend bool operator==(const EtcdConfig&, const EtcdConfig&) = default;
};

struct KeysConfig {
  KeySourceKind source = KeySourceKind::kGenerate;
  std::string file = "/var/lib/ntsd/keys";
  Duration rotate_every = std::chrono::hours(24);
  std::uint32_t keep = 7;
  EtcdConfig etcd;

  friend bool operator==(const KeysConfig&, const KeysConfig&) = default;
};

struct ReferenceConfig {
  ReferenceSource source = ReferenceSource::kChrony;
  IpEndpoint address = {IpAddress::V4(0x7F000001), 323};
  std::uint8_t stratum = 10;  // for local and kernel
  std::string reference_id;   // for kernel: what disciplines the clock, "GPS" for instance; see ParseReferenceId()
  Duration max_distance = std::chrono::seconds(1);
  std::string leap_seconds;  // a file; empty: only what the source announces

  friend bool operator==(const ReferenceConfig&, const ReferenceConfig&) = default;
};

struct AccessConfig {
  std::vector<IpPrefix> allow = {{IpAddress::V4(0), 0}, {{{}, false}, 0}};
  std::vector<IpPrefix> deny;

  friend bool operator==(const AccessConfig&, const AccessConfig&) = default;
};

// How many bits of an address share one bucket.
struct BucketPrefixes {
  std::uint8_t v4 = 32;
  std::uint8_t v6 = 64;

  friend bool operator==(const BucketPrefixes&, const BucketPrefixes&) = default;
};

struct NtpLimitConfig {
  double rate = 2;  // requests/s; 0: no limit
  std::uint32_t burst = 64;
  BucketPrefixes prefixes;
  double leak = 0.25;
  double kod = 0.0625;
  std::vector<IpPrefix> exempt;
  bool clients = false;

  friend bool operator==(const NtpLimitConfig&, const NtpLimitConfig&) = default;
};

struct KeLimitConfig {
  double rate = 0.2;  // connections/s; 0: no limit
  std::uint32_t burst = 32;
  BucketPrefixes prefixes;

  friend bool operator==(const KeLimitConfig&, const KeLimitConfig&) = default;
};

struct LimitsConfig {
  NtpLimitConfig ntp;
  KeLimitConfig ke;

  friend bool operator==(const LimitsConfig&, const LimitsConfig&) = default;
};

struct MetricsConfig {
  std::optional<IpEndpoint> listen = IpEndpoint{IpAddress::V4(0x7F000001), 9976};  // nothing: no metrics, no health

  friend bool operator==(const MetricsConfig&, const MetricsConfig&) = default;
};

struct ControlConfig {
  std::string socket = "/run/ntsd/control.sock";  // empty: ntsctl cannot reach this server
  std::string group = "ntsd";

  friend bool operator==(const ControlConfig&, const ControlConfig&) = default;
};

struct ProcessConfig {
  std::string user = "ntsd";  // empty: stay who we are
  SandboxMode sandbox = SandboxMode::kAuto;
  bool lock_memory = true;

  friend bool operator==(const ProcessConfig&, const ProcessConfig&) = default;
};

struct LogConfig {
  LogLevel level = LogLevel::kInfo;
  LogFormat format = LogFormat::kText;

  friend bool operator==(const LogConfig&, const LogConfig&) = default;
};

struct Config {
  std::vector<NtpConfig> ntp;  // empty: this host does NTS-KE only
  std::vector<KeConfig> ke;    // empty: this host does NTP only
  WorkersConfig workers;
  KeysConfig keys;
  ReferenceConfig reference;
  AccessConfig access;
  LimitsConfig limits;
  MetricsConfig metrics;
  ControlConfig control;
  ProcessConfig process;
  LogConfig log;

  friend bool operator==(const Config&, const Config&) = default;
};

// The port to name in an NTPv4 Port record: `ntp-port`, or the port of the first [[ntp]], or 123 on a host that does
// NTS-KE only. 123 needs no record.
std::uint16_t NtpPortFor(const Config& config, const KeConfig& ke);

}  // namespace ntsd
