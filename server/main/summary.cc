#include "server/main/summary.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <ctime>

namespace ntsd {
namespace {

std::string ReferenceText(const ReferenceReport& reference) {
  if (!reference.synchronized) return reference.source + ", not synchronized";
  return fmt::format("{}, stratum {}", reference.source, reference.stratum);
}

std::string ListenersText(const std::vector<ListenerReport>& listeners) {
  std::vector<std::string> texts;
  for (const ListenerReport& listener : listeners) {
    texts.push_back(fmt::format("{} {}{}", listener.protocol, listener.address,
                                listener.policy.empty() ? "" : " (" + listener.policy + ")"));
  }
  return fmt::format("{}", fmt::join(texts, ", "));
}

std::string CertificatesText(const StatusReport& status) {
  std::vector<std::string> texts;
  for (const CertificateReport& certificate : status.certificates) {
    texts.push_back(CertificateText(certificate.name, certificate.expires_at, status.now));
  }
  return texts.empty() ? "none" : fmt::format("{}", fmt::join(texts, ", "));
}

std::string KeysText(const KeysReport& keys) {
  return fmt::format("{} of {}, ring {}", keys.keys.size(), keys.file, keys.fingerprint);
}

std::string LimitText(double rate, std::uint32_t burst, const BucketPrefixes& prefixes) {
  if (rate <= 0) return "off";
  return fmt::format("{}/s after {}, per /{} and /{}", rate, burst, prefixes.v4, prefixes.v6);
}

std::string AccessText(const AccessConfig& access) {
  const AccessConfig everybody;
  if (access == everybody) return "everybody";
  return fmt::format("{} prefixes allowed, {} denied", access.allow.size(), access.deny.size());
}

}  // namespace

std::vector<LogField> StartSummary(const StatusReport& status, const Config& config) {
  return {{"version", status.version},
          {"engine", status.engine},
          {"engine-reason", status.engine_reason},
          {"crypto", status.crypto},
          {"sandbox", status.sandbox},
          {"ntp-workers", std::to_string(status.ntp_workers)},
          {"ke-workers", std::to_string(status.ke_workers)},
          {"listeners", ListenersText(status.listeners)},
          {"certificates", CertificatesText(status)},
          {"keys", KeysText(status.keys)},
          {"reference", ReferenceText(status.reference)},
          {"access", AccessText(config.access)},
          {"ntp-limit", LimitText(config.limits.ntp.rate, config.limits.ntp.burst, config.limits.ntp.prefixes)},
          {"ke-limit", LimitText(config.limits.ke.rate, config.limits.ke.burst, config.limits.ke.prefixes)},
          {"control", config.control.socket.empty() ? "off" : config.control.socket},
          {"log-level", status.log_level}};
}

std::string CertificateText(const std::string& name, std::int64_t expires_at, std::int64_t now) {
  const std::int64_t days = (expires_at - now) / 86'400;
  return fmt::format("{} until {:%Y-%m-%d} ({} day{})", name, fmt::gmtime(static_cast<std::time_t>(expires_at)), days,
                     days == 1 ? "" : "s");
}

}  // namespace ntsd
