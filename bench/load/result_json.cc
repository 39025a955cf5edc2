#include "bench/load/result_json.h"

#include <nlohmann/json.hpp>

namespace ntsd::load {
namespace {

using Json = nlohmann::ordered_json;

// Times are microseconds everywhere in the JSON, unless the name says otherwise.
double Us(Duration time) { return static_cast<double>(time.count()) / 1000; }
double S(Duration time) { return std::chrono::duration<double>(time).count(); }

template <typename Value>
Json OrNull(const std::optional<Value>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json ToJson(const HostFacts& host) {
  return {{"date", host.date},
          {"ntsload", host.version},
          {"command", host.command},
          {"kernel", host.kernel},
          {"machine", host.machine},
          {"cpu", host.cpu_model},
          {"cpus", host.cpu_count},
          {"cpus_allowed", host.cpus_allowed},
          {"governor", host.governor},
          {"mitigations", host.mitigations},
          {"virtual", host.virtual_machine},
          {"load_average", host.load_average},
          {"aead_implementation", host.aead}};
}

Json ToJson(const Histogram& histogram) {
  Json steps = Json::array();
  for (const Histogram::Step& step : histogram.Steps()) steps.push_back(Json::array({step.percent, Us(step.value)}));
  return {{"count", histogram.count()},
          {"min_us", Us(histogram.min())},
          {"mean_us", Us(histogram.mean())},
          {"p50_us", Us(histogram.Percentile(50))},
          {"p90_us", Us(histogram.Percentile(90))},
          {"p99_us", Us(histogram.Percentile(99))},
          {"p99.9_us", Us(histogram.Percentile(99.9))},
          {"max_us", Us(histogram.max())},
          {"percentiles", steps}};
}

Json ToJson(const Samples& samples) {
  const Samples::Summary summary = samples.Summarize();
  return {{"count", summary.count},
          {"min_us", Us(summary.min)},
          {"p1_us", Us(summary.p1)},
          {"p10_us", Us(summary.p10)},
          {"p50_us", Us(summary.median)},
          {"p90_us", Us(summary.p90)},
          {"p99_us", Us(summary.p99)},
          {"max_us", Us(summary.max)},
          {"size_p50_us", Us(summary.size_median)},
          {"size_p99_us", Us(summary.size_p99)}};
}

// Every kind of answer for all requests, and again for each kind of request that was sent.
Json ToJson(const Outcomes& outcomes) {
  Json json = {{"sent", outcomes.sent()}, {"answered", outcomes.answered()}, {"unexpected", outcomes.unexpected()}};
  for (std::size_t i = 0; i < kAnswerKindCount; ++i) {
    const auto kind = static_cast<AnswerKind>(i);
    json["kinds"][std::string(AnswerKindName(kind))] = outcomes.count(kind);
  }
  for (std::size_t r = 0; r < kRequestKindCount; ++r) {
    const auto request = static_cast<RequestKind>(r);
    if (outcomes.sent(request) == 0) continue;
    Json row = {{"sent", outcomes.sent(request)}};
    for (std::size_t i = 0; i < kAnswerKindCount; ++i) {
      const auto kind = static_cast<AnswerKind>(i);
      if (outcomes.count(request, kind) > 0) row[std::string(AnswerKindName(kind))] = outcomes.count(request, kind);
    }
    json["by_request"][std::string(RequestKindName(request))] = row;
  }
  return json;
}

Json ToJson(const Target& target, const IpEndpoint& server) {
  return {{"host", target.host}, {"ke_port", target.ke_port}, {"address", server.ToString()}};
}

Json SourcesJson(const std::vector<IpAddress>& sources) {
  return {{"count", sources.size()}, {"first", sources.empty() ? "" : sources.front().ToString()}};
}

Json ToJson(const NtpSettings& settings) {
  return {{"nts", !settings.is_plain},
          {"echo", settings.is_echo},
          {"version", settings.version},
          {"aead", settings.is_plain ? Json(nullptr) : Json(settings.aead)},
          {"placeholders", OrNull(settings.placeholders)},
          {"interleaved", settings.is_interleaved},
          {"cookies", settings.has_fresh_cookies ? "fresh" : "reuse"},
          {"clients", settings.client_count},
          {"threads", settings.thread_count},
          {"sockets", settings.socket_count},
          {"sources", SourcesJson(settings.sources)},
          {"cpus", settings.cpus},
          {"loop", settings.window ? "closed" : "open"},
          {"window", OrNull(settings.window)},
          {"rate", settings.window ? Json(nullptr)
                   : settings.rate ? Json(*settings.rate)
                                   : Json("max")},
          {"arrivals", settings.arrivals == ArrivalKind::kPoisson ? "poisson" : "constant"},
          {"seconds", S(settings.length)},
          {"warm_up_s", S(settings.warm_up)},
          {"timeout_s", S(settings.timeout)},
          {"segments", settings.segments},
          {"verify_every", settings.verify_every},
          {"stamp_every", settings.stamp_every},
          {"forged", settings.forged},
          {"stale", settings.stale},
          {"garbage", settings.garbage}};
}

Json StampsJson(const StampQuality& stamps) {
  return {{"receive_error", ToJson(stamps.receive_error)},
          {"transmit_error", ToJson(stamps.transmit_error)},
          {"offset_error", ToJson(stamps.offset_error)},
          {"interleaved", stamps.interleaved},
          {"incomplete", stamps.incomplete}};
}

Json ToJson(const SweepPoint& point) {
  return {{"rate", point.rate},
          {"sent_rate", point.sent_rate},
          {"answer_rate", point.answer_rate},
          {"loss", point.loss},
          {"p50_us", Us(point.p50)},
          {"p90_us", Us(point.p90)},
          {"p99_us", Us(point.p99)},
          {"p99.9_us", Us(point.p999)},
          {"max_us", Us(point.max)},
          {"server_us_per_answer", OrNull(point.server_us)},
          {"server_cpus", OrNull(point.server_cpus)},
          {"own_us_per_request", point.own_us},
          {"unexpected", point.unexpected},
          {"good", point.is_good},
          {"generator_limits", point.generator_limits}};
}

Json ToJson(const std::vector<SweepPoint>& points) {
  Json json = Json::array();
  for (const SweepPoint& point : points) json.push_back(ToJson(point));
  return json;
}

// What a server sent may be no UTF-8.
std::string Text(const Json& json) { return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n"; }

}  // namespace

std::string NtpJson(const NtpResult& result, const NtpSettings& settings, const Target& target, const HostFacts& host) {
  const WorkerTotals& totals = result.totals;
  Json json = {{"kind", "ntp"},
               {"host", ToJson(host)},
               {"target", ToJson(target, result.server)},
               {"settings", ToJson(settings)},
               {"seconds", S(result.length)},
               {"offered_rate", result.OfferedRate()},
               {"sent_rate", result.SentRate()},
               {"answer_rate", result.AnswerRate()},
               {"loss", result.LossRatio()},
               {"answers", ToJson(totals.answers.outcomes)},
               {"latency", ToJson(totals.answers.latency)},
               {"send_lag", ToJson(totals.send_lag)},
               {"verified", totals.answers.verified},
               {"interleaved_answers", totals.answers.interleaved},
               {"cookies_taken", totals.answers.cookies_taken},
               {"cookies_opened", totals.answers.cookies_opened},
               {"starved", totals.starved},
               {"send_calls", totals.channel.send_calls},
               {"send_failed", totals.channel.send_failed},
               {"port_unreachable", totals.channel.refused},
               {"own_cpu_s", S(totals.cpu)},
               {"own_us_per_request", result.OwnMicrosecondsPerRequest()},
               {"server_cpu_s", result.server_cpu ? Json(S(*result.server_cpu)) : Json(nullptr)},
               {"server_us_per_answer", OrNull(result.ServerMicrosecondsPerAnswer())},
               {"generator_limits", GeneratorLimits(result, settings)}};
  if (settings.stamp_every != 0) json["stamps"] = StampsJson(totals.stamps);
  return Text(json);
}

std::string KeJson(const KeResult& result, const KeSettings& settings, const Target& target, const HostFacts& host) {
  const KeTotals& totals = result.totals;
  Json json = {{"kind", "ke"},
               {"host", ToJson(host)},
               {"target", ToJson(target, result.server)},
               {"settings",
                {{"rate", settings.rate ? Json(*settings.rate) : Json("max")},
                 {"concurrency", settings.concurrency},
                 {"threads", settings.thread_count},
                 {"arrivals", settings.arrivals == ArrivalKind::kPoisson ? "poisson" : "constant"},
                 {"aeads", settings.aeads},
                 {"sources", SourcesJson(settings.sources)},
                 {"seconds", S(settings.length)},
                 {"timeout_s", S(settings.timeout)}}},
               {"seconds", S(result.length)},
               {"started", totals.started},
               {"ok_rate", result.OkRate()},
               {"connect", ToJson(totals.connect)},
               {"tls", ToJson(totals.tls)},
               {"exchange", ToJson(totals.exchange)},
               {"total", ToJson(totals.total)},
               {"send_lag", ToJson(totals.send_lag)},
               {"own_cpu_s", S(totals.cpu)},
               {"server_cpu_s", result.server_cpu ? Json(S(*result.server_cpu)) : Json(nullptr)},
               {"server_us_per_handshake", OrNull(result.ServerMicrosecondsPerHandshake())},
               {"last_problem", result.last_problem},
               {"generator_limits", GeneratorLimits(result)}};
  for (std::size_t b = 0; b < kKeBehaviourCount; ++b) {
    const auto behaviour = static_cast<KeBehaviour>(b);
    const std::string name(KeBehaviourName(behaviour));
    json["settings"]["misbehave"][name] = settings.shares[b];
    if (totals.ended(behaviour) == 0) continue;
    Json row = {{"ended", totals.ended(behaviour)}};
    for (std::size_t i = 0; i < kKeEndingCount; ++i) {
      const auto ending = static_cast<KeEnding>(i);
      if (totals.count(behaviour, ending) > 0) row[std::string(KeEndingName(ending))] = totals.count(behaviour, ending);
    }
    json["endings"][name] = row;
  }
  if (totals.held.count() > 0) json["held"] = ToJson(totals.held);
  return Text(json);
}

std::string SweepJson(const SweepResult& result, const SweepSettings& settings, const Target& target,
                      const HostFacts& host) {
  Json json = {{"kind", "sweep"},
               {"host", ToJson(host)},
               {"target", ToJson(target, result.server)},
               {"settings",
                {{"ntp", ToJson(settings.ntp)},
                 {"loss_max", settings.loss_max},
                 {"p99_max_us", Us(settings.p99_max)},
                 {"from", settings.rate_min},
                 {"to", settings.rate_max},
                 {"precision", settings.precision},
                 {"step_s", S(settings.step_length)}}},
               {"found", result.found},
               {"median", result.spread.median},
               {"least", result.spread.least},
               {"most", result.spread.most},
               {"hit_the_ceiling", result.hit_the_ceiling},
               {"peak_answer_rate", result.peak_answer_rate},
               {"answers_at_double_rate", OrNull(result.overload_answers)},
               {"generator_limits", result.generator_limits},
               {"curve", ToJson(result.curve)}};
  for (const std::vector<SweepPoint>& search : result.searches) json["searches"].push_back(ToJson(search));
  return Text(json);
}

}  // namespace ntsd::load
