// The sweep over a server that is a formula: what it can do is known, so what the sweep says can be checked.
#include "bench/load/sweep.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace ntsd::load {
namespace {

// Answers `limit` requests a second; beyond twice that it collapses to `collapsed`. The generator sends `most` at best.
struct Formula {
  double limit = 100'000;
  double collapsed = 100'000;
  double most = 1e9;
  int runs = 0;

  Expected<NtpResult, std::string> Run(double rate, Duration length) {
    ++runs;
    NtpResult result;
    result.length = length;
    const double sent = std::min(rate, most) * result.Seconds();
    const double able = (rate >= 2 * limit ? collapsed : limit) * result.Seconds();
    Outcomes& outcomes = result.totals.answers.outcomes;
    for (double i = 0; i < sent; ++i) outcomes.Sent(RequestKind::kGood);
    outcomes.Count(RequestKind::kGood, AnswerKind::kOk, static_cast<std::uint64_t>(std::min(sent, able)));
    outcomes.Settle();
    result.totals.due = static_cast<std::uint64_t>(sent);
    result.totals.answers.latency.Record(sent > able ? std::chrono::milliseconds(50) : std::chrono::microseconds(80));
    result.server_cpu = std::chrono::milliseconds(10);
    return result;
  }
};

SweepSettings Settings() {
  SweepSettings settings;
  settings.repeats = 3;
  settings.step_length = std::chrono::milliseconds(200);
  return settings;
}

SweepResult Sweep(const SweepSettings& settings, Formula& formula) {
  const std::atomic<bool> stop{false};
  const auto result = RunSweep(
      settings, [&](double rate, Duration length) { return formula.Run(rate, length); },
      [](const SweepPoint&, const std::string&) {}, stop);
  EXPECT_TRUE(result);
  return result ? *result : SweepResult{};
}

TEST(Sweep, FindsTheLimitEachTimeAndDrawsTheCurveBeyondIt) {
  Formula formula;
  const SweepResult result = Sweep(Settings(), formula);
  ASSERT_EQ(result.found.size(), 3U);
  EXPECT_NEAR(result.spread.median, 100'000, 2500);
  EXPECT_FALSE(result.hit_the_ceiling);
  ASSERT_FALSE(result.curve.empty());
  EXPECT_NEAR(result.curve.back().rate, 4 * result.spread.median, 1);
  EXPECT_NEAR(result.peak_answer_rate, 100'000, 100);
  ASSERT_TRUE(result.overload_answers);
  EXPECT_NEAR(*result.overload_answers, 1, 0.01);
  EXPECT_TRUE(result.generator_limits.empty());
  EXPECT_TRUE(result.curve.front().server_us);
}

TEST(Sweep, ShowsACollapse) {
  Formula formula{.collapsed = 40'000};
  SweepSettings settings = Settings();
  settings.repeats = 1;
  settings.precision = 0.001;
  const SweepResult result = Sweep(settings, formula);
  ASSERT_TRUE(result.overload_answers);
  EXPECT_NEAR(*result.overload_answers, 0.4, 0.62) << "at twice the found rate, which is just below the collapse";
  EXPECT_NEAR(result.curve.back().answer_rate, 40'000, 100);
}

TEST(Sweep, SaysThatTheGeneratorWasTheLimit) {
  Formula formula{.limit = 1e9, .collapsed = 1e9, .most = 60'000};
  SweepSettings settings = Settings();
  settings.repeats = 1;
  const SweepResult result = Sweep(settings, formula);
  EXPECT_NEAR(result.spread.median, 60'000, 3000) << "what was reached";
  EXPECT_FALSE(result.generator_limits.empty());
}

TEST(Sweep, ADeadServerHasNoRate) {
  Formula formula{.limit = 0, .collapsed = 0};
  const SweepResult result = Sweep(Settings(), formula);
  EXPECT_EQ(result.spread.median, 0);
  EXPECT_TRUE(result.curve.empty());
}

TEST(Sweep, StopsWhenToldTo) {
  Formula formula;
  std::atomic<bool> stop{false};
  const auto result = RunSweep(
      Settings(),
      [&](double rate, Duration length) {
        stop = true;
        return formula.Run(rate, length);
      },
      [](const SweepPoint&, const std::string&) {}, stop);
  EXPECT_FALSE(result);
  EXPECT_EQ(formula.runs, 1);
}

TEST(GeneratorLimits, ToleratesTheChanceOfRandomArrivals) {
  EXPECT_TRUE(IsReached(1960, 2000)) << "less than one standard deviation below";
  EXPECT_FALSE(IsReached(1700, 2000));
  EXPECT_TRUE(IsReached(991'000, 1'000'000));
  EXPECT_FALSE(IsReached(980'000, 1'000'000));
}

}  // namespace
}  // namespace ntsd::load
