// CPU time: of this thread, and of a server's process with all its threads.
//
// Threads: any. Errors: nothing, when the process is not there or may not be looked at.
#pragma once

#include <optional>
#include <string>

#include "core/base/time.h"

namespace ntsd::load {

Duration ThreadCpuTime();

// What the process `pid` has used: the sum over its threads in nanoseconds where the kernel tells (schedstat), else in
// clock ticks. Time of threads that have ended in between is missing from the former.
std::optional<Duration> ProcessCpuTime(int pid);

// The parts of it that can be tested without a process: the first figure of a schedstat line (ns), and user and system
// time of a stat line (ticks).
std::optional<Duration> ParseSchedstat(const std::string& line);
std::optional<Duration> ParseStat(const std::string& line, long ticks_per_second);

}  // namespace ntsd::load
