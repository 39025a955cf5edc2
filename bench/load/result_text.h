// Results as tables for people, and the line of progress.
//
// Threads: functions of their arguments.
#pragma once

#include <string>

#include "bench/load/ke_run.h"
#include "bench/load/ntp_run.h"
#include "bench/load/sweep.h"

namespace ntsd::load {

std::string NtpText(const NtpResult& result, const NtpSettings& settings);
std::string KeText(const KeResult& result);
std::string SweepText(const SweepResult& result, const SweepSettings& settings);

std::string SweepPointHeading();
std::string SweepPointText(const SweepPoint& point, const std::string& what);
// `sent` and `answered` are called so.
std::string ProgressText(const Progress& progress, const char* sent, const char* answered);

// "812 ns", "15.3 µs", "2.41 ms", "1.20 s".
std::string TimeText(Duration time);
// "950", "12.3 k", "1.23 M".
std::string CountText(double count);

}  // namespace ntsd::load
