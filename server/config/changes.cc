#include "server/config/changes.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "server/config/print.h"

namespace ntsd {
namespace {

using EntryMap = std::map<std::pair<std::string, std::string>, std::string>;

EntryMap ToMap(const Config& config) {
  EntryMap entries;
  for (ConfigEntry& entry : ConfigEntries(config)) {
    entries.emplace(std::pair(std::move(entry.table), std::move(entry.key)), std::move(entry.value));
  }
  return entries;
}

void AddOnce(std::vector<std::string>& names, const std::string& name) {
  if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
}

// Whether both tables are the same service. Another [[ke]] table put in front of it gives it another number, and what
// listens on must not get the certificates of what begins with the next start.
bool IsSameService(const KeConfig& running, const KeConfig& next) { return running.listen == next.listen; }

// The [[ke]] tables of `next` in whose place another service runs.
std::set<std::string> MovedServices(const Config& running, const Config& next) {
  std::set<std::string> moved;
  for (std::size_t i = 0; i < std::min(running.ke.size(), next.ke.size()); ++i) {
    if (!IsSameService(running.ke[i], next.ke[i])) moved.insert(fmt::format("ke[{}]", i));
  }
  return moved;
}

}  // namespace

bool IsReloadable(std::string_view table, std::string_view key) {
  if (table == "access" || table.starts_with("limits.")) return true;
  if (table == "log") return key == "level";
  return table.starts_with("ke[") && (key == "certificates" || key == "pool-tokens");
}

ConfigChanges CompareConfigs(const Config& running, const Config& next) {
  const EntryMap before = ToMap(running);
  ConfigChanges changes;
  std::set<std::string> tables_after;
  const std::set<std::string> moved = MovedServices(running, next);
  for (const ConfigEntry& entry : ConfigEntries(next)) {
    tables_after.insert(entry.table);
    const auto old = before.find({entry.table, entry.key});
    if (old == before.end()) {
      AddOnce(changes.needs_restart, entry.table);
    } else if (old->second != entry.value) {
      const bool applies = IsReloadable(entry.table, entry.key) && !moved.contains(entry.table);
      AddOnce(applies ? changes.applied : changes.needs_restart, fmt::format("{}.{}", entry.table, entry.key));
    }
  }
  for (const auto& [name, value] : before) {
    if (!tables_after.contains(name.first)) AddOnce(changes.needs_restart, name.first);
  }
  return changes;
}

Config MergeReloadable(const Config& running, const Config& next) {
  Config merged = running;
  for (std::size_t i = 0; i < std::min(merged.ke.size(), next.ke.size()); ++i) {
    if (!IsSameService(merged.ke[i], next.ke[i])) continue;
    merged.ke[i].certificates = next.ke[i].certificates;
    merged.ke[i].pool_tokens = next.ke[i].pool_tokens;
  }
  merged.access = next.access;
  merged.limits = next.limits;
  merged.log.level = next.log.level;
  return merged;
}

}  // namespace ntsd
