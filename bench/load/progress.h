// What is known of a run while it lasts, told once a second.
//
// Threads: main's waits here while the load threads work.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>

#include "core/base/time.h"

namespace ntsd::load {

struct Progress {
  Duration elapsed{};
  std::uint64_t sent = 0;
  std::uint64_t answered = 0;
  std::uint64_t unexpected = 0;
};
using ShowProgress = std::function<void(const Progress&)>;

// Shows every second what `sum` has grown by, until the run is over or `stop` is set. `sum` gives the totals so far.
void WatchProgress(const std::function<Progress()>& sum, MonotonicTime start, Duration length, const ShowProgress& show,
                   const std::atomic<bool>& stop);

}  // namespace ntsd::load
