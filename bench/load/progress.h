// Load threads that run together: begun at one moment, watched once a second, and the server's CPU time measured
// meanwhile.
//
// Threads: main's, which waits here until all are done.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "core/base/time.h"

namespace ntsd::load {

// What is known of a run while it lasts.
struct Progress {
  Duration elapsed{};
  std::uint64_t sent = 0;
  std::uint64_t answered = 0;
  std::uint64_t unexpected = 0;
};
using ShowProgress = std::function<void(const Progress&)>;

struct Lap {
  Duration length{};  // what was asked for, or less when it was stopped early
  std::optional<Duration> server_cpu;
};

struct LapPlan {
  // Each in a thread of its own: works from the given moment on, until it is done or `stop` is set.
  std::vector<std::function<void(MonotonicTime start)>> threads;
  // The totals so far; shown is what they have grown by in a second.
  std::function<Progress()> sum;
  Duration length{};
  std::optional<int> server_pid;
};

Lap RunTogether(const LapPlan& plan, const ShowProgress& show, const std::atomic<bool>& stop);

}  // namespace ntsd::load
