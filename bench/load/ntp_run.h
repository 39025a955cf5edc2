// One run of the NTP stage: load threads, a line of progress, and what came of it.
//
// Threads: called by main's thread, which waits for the load threads it makes.
// Errors: one line when the run cannot begin.
#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "bench/load/client.h"
#include "bench/load/ntp_worker.h"
#include "bench/load/progress.h"
#include "bench/load/settings.h"
#include "core/base/expected.h"

namespace ntsd::load {

struct NtpResult {
  IpEndpoint server;
  Duration length{};           // of sending
  std::optional<double> rate;  // asked for, a second
  WorkerTotals totals;         // of all threads
  std::optional<Duration> server_cpu;
  std::size_t thread_count = 1;

  double Seconds() const { return std::chrono::duration<double>(length).count(); }
  double OfferedRate() const { return static_cast<double>(totals.due) / Seconds(); }
  double SentRate() const { return static_cast<double>(totals.answers.outcomes.sent()) / Seconds(); }
  double AnswerRate() const { return static_cast<double>(totals.answers.outcomes.answered()) / Seconds(); }
  double LossRatio() const { return totals.answers.outcomes.LossRatio(); }
  // CPU time for each answer; nothing when it is not known.
  std::optional<double> ServerMicrosecondsPerAnswer() const;
  double OwnMicrosecondsPerRequest() const;
};

// Whether as many requests were sent as were wanted, but for one in a hundred and the chance of random arrivals.
bool IsReached(double sent, double wanted);
// Why the figures tell more about the generator than about the server; empty when they do not.
std::vector<std::string> GeneratorLimits(const NtpResult& result, const NtpSettings& settings);

// `clients` are shared out among the threads. `stop` ends the run early.
Expected<NtpResult, std::string> RunNtp(const NtpSettings& settings, const IpEndpoint& server,
                                        std::vector<Client>& clients, std::optional<int> server_pid,
                                        const ShowProgress& show, const std::atomic<bool>& stop);

}  // namespace ntsd::load
