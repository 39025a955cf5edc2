// Results as JSON: everything that was asked, found and known about the machine.
//
// Threads: functions of their arguments.
#pragma once

#include <string>

#include "bench/load/command_line.h"
#include "bench/load/host_facts.h"
#include "bench/load/ke_run.h"
#include "bench/load/ntp_run.h"
#include "bench/load/sweep.h"

namespace ntsd::load {

std::string NtpJson(const NtpResult& result, const NtpSettings& settings, const Target& target, const HostFacts& host);
std::string KeJson(const KeResult& result, const KeSettings& settings, const Target& target, const HostFacts& host);
std::string SweepJson(const SweepResult& result, const SweepSettings& settings, const Target& target,
                      const HostFacts& host);

}  // namespace ntsd::load
