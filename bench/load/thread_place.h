// Where and how exactly a load thread runs.
//
// Threads: the calling one. Errors: a CPU that is not to be had is passed over: the result names the CPUs asked for.
#pragma once

#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>

#include <ctime>
#include <vector>

#include "core/base/time.h"

namespace ntsd::load {

// Onto the index-th of `cpus`, in turn, when there are any; and timers of this thread end at their time, not 50 µs
// later.
inline void PlaceThread(const std::vector<int>& cpus, std::size_t index) {
  prctl(PR_SET_TIMERSLACK, 1);
  if (cpus.empty()) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<std::size_t>(cpus[index % cpus.size()]), &set);
  pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
}

inline void SleepUntil(MonotonicTime time) {
  const Duration since_epoch = time.time_since_epoch();
  const timespec until{.tv_sec = since_epoch.count() / 1'000'000'000, .tv_nsec = since_epoch.count() % 1'000'000'000};
  // Ends: signals interrupt it, so it is asked again.
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr) != 0) {
  }
}

}  // namespace ntsd::load
