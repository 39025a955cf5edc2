// Every table and key of the configuration once: its name, its kind of value and its range.
//
// A visitor goes over it to read a file (load.cc) or to write one (print.cc), so the two cannot disagree. A visitor has
// one function for each kind of value:
//   Text Texts Flag Integer Integers Real Time Choice Aeads Endpoint Endpoints Prefixes Workers Port   one key
//   Inline InlineList   a table, or a list of tables, in one line
//   Table Tables        [table] and [[table]]
// In every table the single keys stand before the tables inside it, because TOML is written in that order.
#pragma once

#include <chrono>
#include <concepts>
#include <string_view>
#include <type_traits>

#include "core/limits.h"
#include "server/config/config.h"

namespace ntsd {

// `T` is `Struct`, const for a visitor that writes.
template <typename T, typename Struct>
concept Is = std::same_as<std::remove_const_t<T>, Struct>;

// Keys besides the past ones: one current and one future key.
inline constexpr std::size_t kKeepMax = kKeysPerRingMax - 2;

template <typename Visitor, Is<NtpConfig> T>
void Describe(Visitor& visit, T& ntp) {
  visit.Endpoints("listen", ntp.listen);
  visit.Choice("require-nts", ntp.require_nts);
  visit.Integers("versions", ntp.versions, 1, 4);
  visit.Integer("dscp", ntp.dscp, 0, 63);
  visit.Choice("smear", ntp.smear);
  visit.Flag("smear-public", ntp.smear_public);
  visit.Flag("interleaved", ntp.interleaved);
}

template <typename Visitor, Is<CertificateConfig> T>
void Describe(Visitor& visit, T& certificate) {
  visit.Text("chain", certificate.chain);
  visit.Text("key", certificate.key);
}

template <typename Visitor, Is<KeConfig> T>
void Describe(Visitor& visit, T& ke) {
  visit.Endpoints("listen", ke.listen);
  visit.InlineList("certificates", ke.certificates);
  visit.Aeads("aeads", ke.aeads);
  visit.Text("ntp-server", ke.ntp_server);
  visit.Port("ntp-port", ke.ntp_port);
  visit.Time("timeout", ke.timeout, std::chrono::milliseconds(100), std::chrono::minutes(10));
  visit.Integer("max-connections", ke.max_connections, 1, 65536);
  visit.Text("pool-tokens", ke.pool_tokens);
  visit.Aeads("pool-aeads", ke.pool_aeads);
}

template <typename Visitor, Is<WorkersConfig> T>
void Describe(Visitor& visit, T& workers) {
  visit.Workers("ntp", workers.ntp);
  visit.Workers("ke", workers.ke);
  visit.Choice("engine", workers.engine);
  visit.Choice("spread", workers.spread);
  visit.Texts("hardware-timestamps", workers.hardware_timestamps);
}

template <typename Visitor, Is<EtcdConfig> T>
void Describe(Visitor& visit, T& etcd) {
  visit.Texts("endpoints", etcd.endpoints);
  visit.Text("ca", etcd.ca);
  visit.Text("user", etcd.user);
  visit.Text("password-file", etcd.password_file);
  visit.Text("certificate", etcd.certificate);
  visit.Text("key", etcd.key);
  visit.Text("prefix", etcd.prefix);
  visit.Text("wrapping-keys", etcd.wrapping_keys);
}

template <typename Visitor, Is<KeysConfig> T>
void Describe(Visitor& visit, T& keys) {
  visit.Choice("source", keys.source);
  visit.Text("file", keys.file);
  visit.Time("rotate-every", keys.rotate_every, std::chrono::seconds(1), std::chrono::hours(24 * 366));
  visit.Integer("keep", keys.keep, 1, kKeepMax);
  visit.Table("etcd", keys.etcd);
}

template <typename Visitor, Is<ReferenceConfig> T>
void Describe(Visitor& visit, T& reference) {
  visit.Choice("source", reference.source);
  visit.Endpoint("address", reference.address);
  visit.Integer("stratum", reference.stratum, 1, 15);
  visit.Text("reference-id", reference.reference_id);
  visit.Time("max-distance", reference.max_distance, std::chrono::milliseconds(1), std::chrono::seconds(16));
  visit.Text("leap-seconds", reference.leap_seconds);
}

template <typename Visitor, Is<AccessConfig> T>
void Describe(Visitor& visit, T& access) {
  visit.Prefixes("allow", access.allow);
  visit.Prefixes("deny", access.deny);
}

template <typename Visitor, Is<BucketPrefixes> T>
void Describe(Visitor& visit, T& prefixes) {
  visit.Integer("v4", prefixes.v4, 1, 32);
  visit.Integer("v6", prefixes.v6, 1, 128);
}

template <typename Visitor, Is<NtpLimitConfig> T>
void Describe(Visitor& visit, T& limit) {
  visit.Real("rate", limit.rate, 0, kRateMax);
  visit.Integer("burst", limit.burst, 1, 1'000'000);
  visit.Inline("prefixes", limit.prefixes);
  visit.Real("leak", limit.leak, 0, 1);
  visit.Real("kod", limit.kod, 0, 1);
  visit.Prefixes("exempt", limit.exempt);
  visit.Flag("clients", limit.clients);
}

template <typename Visitor, Is<KeLimitConfig> T>
void Describe(Visitor& visit, T& limit) {
  visit.Real("rate", limit.rate, 0, kRateMax);
  visit.Integer("burst", limit.burst, 1, 1'000'000);
  visit.Inline("prefixes", limit.prefixes);
}

template <typename Visitor, Is<LimitsConfig> T>
void Describe(Visitor& visit, T& limits) {
  visit.Table("ntp", limits.ntp);
  visit.Table("ke", limits.ke);
}

template <typename Visitor, Is<MetricsConfig> T>
void Describe(Visitor& visit, T& metrics) {
  visit.Endpoint("listen", metrics.listen);
}

template <typename Visitor, Is<ControlConfig> T>
void Describe(Visitor& visit, T& control) {
  visit.Text("socket", control.socket);
  visit.Text("group", control.group);
}

template <typename Visitor, Is<ProcessConfig> T>
void Describe(Visitor& visit, T& process) {
  visit.Text("user", process.user);
  visit.Choice("sandbox", process.sandbox);
  visit.Flag("lock-memory", process.lock_memory);
}

template <typename Visitor, Is<LogConfig> T>
void Describe(Visitor& visit, T& log) {
  visit.Choice("level", log.level);
  visit.Choice("format", log.format);
}

template <typename Visitor, Is<Config> T>
void Describe(Visitor& visit, T& config) {
  visit.Tables("ntp", config.ntp);
  visit.Tables("ke", config.ke);
  visit.Table("workers", config.workers);
  visit.Table("keys", config.keys);
  visit.Table("reference", config.reference);
  visit.Table("access", config.access);
  visit.Table("limits", config.limits);
  visit.Table("metrics", config.metrics);
  visit.Table("control", config.control);
  visit.Table("process", config.process);
  visit.Table("log", config.log);
}

}  // namespace ntsd
