// Which CPUs the workers get.
//
// Threads: functions of their arguments, but AvailableCpus(), which asks the kernel. Errors: none.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "server/config/config.h"

namespace ntsd {

struct CpuBudget {
  std::vector<unsigned> cpus;  // that this process may run on; at least one
  std::size_t share = 1;       // how many of them it may use at once: a container's quota
};
// By CPU affinity and by the cgroup's quota.
CpuBudget AvailableCpus();
// The whole CPUs in the text of a cgroup's cpu.max ("250000 100000": 3); nothing when there is no limit.
std::optional<std::size_t> ParseCpuQuota(const std::string& text);

struct Placement {
  // One NTP worker each; nothing = not pinned.
  std::vector<std::optional<unsigned>> ntp;
  std::size_t ke_count = 1;
  std::vector<int> ke_cpus;  // empty: wherever the kernel puts them, at lower priority
};
// "auto": from four CPUs on, NTS-KE gets one in eight (at least one) and NTP the rest; below, NTP gets them all and
// NTS-KE runs beside it at lower priority, because one handshake costs as much as thousands of answers.
Placement PlaceWorkers(const WorkersConfig& config, const CpuBudget& budget);

}  // namespace ntsd
