#include "server/config/check.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "core/guard/rate_limiter.h"
#include "core/limits.h"
#include "server/config/values.h"

namespace ntsd {
namespace {

// sockaddr_un holds 108 octets with the zero at the end.
constexpr std::size_t kSocketPathSizeMax = 107;
// IFNAMSIZ, less the zero at the end.
constexpr std::size_t kInterfaceNameSizeMax = 15;

// Whether only a network of its own reaches that address. The unspecified one is all of this host's.
bool IsPrivate(const IpAddress& address) {
  static const std::array kPrefixes = {
      IpPrefix::Parse("127.0.0.0/8"),    IpPrefix::Parse("10.0.0.0/8"),     IpPrefix::Parse("172.16.0.0/12"),
      IpPrefix::Parse("192.168.0.0/16"), IpPrefix::Parse("169.254.0.0/16"), IpPrefix::Parse("100.64.0.0/10"),
      IpPrefix::Parse("::1/128"),        IpPrefix::Parse("fc00::/7"),       IpPrefix::Parse("fe80::/10")};
  return std::any_of(kPrefixes.begin(), kPrefixes.end(),
                     [&address](const std::optional<IpPrefix>& prefix) { return prefix->Contains(address); });
}

// The configuration under check, and where its complaints go.
class Checker {
 public:
  Checker(const Config& config, const ConfigOrigins& origins) : config_(config), origins_(origins) {}

  std::vector<ConfigError> Run() {
    CheckRoles();
    CheckListeners();
    CheckKe();
    CheckCards();
    CheckSmear();
    CheckNames();
    CheckLimits();
    CheckControl();
    return std::move(errors_);
  }

 private:
  void Fail(std::string_view key, std::string problem) { errors_.push_back(origins_.ErrorAt(key, std::move(problem))); }

  void CheckRoles() {
    if (config_.ntp.empty() && config_.ke.empty()) {
      Fail("", "neither [[ntp]] nor [[ke]]: there is nothing to serve; add at least one of the two tables");
    }
  }

  // Two listeners of one protocol on one address would get each other's packets.
  void CheckListeners() {
    std::vector<std::pair<IpEndpoint, std::string>> udp;
    std::vector<std::pair<IpEndpoint, std::string>> tcp;
    for (std::size_t i = 0; i < config_.ntp.size(); ++i) {
      AddListeners(udp, config_.ntp[i].listen, fmt::format("ntp[{}].listen", i));
    }
    for (std::size_t i = 0; i < config_.ke.size(); ++i) {
      AddListeners(tcp, config_.ke[i].listen, fmt::format("ke[{}].listen", i));
    }
    if (config_.metrics.listen) AddListener(tcp, *config_.metrics.listen, "metrics.listen");
  }
  void AddListeners(std::vector<std::pair<IpEndpoint, std::string>>& taken, std::span<const IpEndpoint> endpoints,
                    const std::string& key) {
    for (std::size_t i = 0; i < endpoints.size(); ++i) AddListener(taken, endpoints[i], fmt::format("{}[{}]", key, i));
  }
  void AddListener(std::vector<std::pair<IpEndpoint, std::string>>& taken, const IpEndpoint& endpoint,
                   const std::string& key) {
    if (endpoint.address.IsMulticastOrBroadcast()) {
      Fail(key, fmt::format("{} is a multicast or broadcast address; expected one of this host", endpoint.ToString()));
    }
    for (const auto& [other, other_key] : taken) {
      if (other == endpoint) Fail(key, fmt::format("{} is taken by {}", endpoint.ToString(), other_key));
    }
    taken.emplace_back(endpoint, key);
  }

  void CheckKe() {
    for (std::size_t i = 0; i < config_.ke.size(); ++i) {
      const KeConfig& ke = config_.ke[i];
      const std::string table = fmt::format("ke[{}]", i);
      CheckNtpPort(ke, table);
      for (std::size_t j = 0; j < ke.certificates.size(); ++j) {
        const CertificateConfig& certificate = ke.certificates[j];
        if (certificate.chain.empty() || certificate.key.empty()) {
          Fail(fmt::format("{}.certificates[{}]", table, j), "expected both chain and key, each the name of a file");
        }
      }
      const auto refused = std::find(ke.pool_aeads.begin(), ke.pool_aeads.end(), AeadId::kAes128GcmSiv);
      if (refused != ke.pool_aeads.end()) {
        Fail(fmt::format("{}.pool-aeads[{}]", table, refused - ke.pool_aeads.begin()),
             "expected 15 or 17, got 30: a pool does not forward record 1024, without which clients derive other keys");
      }
    }
    const bool serves_v4 = std::any_of(config_.ntp.begin(), config_.ntp.end(), [](const NtpConfig& ntp) {
      return std::find(ntp.versions.begin(), ntp.versions.end(), 4) != ntp.versions.end();
    });
    if (!config_.ke.empty() && !config_.ntp.empty() && !serves_v4) {
      Fail("ntp[0].versions", "expected 4 in at least one [[ntp]] table, because [[ke]] hands out cookies for NTPv4");
    }
  }

  void CheckCards() {
    const std::vector<std::string>& interfaces = config_.workers.hardware_timestamps;
    if (interfaces.size() > kCardsMax) {
      Fail("workers.hardware-timestamps", fmt::format("expected no more than {} interfaces", kCardsMax));
    }
    for (std::size_t i = 0; i < interfaces.size(); ++i) {
      const std::string key = fmt::format("workers.hardware-timestamps[{}]", i);
      if (interfaces[i].empty() || interfaces[i].size() > kInterfaceNameSizeMax) {
        Fail(key, fmt::format("expected the name of an interface, 1 to {} octets", kInterfaceNameSizeMax));
      }
    }
  }

  // Clients would be sent to a port where nothing answers. A named ntp-server may be another host with other ports.
  void CheckNtpPort(const KeConfig& ke, const std::string& table) {
    if (!ke.ntp_port || config_.ntp.empty() || !ke.ntp_server.empty()) return;
    for (const NtpConfig& ntp : config_.ntp) {
      for (const IpEndpoint& endpoint : ntp.listen) {
        if (endpoint.port == *ke.ntp_port) return;
      }
    }
    Fail(
        table + ".ntp-port",
        fmt::format("no [[ntp]] table listens on port {}; expected \"auto\" or one of its ports (or name the host that "
                    "does listen there as ntp-server)",
                    *ke.ntp_port));
  }

  // RFC 8633 §3.7.1: a public server must not smear, since its clients mix it with servers that do not.
  void CheckSmear() {
    const bool is_in_a_pool =
        std::any_of(config_.ke.begin(), config_.ke.end(), [](const KeConfig& ke) { return !ke.pool_tokens.empty(); });
    for (std::size_t i = 0; i < config_.ntp.size(); ++i) {
      const NtpConfig& ntp = config_.ntp[i];
      if (ntp.smear == Smear::kNone || ntp.smear_public) continue;
      const auto open = std::find_if(ntp.listen.begin(), ntp.listen.end(),
                                     [](const IpEndpoint& endpoint) { return !IsPrivate(endpoint.address); });
      if (open == ntp.listen.end() && !is_in_a_pool) continue;
      const std::string who = open == ntp.listen.end() ? "[[ke]] serves an NTS pool"
                                                       : fmt::format("{} is not a private address", open->ToString());
      Fail(fmt::format("ntp[{}].smear", i),
           fmt::format("{}, and a server that a public pool may use must not smear; expected \"none\", or private "
                       "addresses only, or smear-public = true in this table if nobody mixes it with other servers",
                       who));
    }
  }

  void CheckNames() {
    for (std::size_t i = 0; i < config_.ke.size(); ++i) {
      const std::string& name = config_.ke[i].ntp_server;
      if (!name.empty() && !IsNtpServerName(name)) {
        Fail(fmt::format("ke[{}].ntp-server", i),
             fmt::format("expected a host name in ASCII or an IP address without zone, at most 99 octets, got {}",
                         QuoteToml(name)));
      }
    }
    const std::string& id = config_.reference.reference_id;
    if (!id.empty() && !ParseReferenceId(id)) {
      Fail("reference.reference-id",
           fmt::format("expected one to four ASCII characters or an IPv4 address, got {}", QuoteToml(id)));
    }
    if (config_.keys.file.empty() && config_.keys.source != KeySourceKind::kEtcd) {
      Fail("keys.file", "expected the name of the key file, got \"\"");
    }
  }

  void CheckLimits() {
    if (config_.limits.ntp.leak + config_.limits.ntp.kod > 1) {
      Fail("limits.ntp.leak", fmt::format("leak {} and kod {} are shares of one excess; expected a sum of at most 1",
                                          config_.limits.ntp.leak, config_.limits.ntp.kod));
    }
    CheckRate("limits.ntp", config_.limits.ntp.rate, config_.limits.ntp.burst);
    CheckRate("limits.ke", config_.limits.ke.rate, config_.limits.ke.burst);
    if (config_.access.allow.empty()) {
      Fail("access.allow", R"(an empty list would refuse everybody; expected prefixes, or ["0.0.0.0/0", "::/0"])");
    }
  }

  // A bucket of tokens has to be full again within a bounded time.
  void CheckRate(const std::string& table, double rate, std::uint32_t burst) {
    const auto policy = RatePolicy::Make({.rate = rate, .burst = burst});
    if (policy) return;
    if (policy.error() == RateLimitsError::kBurst) {
      Fail(table + ".burst", fmt::format("a burst of {} takes more than {} days to refill at {}/s; expected less, or a "
                                         "higher rate",
                                         burst, kRefillTimeMax_s / 86'400, rate));
    } else {
      Fail(table + ".rate", fmt::format("expected 0 (off) or a rate from {} to {}, got {}", kRateMin, kRateMax, rate));
    }
  }

  void CheckControl() {
    const std::string& path = config_.control.socket;
    if (path.empty()) return;
    if (path.front() != '/' || path.size() > kSocketPathSizeMax) {
      Fail("control.socket",
           fmt::format("expected a path from / of at most {} octets, or \"\" for none", kSocketPathSizeMax));
    }
  }

  const Config& config_;
  const ConfigOrigins& origins_;
  std::vector<ConfigError> errors_;
};

}  // namespace

std::uint16_t NtpPortFor(const Config& config, const KeConfig& ke) {
  if (ke.ntp_port) return *ke.ntp_port;
  return config.ntp.empty() || config.ntp.front().listen.empty() ? std::uint16_t{123}
                                                                 : config.ntp.front().listen.front().port;
}

std::vector<ConfigError> RefuseUnbuilt(const Config& config, const ConfigOrigins& origins) {
  std::vector<ConfigError> errors;
  const auto refuse = [&](bool is_asked_for, const std::string& key, std::string_view value, std::string_view instead) {
    if (!is_asked_for) return;
    errors.push_back(origins.ErrorAt(key, fmt::format("{} is not in this version; {}", value, instead)));
  };
  refuse(config.workers.engine == EngineChoice::kXdp, "workers.engine", "\"xdp\"",
         "use \"auto\", \"io_uring\" or \"mmsg\"");
  refuse(config.keys.source == KeySourceKind::kEtcd, "keys.source", "\"etcd\"", "use \"generate\" or \"follow\"");
  return errors;
}

std::vector<ConfigError> WarnOfConfig(const Config& config, const ConfigOrigins& origins) {
  std::vector<ConfigError> warnings;
  const auto look_at = [&](const std::string& key, const WorkerPlan& plan, std::string_view name) {
    if (plan.kind != WorkerPlan::Kind::kCpus || plan.cpus.size() != 1) return;
    const unsigned cpu = plan.cpus.front();
    warnings.push_back(origins.ErrorAt(
        key, cpu == 0 ? fmt::format("\"0\" in quotes is the list of one CPU, number 0: one pinned worker")
                      : fmt::format("\"{0}\" in quotes is the list of one CPU, number {0}: one pinned worker; for {0} "
                                    "worker{1} write {2} = {0}",
                                    cpu, cpu == 1 ? "" : "s", name)));
  };
  look_at("workers.ntp", config.workers.ntp, "ntp");
  look_at("workers.ke", config.workers.ke, "ke");
  return warnings;
}

std::vector<ConfigError> CheckConfig(const Config& config, const ConfigOrigins& origins) {
  std::vector<ConfigError> errors = Checker(config, origins).Run();
  for (ConfigError& error : RefuseUnbuilt(config, origins)) errors.push_back(std::move(error));
  return errors;
}

}  // namespace ntsd
