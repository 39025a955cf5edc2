#include "bench/load/sweep.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace ntsd::load {
namespace {

// A rate that fails by a hiccup of the machine gets one more chance.
constexpr int kTries = 2;
// Multiples of the found rate. Those beyond one show what overload does.
constexpr std::array kCurve{0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0};

class Sweep {
 public:
  Sweep(const SweepSettings& settings, const RunAt& run, const ShowPoint& show, const std::atomic<bool>& stop)
      : settings_(settings), run_(run), show_(show), stop_(stop) {}

  // Each: an empty text, or what went wrong.
  std::string Search(unsigned repetition);
  std::string Draw();
  SweepResult Finish();

 private:
  Expected<SweepPoint, std::string> Try(double rate, const std::string& what);
  void Remember(const SweepPoint& point) {
    result_.peak_answer_rate = std::max(result_.peak_answer_rate, point.answer_rate);
  }

  const SweepSettings& settings_;
  const RunAt& run_;
  const ShowPoint& show_;
  const std::atomic<bool>& stop_;
  SweepResult result_;
};

Expected<SweepPoint, std::string> Sweep::Try(double rate, const std::string& what) {
  SweepPoint point;
  for (int i = 0; i < kTries; ++i) {
    Expected<NtpResult, std::string> result = run_(rate, settings_.step_length);
    if (!result) return Unexpected(std::move(result.error()));
    result_.server = result->server;
    point = MakePoint(rate, *result, settings_);
    Remember(point);
    if (point.is_good || stop_.load(std::memory_order_relaxed)) break;
  }
  show_(point, what);
  return point;
}

std::string Sweep::Search(unsigned repetition) {
  RateSearch search(settings_.rate_min, settings_.rate_max, settings_.precision);
  std::vector<SweepPoint> points;
  std::vector<std::string> limits;
  // Ends: every step doubles the rate up to a bound, or narrows the gap.
  while (const std::optional<double> rate = search.Next()) {
    Expected<SweepPoint, std::string> point = Try(*rate, fmt::format("search {}", repetition + 1));
    if (!point) return std::move(point.error());
    if (stop_.load(std::memory_order_relaxed)) return "interrupted";
    search.Tell(point->is_good);
    if (!point->is_good) limits = point->generator_limits;
    points.push_back(*std::move(point));
  }
  result_.found.push_back(search.found().value_or(0));
  result_.hit_the_ceiling |= search.hit_the_ceiling();
  if (!limits.empty()) result_.generator_limits = limits;
  result_.searches.push_back(std::move(points));
  return {};
}

std::string Sweep::Draw() {
  result_.spread = SpreadOf(result_.found);
  if (!settings_.has_curve || result_.spread.median == 0) return {};
  for (const double rate : CurveRates(result_.spread.median, settings_)) {
    Expected<NtpResult, std::string> run = run_(rate, settings_.step_length);
    if (!run) return std::move(run.error());
    if (stop_.load(std::memory_order_relaxed)) return "interrupted";
    SweepPoint point = MakePoint(rate, *run, settings_);
    Remember(point);
    show_(point, "curve");
    result_.curve.push_back(std::move(point));
  }
  return {};
}

SweepResult Sweep::Finish() {
  for (const SweepPoint& point : result_.curve) {
    const double multiple = point.rate / result_.spread.median;
    // Less than the peak was offered: that is no overload.
    if (std::abs(multiple - 2) < 0.01 && result_.peak_answer_rate > 0 && point.sent_rate >= result_.peak_answer_rate) {
      result_.overload_answers = point.answer_rate / result_.peak_answer_rate;
    }
  }
  return std::move(result_);
}

}  // namespace

SweepPoint MakePoint(double rate, const NtpResult& result, const SweepSettings& settings) {
  const Histogram& latency = result.totals.answers.latency;
  SweepPoint point;
  point.rate = rate;
  point.sent_rate = result.SentRate();
  point.answer_rate = result.AnswerRate();
  point.loss = result.LossRatio();
  point.p50 = latency.Percentile(50);
  point.p90 = latency.Percentile(90);
  point.p99 = latency.Percentile(99);
  point.p999 = latency.Percentile(99.9);
  point.max = latency.max();
  point.server_us = result.ServerMicrosecondsPerAnswer();
  if (result.server_cpu) {
    point.server_cpus = std::chrono::duration<double>(*result.server_cpu).count() / result.Seconds();
  }
  point.own_us = result.OwnMicrosecondsPerRequest();
  point.unexpected = result.totals.answers.outcomes.unexpected();
  NtpSettings asked = settings.ntp;
  asked.rate = rate;
  point.generator_limits = GeneratorLimits(result, asked);
  // A rate that the generator did not reach says nothing good about the server.
  const bool is_reached = IsReached(point.sent_rate * result.Seconds(), rate * result.Seconds());
  point.is_good = latency.count() > 0 && point.loss <= settings.loss_max && point.p99 <= settings.p99_max && is_reached;
  return point;
}

std::vector<double> CurveRates(double found, const SweepSettings& settings) {
  std::vector<double> rates;
  for (const double multiple : kCurve) {
    if (multiple <= settings.overload_max + 1e-9) rates.push_back(found * multiple);
  }
  return rates;
}

Expected<SweepResult, std::string> RunSweep(const SweepSettings& settings, const RunAt& run, const ShowPoint& show,
                                            const std::atomic<bool>& stop) {
  Sweep sweep(settings, run, show, stop);
  for (unsigned i = 0; i < settings.repeats; ++i) {
    if (std::string problem = sweep.Search(i); !problem.empty()) return Unexpected(std::move(problem));
  }
  if (std::string problem = sweep.Draw(); !problem.empty()) return Unexpected(std::move(problem));
  return sweep.Finish();
}

}  // namespace ntsd::load
