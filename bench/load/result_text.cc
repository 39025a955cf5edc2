#include "bench/load/result_text.h"

#include <fmt/format.h>

#include <cmath>

namespace ntsd::load {
namespace {

constexpr int kLabelWidth = 14;

std::string Line(const std::string& label, const std::string& text) {
  return fmt::format("  {:<{}}{}\n", label, kLabelWidth, text);
}

std::string LatencyRow(const std::string& label, const Histogram& histogram) {
  if (histogram.count() == 0) return {};
  return fmt::format("  {:<{}}{:>10} {:>10} {:>10} {:>10} {:>10}\n", label, kLabelWidth,
                     TimeText(histogram.Percentile(50)), TimeText(histogram.Percentile(90)),
                     TimeText(histogram.Percentile(99)), TimeText(histogram.Percentile(99.9)),
                     TimeText(histogram.max()));
}

std::string LatencyHeading() {
  return fmt::format("  {:<{}}{:>10} {:>10} {:>10} {:>10} {:>10}\n", "", kLabelWidth, "p50", "p90", "p99", "p99.9",
                     "max");
}

std::string SamplesRow(const std::string& label, const Samples& samples) {
  const Samples::Summary s = samples.Summarize();
  if (s.count == 0) return {};
  return fmt::format("  {:<{}}{:>10} {:>10} {:>10} {:>10} {:>10}\n", label, kLabelWidth, TimeText(s.p1),
                     TimeText(s.p10), TimeText(s.median), TimeText(s.p90), TimeText(s.p99));
}

std::string OutcomeTable(const Outcomes& outcomes) {
  std::string text;
  for (std::size_t r = 0; r < kRequestKindCount; ++r) {
    const auto request = static_cast<RequestKind>(r);
    if (outcomes.sent(request) == 0 && r > 0) continue;
    text += fmt::format("  {:<{}}{} sent:", RequestKindName(request), kLabelWidth, outcomes.sent(request));
    for (std::size_t i = 0; i < kAnswerKindCount; ++i) {
      const auto kind = static_cast<AnswerKind>(i);
      const std::uint64_t count = outcomes.count(request, kind);
      if (count == 0) continue;
      text += fmt::format("  {} {}", AnswerKindName(kind), count);
      if (outcomes.sent(request) > 0) {
        text +=
            fmt::format(" ({:.2f} %)", static_cast<double>(count) * 100 / static_cast<double>(outcomes.sent(request)));
      }
    }
    text += "\n";
  }
  return text;
}

std::string LimitsText(const std::vector<std::string>& limits) {
  std::string text;
  for (const std::string& limit : limits) text += fmt::format("  ! the generator was the limit: {}\n", limit);
  return text;
}

std::string CpuText(Duration cpu, double seconds) {
  return fmt::format("{:.2f} s ({:.0f} % of a CPU)", std::chrono::duration<double>(cpu).count(),
                     std::chrono::duration<double>(cpu).count() / seconds * 100);
}

std::string ServerCpu(const std::optional<Duration>& cpu, double seconds, const std::optional<double>& each_us,
                      const char* what) {
  if (!cpu) return {};
  std::string text = CpuText(*cpu, seconds);
  if (each_us) text += fmt::format(", {:.2f} µs {}", *each_us, what);
  return Line("server CPU", text);
}

std::string StampsText(const StampQuality& stamps) {
  std::string text = fmt::format("\n  {:<{}}{:>10} {:>10} {:>10} {:>10} {:>10}\n", "stamps", kLabelWidth, "p1", "p10",
                                 "p50", "p90", "p99");
  text += SamplesRow("T2 - sent", stamps.receive_error);
  text += SamplesRow("received - T3", stamps.transmit_error);
  text += SamplesRow("offset error", stamps.offset_error);
  if (stamps.incomplete > 0) text += Line("", fmt::format("{} exchanges without all stamps", stamps.incomplete));
  return text;
}

}  // namespace

std::string TimeText(Duration time) {
  const double ns = static_cast<double>(time.count());
  const double size = std::abs(ns);
  if (size < 1e3) return fmt::format("{:.0f} ns", ns);
  if (size < 1e6) return fmt::format("{:.1f} µs", ns / 1e3);
  if (size < 1e9) return fmt::format("{:.2f} ms", ns / 1e6);
  return fmt::format("{:.2f} s", ns / 1e9);
}

std::string CountText(double count) {
  if (count < 1e4) return fmt::format("{:.0f}", count);
  if (count < 1e6) return fmt::format("{:.1f} k", count / 1e3);
  return fmt::format("{:.3f} M", count / 1e6);
}

std::string NtpText(const NtpResult& result, const NtpSettings& settings) {
  const WorkerTotals& totals = result.totals;
  const double seconds = result.Seconds();
  std::string text = fmt::format(
      "\n{} for {:.1f} s, {}\n", result.server.ToString(), seconds,
      settings.is_plain ? fmt::format("plain NTPv{}", settings.version) : fmt::format("NTS, AEAD {}", settings.aead));
  text += Line("offered", CountText(result.OfferedRate()) + "/s");
  text += Line("sent", CountText(result.SentRate()) + "/s");
  text +=
      Line("answered", fmt::format("{}/s, loss {:.3f} %", CountText(result.AnswerRate()), result.LossRatio() * 100));
  text += OutcomeTable(totals.answers.outcomes);
  if (!settings.is_plain && !settings.is_echo) {
    text += Line("verified",
                 fmt::format("{} answers; {} cookies taken from answers, {} of them spent and opened",
                             totals.answers.verified, totals.answers.cookies_taken, totals.answers.cookies_opened));
  }
  if (settings.is_interleaved) text += Line("interleaved", fmt::format("{} answers", totals.answers.interleaved));
  text +=
      "\n" + LatencyHeading() + LatencyRow("latency", totals.answers.latency) + LatencyRow("send lag", totals.send_lag);
  if (settings.stamp_every != 0) text += StampsText(totals.stamps);
  text += "\n" + Line("own CPU", fmt::format("{}, {:.2f} µs a request", CpuText(totals.cpu, seconds),
                                             result.OwnMicrosecondsPerRequest()));
  text += ServerCpu(result.server_cpu, seconds, result.ServerMicrosecondsPerAnswer(), "an answer");
  if (totals.channel.refused > 0)
    text += Line("", fmt::format("{} times: nobody listens on that port", totals.channel.refused));
  return text + LimitsText(GeneratorLimits(result, settings));
}

std::string KeText(const KeResult& result) {
  const KeTotals& totals = result.totals;
  const double seconds = result.Seconds();
  std::string text = fmt::format("\n{} for {:.1f} s, NTS-KE\n", result.server.ToString(), seconds);
  text +=
      Line("begun", fmt::format("{}, {}/s", totals.started, CountText(static_cast<double>(totals.started) / seconds)));
  text += Line("with cookies", fmt::format("{:.1f}/s", result.OkRate()));
  for (std::size_t b = 0; b < kKeBehaviourCount; ++b) {
    const auto behaviour = static_cast<KeBehaviour>(b);
    if (totals.ended(behaviour) == 0) continue;
    text += fmt::format("  {:<{}}{} ended:", KeBehaviourName(behaviour), kLabelWidth, totals.ended(behaviour));
    for (std::size_t i = 0; i < kKeEndingCount; ++i) {
      const auto ending = static_cast<KeEnding>(i);
      if (totals.count(behaviour, ending) > 0) {
        text += fmt::format("  {} {}", KeEndingName(ending), totals.count(behaviour, ending));
      }
    }
    text += "\n";
  }
  text += "\n" + LatencyHeading() + LatencyRow("connect", totals.connect) + LatencyRow("tls", totals.tls) +
          LatencyRow("exchange", totals.exchange) + LatencyRow("all", totals.total) +
          LatencyRow("send lag", totals.send_lag) + LatencyRow("misbehaving", totals.held);
  text += "\n" + Line("own CPU", CpuText(totals.cpu, seconds));
  text += ServerCpu(result.server_cpu, seconds, result.ServerMicrosecondsPerHandshake(), "a handshake");
  if (!result.last_problem.empty()) text += Line("last failure", result.last_problem);
  return text + LimitsText(GeneratorLimits(result));
}

std::string SweepPointHeading() {
  return fmt::format("{:<10} {:>10} {:>10} {:>10} {:>9} {:>10} {:>10} {:>10} {:>8}\n", "", "offered/s", "sent/s",
                     "answers/s", "loss", "p50", "p99", "p99.9", "µs each");
}

std::string SweepPointText(const SweepPoint& point, const std::string& what) {
  return fmt::format("{:<10} {:>10} {:>10} {:>10} {:>7.3f} % {:>10} {:>10} {:>10} {:>8} {:<4} {}\n", what,
                     CountText(point.rate), CountText(point.sent_rate), CountText(point.answer_rate), point.loss * 100,
                     TimeText(point.p50), TimeText(point.p99), TimeText(point.p999),
                     point.server_us ? fmt::format("{:.2f}", *point.server_us) : "-", point.is_good ? "good" : "",
                     point.generator_limits.empty() ? "" : "generator");
}

std::string SweepText(const SweepResult& result, const SweepSettings& settings) {
  std::string text = fmt::format("\n{}: loss ≤ {:.2f} % and p99 ≤ {}\n", result.server.ToString(),
                                 settings.loss_max * 100, TimeText(settings.p99_max));
  if (result.spread.median == 0) {
    text += Line("highest rate", "none: even the lowest was too much");
  } else {
    text += Line("highest rate",
                 fmt::format("{}/s (median of {}; {} to {}){}", CountText(result.spread.median), result.found.size(),
                             CountText(result.spread.least), CountText(result.spread.most),
                             result.hit_the_ceiling ? ", as far as was asked" : ""));
  }
  text += Line("peak", CountText(result.peak_answer_rate) + " answers/s");
  if (result.overload_answers) {
    text +=
        Line("overload", fmt::format("at twice the highest rate {:.1f} % of the peak", *result.overload_answers * 100));
  }
  return text + LimitsText(result.generator_limits);
}

std::string ProgressText(const Progress& progress, const char* sent, const char* answered) {
  std::string text = fmt::format(
      "{:>5.0f} s  {} {:>9}  {} {:>9}", std::chrono::duration<double>(progress.elapsed).count(), sent,
      CountText(static_cast<double>(progress.sent)), answered, CountText(static_cast<double>(progress.answered)));
  if (progress.unexpected > 0) text += fmt::format("  unexpected {}", progress.unexpected);
  return text;
}

}  // namespace ntsd::load
