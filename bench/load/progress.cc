#include "bench/load/progress.h"

#include <algorithm>
#include <thread>

#include "bench/load/cpu_meter.h"
#include "bench/load/thread_place.h"

namespace ntsd::load {
namespace {

// Room for the threads to find their places.
constexpr Duration kLeadTime = std::chrono::milliseconds(20);
constexpr Duration kShowInterval = std::chrono::seconds(1);

void Watch(const LapPlan& plan, MonotonicTime start, const ShowProgress& show, const std::atomic<bool>& stop) {
  Progress last;
  for (MonotonicTime next = start + kShowInterval; next < start + plan.length && !stop.load(std::memory_order_relaxed);
       next += kShowInterval) {
    SleepUntil(next);
    const Progress now = plan.sum();
    show({next - start, now.sent - last.sent, now.answered - last.answered, now.unexpected - last.unexpected});
    last = now;
  }
}

}  // namespace

Lap RunTogether(const LapPlan& plan, const ShowProgress& show, const std::atomic<bool>& stop) {
  const auto server_cpu = [&] { return plan.server_pid ? ProcessCpuTime(*plan.server_pid) : std::nullopt; };
  const MonotonicTime start = std::chrono::steady_clock::now() + kLeadTime;
  std::vector<std::thread> threads;
  threads.reserve(plan.threads.size());
  for (const auto& work : plan.threads) threads.emplace_back(work, start);
  SleepUntil(start);
  const std::optional<Duration> cpu_before = server_cpu();
  Watch(plan, start, show, stop);
  for (std::thread& thread : threads) thread.join();
  const std::optional<Duration> cpu_after = server_cpu();
  Lap lap;
  lap.length = std::min<Duration>(plan.length, std::chrono::steady_clock::now() - start);
  if (cpu_before && cpu_after) lap.server_cpu = *cpu_after - *cpu_before;
  return lap;
}

}  // namespace ntsd::load
