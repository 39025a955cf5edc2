#include "server/main/settings.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string_view>

#include "ke/pool_tokens.h"
#include "server/config/values.h"

namespace ntsd {
namespace {

RequireNts RequireNtsOf(PlainNtpPolicy policy) {
  switch (policy) {
    case PlainNtpPolicy::kServe:
      return RequireNts::kNo;
    case PlainNtpPolicy::kIgnore:
      return RequireNts::kIgnore;
    case PlainNtpPolicy::kDeny:
      return RequireNts::kDeny;
  }
  return RequireNts::kNo;
}

ReferenceKind KindOf(ReferenceSource source) {
  switch (source) {
    case ReferenceSource::kChrony:
      return ReferenceKind::kChrony;
    case ReferenceSource::kNtp:
      return ReferenceKind::kNtp;
    case ReferenceSource::kKernel:
      return ReferenceKind::kKernel;
    case ReferenceSource::kLocal:
      return ReferenceKind::kLocal;
  }
  return ReferenceKind::kLocal;
}

// The poll exponent of the shortest interval that `rate` (packets/s, 0 = no limit) lets one client keep.
std::int8_t PollFloor(double rate) {
  if (rate <= 0) return ListenerPolicy{}.poll_floor;
  return static_cast<std::int8_t>(std::ceil(-std::log2(rate)));
}

}  // namespace

std::optional<StampsKept> StampsOfEnvironment() {
  const char* const wanted = std::getenv("NTSD_STAMPS");  // NOLINT(concurrency-mt-unsafe): before other threads
  if (wanted == nullptr) return StampsKept::kAll;
  if (std::string_view(wanted) == "unsampled") return StampsKept::kUnsampled;
  if (std::string_view(wanted) == "none") return StampsKept::kNone;
  return std::nullopt;
}

std::vector<ListenerPolicy> ListenerPolicies(const Config& config) {
  std::vector<ListenerPolicy> policies;
  for (const NtpConfig& table : config.ntp) {
    ListenerPolicy policy{.require_nts = RequireNtsOf(table.require_nts), .versions = 0};
    for (const std::uint8_t version : table.versions) {
      policy.versions = static_cast<std::uint8_t>(policy.versions | 1U << version);
    }
    policy.interleaved = table.interleaved;
    policy.smear = table.smear == Smear::kLinear24h;
    policy.poll_floor = PollFloor(config.limits.ntp.rate);
    policies.insert(policies.end(), table.listen.size(), policy);
  }
  return policies;
}

GuardSettings NtpGuardSettings(const Config& config) {
  const NtpLimitConfig& limits = config.limits.ntp;
  return {.access = {.allow = config.access.allow, .deny = config.access.deny, .exempt = limits.exempt},
          .rate = {.rate = limits.rate,
                   .burst = limits.burst,
                   .prefixes = {.v4 = limits.prefixes.v4, .v6 = limits.prefixes.v6},
                   .leak = limits.leak,
                   .kod = limits.kod},
          .list_clients = limits.clients};
}

GuardSettings KeGuardSettings(const Config& config) {
  const KeLimitConfig& limits = config.limits.ke;
  return {.access = {.allow = config.access.allow, .deny = config.access.deny, .exempt = {}},
          .rate = {.rate = limits.rate,
                   .burst = limits.burst,
                   .prefixes = {.v4 = limits.prefixes.v4, .v6 = limits.prefixes.v6}},
          .list_clients = false};
}

KeyPolicy KeyPolicyOf(const Config& config) {
  return {
      .rotate_every = config.keys.rotate_every, .keep = config.keys.keep, .lock_memory = config.process.lock_memory};
}

ReferenceSettings ReferenceSettingsOf(const Config& config) {
  const ReferenceConfig& reference = config.reference;
  return {.kind = KindOf(reference.source),
          .address = reference.address.ToString(),
          .stratum = reference.stratum,
          .reference_id = ParseReferenceId(reference.reference_id).value_or(0),
          .distance_max = reference.max_distance,
          .leap_seconds_file = reference.leap_seconds};
}

ke::Settings KeSettings(const Config& config, const KeConfig& table, std::vector<std::string> pool_tokens) {
  ke::Settings settings;
  settings.timeout = table.timeout;
  settings.max_connections = table.max_connections;
  settings.policy.aeads = table.aeads;
  settings.policy.ntp_server = table.ntp_server;
  settings.policy.ntp_port = NtpPortFor(config, table);
  settings.policy.pool_tokens = std::move(pool_tokens);
  settings.policy.pool_aeads = table.pool_aeads;
  // Addresses that we serve NTP on are ours to grant (R-KE-34).
  for (const NtpConfig& ntp : config.ntp) {
    for (const IpEndpoint& endpoint : ntp.listen) {
      if (!endpoint.address.IsUnspecified()) settings.policy.known_servers.push_back(endpoint.address.ToString());
    }
  }
  return settings;
}

std::vector<ke::CertificatePair> CertificatePairs(const KeConfig& table) {
  std::vector<ke::CertificatePair> pairs;
  for (const CertificateConfig& certificate : table.certificates) {
    pairs.push_back({.chain = certificate.chain, .key = certificate.key});
  }
  return pairs;
}

Expected<std::vector<std::string>, std::string> PoolTokensOf(const KeConfig& table) {
  if (table.pool_tokens.empty()) return std::vector<std::string>();
  return ke::LoadPoolTokens(table.pool_tokens);
}

}  // namespace ntsd
