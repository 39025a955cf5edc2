// Looks for a server's limit, several times, then draws the curve around it: answers and latency against offered rate.
//
// Threads: as RunNtp(). Errors: one line.
#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "bench/load/ntp_run.h"
#include "bench/load/rate_search.h"

namespace ntsd::load {

// One run at one rate, in short.
struct SweepPoint {
  double rate = 0;  // asked for
  double sent_rate = 0;
  double answer_rate = 0;
  double loss = 0;
  Duration p50{}, p90{}, p99{}, p999{}, max{};
  std::optional<double> server_us;    // CPU for each answer
  std::optional<double> server_cpus;  // CPUs that the server kept busy
  double own_us = 0;                  // CPU of ours for each request
  std::uint64_t unexpected = 0;
  bool is_good = false;
  std::vector<std::string> generator_limits;
};

struct SweepResult {
  IpEndpoint server;
  std::vector<double> found;  // one a repetition; zero when no rate was good
  Spread spread;              // of them
  bool hit_the_ceiling = false;
  // What stood in the way at the lowest rate that was not good: the generator, not the server.
  std::vector<std::string> generator_limits;
  std::vector<std::vector<SweepPoint>> searches;
  std::vector<SweepPoint> curve;
  double peak_answer_rate = 0;             // over all points
  std::optional<double> overload_answers;  // answers at twice the found rate, as a share of the peak
};

using RunAt = std::function<Expected<NtpResult, std::string>(double rate, Duration length)>;
using ShowPoint = std::function<void(const SweepPoint&, const std::string& what)>;

SweepPoint MakePoint(double rate, const NtpResult& result, const SweepSettings& settings);
// The rates of the curve around `found`, ascending.
std::vector<double> CurveRates(double found, const SweepSettings& settings);

Expected<SweepResult, std::string> RunSweep(const SweepSettings& settings, const RunAt& run, const ShowPoint& show,
                                            const std::atomic<bool>& stop);

}  // namespace ntsd::load
