#include "bench/load/progress.h"

#include "bench/load/thread_place.h"

namespace ntsd::load {

void WatchProgress(const std::function<Progress()>& sum, MonotonicTime start, Duration length, const ShowProgress& show,
                   const std::atomic<bool>& stop) {
  constexpr Duration kInterval = std::chrono::seconds(1);
  Progress last;
  for (MonotonicTime next = start + kInterval; next < start + length && !stop.load(std::memory_order_relaxed);
       next += kInterval) {
    SleepUntil(next);
    const Progress now = sum();
    show({next - start, now.sent - last.sent, now.answered - last.answered, now.unexpected - last.unexpected});
    last = now;
  }
}

}  // namespace ntsd::load
