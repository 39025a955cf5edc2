#include "server/main/placement.h"

#include <sched.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>

namespace ntsd {
namespace {

constexpr std::size_t kSharedCpusMax = 3;  // up to here, NTP and NTS-KE share the CPUs
constexpr std::size_t kCpusPerKeCpu = 8;

std::vector<std::optional<unsigned>> NtpPlaces(const WorkerPlan& plan, const std::vector<unsigned>& automatic,
                                               const CpuBudget& budget) {
  std::vector<std::optional<unsigned>> places;
  switch (plan.kind) {
    case WorkerPlan::Kind::kAuto:
      places.assign(automatic.begin(), automatic.end());
      break;
    case WorkerPlan::Kind::kCpus:
      places.assign(plan.cpus.begin(), plan.cpus.end());
      break;
    case WorkerPlan::Kind::kCount:
      // More workers than CPUs is odd, but it is what was asked for: they go round.
      for (std::size_t i = 0; i < plan.count; ++i) places.emplace_back(budget.cpus[i % budget.cpus.size()]);
      break;
  }
  return places;
}

}  // namespace

std::optional<std::size_t> ParseCpuQuota(const std::string& text) {
  const char* const end = text.data() + text.size();
  std::size_t quota = 0;
  std::size_t period = 0;
  const auto first = std::from_chars(text.data(), end, quota);
  if (first.ec != std::errc() || first.ptr == end || *first.ptr != ' ') return std::nullopt;
  const auto second = std::from_chars(first.ptr + 1, end, period);
  if (second.ec != std::errc() || period == 0 || quota == 0) return std::nullopt;
  return (quota + period - 1) / period;
}

CpuBudget AvailableCpus() {
  CpuBudget budget;
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) == 0) {
    for (unsigned cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (CPU_ISSET(cpu, &set)) budget.cpus.push_back(cpu);
    }
  }
  if (budget.cpus.empty()) budget.cpus.push_back(0);
  budget.share = budget.cpus.size();
  std::ifstream file("/sys/fs/cgroup/cpu.max");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  if (const auto quota = ParseCpuQuota(text)) budget.share = std::min(budget.share, *quota);
  return budget;
}

Placement PlaceWorkers(const WorkersConfig& config, const CpuBudget& budget) {
  std::vector<unsigned> usable(budget.cpus.begin(), budget.cpus.begin() + static_cast<std::ptrdiff_t>(budget.share));
  std::vector<unsigned> reserved;
  if (usable.size() > kSharedCpusMax && config.ke.kind == WorkerPlan::Kind::kAuto) {
    const std::size_t count = std::max<std::size_t>(1, usable.size() / kCpusPerKeCpu);
    reserved.assign(usable.end() - static_cast<std::ptrdiff_t>(count), usable.end());
    usable.resize(usable.size() - count);
  }
  Placement placement;
  placement.ntp = NtpPlaces(config.ntp, usable, budget);
  switch (config.ke.kind) {
    case WorkerPlan::Kind::kAuto:
      placement.ke_cpus.assign(reserved.begin(), reserved.end());
      placement.ke_count = reserved.empty() ? budget.share : reserved.size();
      break;
    case WorkerPlan::Kind::kCpus:
      placement.ke_cpus.assign(config.ke.cpus.begin(), config.ke.cpus.end());
      placement.ke_count = config.ke.cpus.size();
      break;
    case WorkerPlan::Kind::kCount:
      placement.ke_count = config.ke.count;
      break;
  }
  return placement;
}

}  // namespace ntsd
