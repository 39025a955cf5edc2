#include "server/main/confinement.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "server/sandbox/file_places.h"

namespace ntsd {
namespace {

class Grants {
 public:
  void Add(const std::string& file, Reach reach) {
    if (file.empty()) return;
    for (const std::string& place : PlacesOf(file)) AddDirectory(place, reach);
  }
  std::vector<DirectoryGrant> Take() { return std::move(grants_); }

 private:
  void AddDirectory(const std::string& directory, Reach reach) {
    DirectoryGrant grant{.directory = directory, .reach = reach};
    if (std::find(grants_.begin(), grants_.end(), grant) == grants_.end()) grants_.push_back(std::move(grant));
  }

  std::vector<DirectoryGrant> grants_;
};

bool AreOutside(const KeConfig& table, const Sandbox& sandbox) {
  return std::any_of(table.certificates.begin(), table.certificates.end(), [&](const CertificateConfig& certificate) {
    return sandbox.KeepsFromUs(certificate.chain) || sandbox.KeepsFromUs(certificate.key);
  });
}

void MoveToRestart(ReloadReport& report, const std::string& key) {
  std::erase(report.applied, key);
  report.needs_restart.push_back(key + " (a file outside the directories of the sandbox)");
}

}  // namespace

std::vector<DirectoryGrant> GrantsFor(const Config& config, const std::string& config_path) {
  Grants grants;
  grants.Add(config_path, Reach::kRead);
  for (const KeConfig& table : config.ke) {
    for (const CertificateConfig& certificate : table.certificates) {
      grants.Add(certificate.chain, Reach::kRead);
      grants.Add(certificate.key, Reach::kRead);
    }
    grants.Add(table.pool_tokens, Reach::kRead);
  }
  grants.Add(config.keys.file, config.keys.source == KeySourceKind::kGenerate ? Reach::kWrite : Reach::kRead);
  grants.Add(config.reference.leap_seconds, Reach::kRead);
  grants.Add(config.control.socket, Reach::kRemove);
  return grants.Take();
}

std::string DescribeConfinement(const Config& config, const Sandbox& sandbox, CapabilitiesLeft capabilities,
                                const std::string& engine) {
  std::vector<std::string> parts;
  parts.emplace_back(geteuid() == 0 ? "root" : "unprivileged user");
  parts.emplace_back(capabilities == CapabilitiesLeft::kNone ? "no capabilities" : "file access of root");
  parts.emplace_back("no new privileges");
  if (engine == "io_uring") parts.emplace_back("restricted rings");
  if (config.process.lock_memory) parts.emplace_back("locked keys");
  parts.insert(parts.end(), sandbox.in_force().begin(), sandbox.in_force().end());
  if (config.process.sandbox == SandboxMode::kOff) parts.emplace_back("otherwise off");
  std::string text = fmt::format("{}", fmt::join(parts, ", "));
  if (!sandbox.missing().empty()) text += fmt::format("; missing: {}", fmt::join(sandbox.missing(), ", "));
  return text;
}

std::string WhyNotStrict(const Sandbox& sandbox, CapabilitiesLeft capabilities) {
  std::vector<std::string> missing = sandbox.missing();
  if (capabilities != CapabilitiesLeft::kNone) missing.emplace_back("a user without privileges (process.user)");
  if (missing.empty()) return {};
  return fmt::format("process.sandbox = \"strict\" is not possible here; missing: {}; \"auto\" takes what there is",
                     fmt::join(missing, ", "));
}

std::vector<KeFilesKept> FilesOutside(const Config& next, const Sandbox& sandbox) {
  std::vector<KeFilesKept> kept;
  for (const KeConfig& table : next.ke) {
    kept.push_back({.certificates = AreOutside(table, sandbox),
                    .pool_tokens = !table.pool_tokens.empty() && sandbox.KeepsFromUs(table.pool_tokens)});
  }
  return kept;
}

Config KeepFiles(Config next, const Config& running, const std::vector<KeFilesKept>& kept, ReloadReport& report) {
  for (std::size_t i = 0; i < kept.size(); ++i) {
    if (kept[i].certificates) {
      next.ke[i].certificates = running.ke[i].certificates;
      MoveToRestart(report, fmt::format("ke[{}].certificates", i));
    }
    if (kept[i].pool_tokens) {
      next.ke[i].pool_tokens = running.ke[i].pool_tokens;
      MoveToRestart(report, fmt::format("ke[{}].pool-tokens", i));
    }
  }
  return next;
}

}  // namespace ntsd
