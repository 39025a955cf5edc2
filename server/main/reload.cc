// Service, the part that applies a changed configuration to what runs.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "server/config/changes.h"
#include "server/main/confinement.h"
#include "server/main/report.h"
#include "server/main/service.h"
#include "server/main/settings.h"
#include "server/main/summary.h"

namespace ntsd {
namespace {

// Less than what ntsctl waits for an answer.
constexpr Duration kReloadPatience = std::chrono::seconds(8);

std::string WhyNoReport(Unanswered reason) {
  switch (reason) {
    case Unanswered::kStopped:
      return "the server is stopping";
    case Unanswered::kNotBegun:
      return "an earlier reload or a look at the certificates waits for a disk that does not answer: nothing was done";
    case Unanswered::kUnderWay:
      return "a file is not read to its end, since its disk does not answer: the log will say how this reload went";
  }
  return {};
}

std::string JoinErrors(const std::vector<ConfigError>& errors) {
  std::string text;
  for (const ConfigError& error : errors) text += (text.empty() ? "" : "; ") + error.ToString();
  return text;
}

void AddCertificates(const ke::TlsContext& before, const ke::TlsContext& now,
                     std::vector<ReadCertificateReport>& reports) {
  for (const ke::CertificateInfo& certificate : now.certificates()) {
    const auto& old = before.certificates();
    reports.push_back({.name = CertificateName(certificate),
                       .chain = certificate.chain,
                       .expires_at = UnixSeconds(certificate.not_after),
                       .is_new = std::find(old.begin(), old.end(), certificate) == old.end()});
  }
}

}  // namespace

ReloadReport Service::Reload() {
  const auto pending = std::make_shared<Pending<ReloadReport>>();
  file_thread_->Post([this, pending](bool is_running) {
    if (!is_running) {
      pending->Refuse();
    } else if (pending->Begin()) {
      pending->Finish(ReloadNow());
    }
  });
  auto report = pending->Wait(kReloadPatience);
  if (report) return std::move(*report);
  ReloadReport late;
  late.is_good = false;
  late.problem = WhyNoReport(report.error());
  late.at = UnixSeconds(clock_.Now());
  return late;
}

void Service::PostReload() {
  if (reload_waits_.exchange(true)) return;
  file_thread_->Post([this](bool is_running) {
    reload_waits_ = false;
    if (is_running) ReloadNow();
  });
}

ReloadReport Service::ReloadNow() {
  notifier_.Reloading();
  ReloadReport report;
  auto loaded = LoadConfig(source_.path, source_.overrides);
  if (!loaded) {
    report.is_good = false;
    report.problem = JoinErrors(loaded.error());
  } else {
    report = ReloadFrom(loaded->config);
  }
  ReadLeapList();
  report.at = UnixSeconds(clock_.Now());
  {
    const std::lock_guard lock(config_mutex_);
    ++(report.is_good ? reloads_good_ : reloads_bad_);
    last_reload_ = report;
  }
  if (report.is_good) {
    std::vector<std::string> certificates;
    for (const ReadCertificateReport& certificate : report.certificates) {
      certificates.push_back(CertificateText(certificate.name, certificate.expires_at, report.at) +
                             (certificate.is_new ? ", new" : ", as before"));
    }
    log_.Info("reloaded", {{"applied", fmt::format("{}", fmt::join(report.applied, " "))},
                           {"needs-restart", fmt::format("{}", fmt::join(report.needs_restart, " "))},
                           {"certificates", fmt::format("{}", fmt::join(certificates, "; "))}});
  } else {
    log_.Error("reload refused, nothing has changed", {{"reason", report.problem}});
  }
  notifier_.Ready("serving");
  return report;
}

// Everything is made before anything is put in force, so that a bad part changes nothing.
ReloadReport Service::ReloadFrom(const Config& next) {
  ReloadReport report;
  const auto refuse = [&report](std::string problem) {
    report.is_good = false;
    report.problem = std::move(problem);
    return report;
  };
  const Config merged = MergeReloadable(config_, next);
  const std::vector<KeFilesKept> kept = FilesOutside(merged, sandbox_);
  auto ntp_policy = GuardPolicy::Make(NtpGuardSettings(merged));
  auto ke_policy = GuardPolicy::Make(KeGuardSettings(merged));
  if (!ntp_policy || !ke_policy) return refuse("the limits cannot be kept: rate or burst is out of range");
  std::vector<KePolicy> policies;
  for (std::size_t i = 0; i < merged.ke.size(); ++i) {
    if (!kept[i].certificates) {
      const auto context = ke::TlsContext::Load(CertificatePairs(merged.ke[i]), clock_.Now());
      if (!context) return refuse(context.error());
    }
    auto tokens = kept[i].pool_tokens ? ke_settings_[i].policy.pool_tokens : PoolTokensOf(merged.ke[i]);
    if (!tokens) return refuse(std::move(tokens.error()));
    policies.push_back(KeSettings(merged, merged.ke[i], std::move(*tokens)).policy);
  }
  // Our own keys are in no file that others write.
  if (config_.keys.source == KeySourceKind::kFollow) {
    const auto keys = keeper_->Ask([](KeyKeeper& keeper) { return keeper.Reload(); });
    if (!keys) return refuse(std::string(DescribeUnanswered(keys.error())));
    if (*keys) return refuse((*keys)->text);
  }

  {
    const std::lock_guard lock(config_mutex_);
    ntp_guard_->Reload(std::move(*ntp_policy));
    ke_guard_->Reload(std::move(*ke_policy));
  }
  for (std::size_t i = 0; i < policies.size(); ++i) {
    const auto before = ke_server_->Context(i);
    // They were good a moment ago; should they have changed since, the old ones stay.
    if (!kept[i].certificates) {
      const std::string problem = certificate_keepers_[i]->Reload(CertificatePairs(merged.ke[i]));
      if (!problem.empty()) log_.Error(problem);
    }
    ke_settings_[i].policy = policies[i];
    ke_server_->Use(i, std::move(policies[i]));
    AddCertificates(*before, *ke_server_->Context(i), report.certificates);
  }
  log_.SetLevel(merged.log.level);
  ConfigChanges changes = CompareConfigs(config_, next);
  report.applied = std::move(changes.applied);
  report.needs_restart = std::move(changes.needs_restart);
  Config in_force = KeepFiles(merged, config_, kept, report);
  const std::lock_guard lock(config_mutex_);
  config_ = std::move(in_force);
  return report;
}

}  // namespace ntsd
