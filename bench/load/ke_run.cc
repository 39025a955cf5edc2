#include "bench/load/ke_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

namespace ntsd::load {
namespace {

constexpr Duration kSendLagMax = std::chrono::milliseconds(5);
// A load thread that was busy for so much of the time had no rest.
constexpr double kBusyMax = 0.95;
constexpr std::size_t kAssociateConcurrency = 16;

Progress Sum(const std::vector<std::unique_ptr<KeWorker>>& workers) {
  Progress sum;
  for (const auto& worker : workers) {
    sum.sent += worker->live().Read(static_cast<std::size_t>(KeLive::kStarted));
    sum.answered += worker->live().Read(static_cast<std::size_t>(KeLive::kOk));
    sum.unexpected += worker->live().Read(static_cast<std::size_t>(KeLive::kFailed));
  }
  return sum;
}

Client MakeClient(const ke::ClientResult& result, AeadId aead) {
  Client client;
  client.keys.aead = aead;
  const ByteView c2s = result.keys.c2s.view();
  const ByteView s2c = result.keys.s2c.view();
  std::copy(c2s.begin(), c2s.end(), client.keys.c2s.begin());
  std::copy(s2c.begin(), s2c.end(), client.keys.s2c.begin());
  for (const auto& cookie : result.grant.cookies) client.cookies.Add(cookie, false);
  return client;
}

}  // namespace

Expected<KePlan, std::string> MakeKePlan(const Target& target, const IpEndpoint& server,
                                         const std::vector<std::uint16_t>& aeads, std::vector<IpAddress> sources) {
  ke::TlsClientContext::Options options;
  options.ca_file = target.ca_file;
  options.verify = !target.is_insecure;
  auto context = ke::TlsClientContext::Make(options);
  if (!context) return Unexpected(std::move(context.error()));
  options.alpn = {"http/1.1"};
  auto wrong_alpn = ke::TlsClientContext::Make(options);
  if (!wrong_alpn) return Unexpected(std::move(wrong_alpn.error()));
  KePlan plan;
  plan.server = server;
  plan.server_name = target.server_name.empty() ? target.host : target.server_name;
  plan.offer.aeads = aeads;
  plan.offer.compliant_context =
      std::find(aeads.begin(), aeads.end(), AeadNumber(AeadId::kAes128GcmSiv)) != aeads.end();
  plan.tls = *std::move(context);
  plan.wrong_alpn_tls = *std::move(wrong_alpn);
  plan.sources = std::move(sources);
  return plan;
}

double KeResult::OkRate() const {
  return static_cast<double>(totals.count(KeBehaviour::kHonest, KeEnding::kOk)) / Seconds();
}

std::optional<double> KeResult::ServerMicrosecondsPerHandshake() const {
  const std::uint64_t handshakes = totals.count(KeBehaviour::kHonest, KeEnding::kOk);
  if (!server_cpu || handshakes == 0) return std::nullopt;
  return static_cast<double>(server_cpu->count()) / 1000 / static_cast<double>(handshakes);
}

std::vector<std::string> GeneratorLimits(const KeResult& result) {
  std::vector<std::string> limits;
  const Duration lag = result.totals.send_lag.Percentile(99);
  if (result.rate && lag > kSendLagMax) {
    limits.push_back(
        fmt::format("1 % of the connections began {:.0f} ms or more after their time: allow more at once, or take more "
                    "threads",
                    std::chrono::duration<double, std::milli>(lag).count()));
  }
  const double busy = std::chrono::duration<double>(result.totals.cpu).count() /
                      (result.Seconds() * static_cast<double>(result.thread_count));
  if (busy > kBusyMax) limits.push_back(fmt::format("its threads were busy {:.0f} % of the time", busy * 100));
  const std::uint64_t failed = result.totals.count(KeBehaviour::kHonest, KeEnding::kConnectFailed);
  if (failed > 0) limits.push_back(fmt::format("{} connections could not be begun: {}", failed, result.last_problem));
  return limits;
}

KeResult RunKe(const KeSettings& settings, const KePlan& plan, std::optional<int> server_pid, const ShowProgress& show,
               const std::atomic<bool>& stop) {
  std::vector<std::unique_ptr<KeWorker>> workers;
  for (std::size_t i = 0; i < settings.thread_count; ++i) {
    workers.push_back(std::make_unique<KeWorker>(plan, settings, i));
  }
  LapPlan lap_plan{
      .threads = {}, .sum = [&] { return Sum(workers); }, .length = settings.length, .server_pid = server_pid};
  for (const auto& worker : workers) {
    lap_plan.threads.emplace_back([&stop, one = worker.get()](MonotonicTime start) { one->Run(start, stop); });
  }
  const Lap lap = RunTogether(lap_plan, show, stop);

  KeResult result;
  result.server = plan.server;
  result.length = lap.length;
  result.server_cpu = lap.server_cpu;
  result.rate = settings.rate;
  result.concurrency = settings.concurrency;
  result.thread_count = settings.thread_count;
  for (const auto& worker : workers) {
    result.totals.Merge(worker->totals());
    if (!worker->last_problem().empty()) result.last_problem = worker->last_problem();
  }
  return result;
}

Expected<Associations, std::string> Associate(const KePlan& plan, std::size_t count, const std::atomic<bool>& stop) {
  KeSettings settings;
  settings.rate = std::nullopt;
  settings.concurrency = kAssociateConcurrency;
  KeWorker worker(plan, settings, 0, count);
  worker.Run(std::chrono::steady_clock::now(), stop);
  if (worker.results().size() < count) {
    return Unexpected(fmt::format("NTS-KE with {} brought {} of {} associations; the last failure: {}",
                                  plan.server.ToString(), worker.results().size(), count, worker.last_problem()));
  }
  Associations associations;
  associations.clients.reserve(count);
  for (const ke::ClientResult& result : worker.results()) {
    const std::optional<AeadId> aead = AeadFromNumber(result.grant.aead);
    if (!aead) return Unexpected(fmt::format("the server granted AEAD {}, which is not known here", result.grant.aead));
    associations.clients.push_back(MakeClient(result, *aead));
    if (associations.clients.back().cookies.count() == 0) return Unexpected(std::string("the cookies are too long"));
  }
  const ke::ClientResult& first = worker.results().front();
  associations.ntp_server = first.ntp_server.empty() ? plan.server.address.ToString() : first.ntp_server;
  associations.ntp_port = first.ntp_port;
  associations.total = worker.totals().total;
  return associations;
}

std::vector<Client> MakeUpClients(std::size_t count, std::optional<AeadId> aead, Random& random) {
  std::vector<Client> clients(count);
  if (!aead) return clients;
  for (Client& client : clients) {
    client.keys.aead = *aead;
    random.Fill(client.keys.c2s);
    random.Fill(client.keys.s2c);
    for (std::size_t i = 0; i < kCookiesPerReplyMax; ++i) {
      std::vector<std::uint8_t> cookie(CookieSize(AeadId::kAesSivCmac256, *aead));
      random.Fill(cookie);
      client.cookies.Add(cookie, false);
    }
  }
  return clients;
}

}  // namespace ntsd::load
