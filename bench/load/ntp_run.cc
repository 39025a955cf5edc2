#include "bench/load/ntp_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace ntsd::load {
namespace {

// Requests that were sent this much after their time spoil latencies below a millisecond.
constexpr Duration kSendLagMax = std::chrono::microseconds(500);
constexpr double kSentShareMin = 0.99;
constexpr double kStarvedShareMax = 0.001;
constexpr double kLossOfAnIdleServer = 0.001;

void Merge(WorkerTotals& sum, const WorkerTotals& part) {
  sum.answers.outcomes.Merge(part.answers.outcomes);
  sum.answers.latency.Merge(part.answers.latency);
  sum.answers.verified += part.answers.verified;
  sum.answers.interleaved += part.answers.interleaved;
  sum.answers.cookies_taken += part.answers.cookies_taken;
  sum.answers.cookies_opened += part.answers.cookies_opened;
  sum.answers.octets_received += part.answers.octets_received;
  sum.send_lag.Merge(part.send_lag);
  sum.due += part.due;
  sum.starved += part.starved;
  sum.stamps.Merge(part.stamps);
  sum.channel.send_calls += part.channel.send_calls;
  sum.channel.send_failed += part.channel.send_failed;
  sum.channel.refused += part.channel.refused;
  sum.channel.truncated += part.channel.truncated;
  sum.cpu += part.cpu;
}

Progress Sum(const std::vector<std::unique_ptr<NtpWorker>>& workers) {
  Progress sum;
  for (const auto& worker : workers) {
    sum.sent += worker->live().Read(static_cast<std::size_t>(Live::kSent));
    sum.answered += worker->live().Read(static_cast<std::size_t>(Live::kAnswered));
    sum.unexpected += worker->live().Read(static_cast<std::size_t>(Live::kUnexpected));
  }
  return sum;
}

}  // namespace

std::optional<double> NtpResult::ServerMicrosecondsPerAnswer() const {
  // Late answers have cost as much as the others.
  const Outcomes& outcomes = totals.answers.outcomes;
  const std::uint64_t answers = outcomes.answered() + outcomes.count(AnswerKind::kLate);
  if (!server_cpu || answers == 0) return std::nullopt;
  return static_cast<double>(server_cpu->count()) / 1000 / static_cast<double>(answers);
}

double NtpResult::OwnMicrosecondsPerRequest() const {
  const std::uint64_t sent = totals.answers.outcomes.sent();
  return sent == 0 ? 0 : static_cast<double>(totals.cpu.count()) / 1000 / static_cast<double>(sent);
}

bool IsReached(double sent, double wanted) { return sent >= kSentShareMin * wanted - 4 * std::sqrt(wanted); }

std::vector<std::string> GeneratorLimits(const NtpResult& result, const NtpSettings& settings) {
  std::vector<std::string> limits;
  const WorkerTotals& totals = result.totals;
  const auto due = static_cast<double>(totals.due);
  if (settings.rate && !settings.window) {
    const double wanted = *settings.rate * result.Seconds();
    const auto sent = static_cast<double>(totals.answers.outcomes.sent());
    if (!IsReached(sent, wanted)) {
      limits.push_back(fmt::format("it sent {:.1f} % of what was asked for", sent / wanted * 100));
    }
    const Duration lag = totals.send_lag.Percentile(99);
    if (lag > kSendLagMax) {
      limits.push_back(fmt::format("1 % of the requests left {:.2f} ms or more after their time",
                                   std::chrono::duration<double, std::milli>(lag).count()));
    }
  } else if (!settings.window && result.LossRatio() <= kLossOfAnIdleServer) {
    limits.push_back("the server answered all that it could offer");
  }
  if (static_cast<double>(totals.starved) > kStarvedShareMax * due) {
    limits.push_back(fmt::format("{} requests had no cookie to spend: take more clients", totals.starved));
  }
  if (totals.channel.send_failed > 0) {
    limits.push_back(fmt::format("the kernel did not take {} requests", totals.channel.send_failed));
  }
  return limits;
}

Expected<NtpResult, std::string> RunNtp(const NtpSettings& settings, const IpEndpoint& server,
                                        std::vector<Client>& clients, std::optional<int> server_pid,
                                        const ShowProgress& show, const std::atomic<bool>& stop) {
  const std::size_t thread_count = std::min(settings.thread_count, clients.size());
  std::vector<std::unique_ptr<NtpWorker>> workers;
  for (std::size_t i = 0; i < thread_count; ++i) {
    const std::size_t first = clients.size() * i / thread_count;
    const std::size_t last = clients.size() * (i + 1) / thread_count;
    auto worker = NtpWorker::Make(settings, server, std::span(clients).subspan(first, last - first), i);
    if (!worker) return Unexpected(std::move(worker.error()));
    workers.push_back(*std::move(worker));
  }
  LapPlan plan{.threads = {}, .sum = [&] { return Sum(workers); }, .length = settings.length, .server_pid = server_pid};
  for (const auto& worker : workers) {
    plan.threads.emplace_back([&stop, one = worker.get()](MonotonicTime start) { one->Run(start, stop); });
  }
  const Lap lap = RunTogether(plan, show, stop);

  NtpResult result;
  result.server = server;
  result.length = lap.length;
  result.server_cpu = lap.server_cpu;
  result.rate = settings.window ? std::nullopt : settings.rate;
  result.thread_count = thread_count;
  for (const auto& worker : workers) Merge(result.totals, worker->totals());
  result.totals.answers.outcomes.Settle();
  return result;
}

}  // namespace ntsd::load
