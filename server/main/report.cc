#include "server/main/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "core/nts/reason.h"
#include "ke/ending.h"

namespace ntsd {
namespace {

double Seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

std::string StateName(KeyState state) {
  switch (state) {
    case KeyState::kFuture:
      return "future";
    case KeyState::kCurrent:
      return "current";
    case KeyState::kPast:
      return "past";
  }
  return "unknown";
}

std::string FingerprintText(std::uint64_t fingerprint) { return fmt::format("{:016x}", fingerprint); }

template <typename Read>
std::uint64_t SumWorkers(const Service::View& view, Read read) {
  std::uint64_t sum = 0;
  for (const auto& worker : view.workers) sum += read(*worker);
  return sum;
}

std::uint64_t ReasonSum(const Service::View& view, Reason reason) {
  return SumWorkers(view, [reason](const UdpWorker& worker) {
    return worker.counters().reasons.Read(static_cast<std::size_t>(reason));
  });
}

std::vector<MetricsSnapshot::NtpRequests> Requests(const Service::View& view) {
  std::vector<MetricsSnapshot::NtpRequests> requests;
  for (std::size_t i = 0; i < view.listeners.ntp.size(); ++i) {
    for (std::uint8_t version = 1; version <= 4; ++version) {
      for (const bool is_nts : {false, true}) {
        if (is_nts && version < 4) continue;  // NTS begins with version 4
        const std::size_t index = ResponderCounters::RequestIndex(version, is_nts);
        requests.push_back({.listener = view.listeners.ntp[i].address.ToString(),
                            .version = version,
                            .is_nts = is_nts,
                            .count = SumWorkers(view, [i, index](const UdpWorker& worker) {
                              return worker.counters().requests[i].Read(index);
                            })});
      }
    }
  }
  return requests;
}

std::vector<LabelledCount> Responses(const Service::View& view) {
  std::vector<LabelledCount> responses{{"plain", 0}, {"nts", 0}, {"nak", 0}, {"rate", 0}, {"deny", 0}};
  for (std::size_t i = 0; i < kReasonCount; ++i) {
    const auto reason = static_cast<Reason>(i);
    const Action action = ActionOf(reason);
    if (action == Action::kDrop) continue;
    // The actions that answer, in the order of the labels.
    responses[static_cast<std::size_t>(action) - 1].count += ReasonSum(view, reason);
  }
  return responses;
}

std::vector<LabelledCount> ReasonsOf(const Service::View& view, Action action) {
  std::vector<LabelledCount> counts;
  for (std::size_t i = 0; i < kReasonCount; ++i) {
    const auto reason = static_cast<Reason>(i);
    if (ActionOf(reason) != action) continue;
    counts.push_back({std::string(ReasonName(reason)), ReasonSum(view, reason)});
  }
  return counts;
}

CookieAgeCounts CookieAges(const Service::View& view) {
  CookieAgeCounts counts{};
  for (std::size_t i = 0; i < counts.size(); ++i) {
    counts[i] = SumWorkers(view, [i](const UdpWorker& worker) { return worker.counters().cookie_ages.Read(i); });
  }
  return counts;
}

HistogramSnapshot ServiceTimes(const Service::View& view) {
  HistogramSnapshot histogram;
  double bound = 1e-6;
  for (std::size_t i = 0; i < ResponderCounters::kServiceBucketCount; ++i, bound *= 2) {
    if (i + 1 < ResponderCounters::kServiceBucketCount) histogram.bounds.push_back(bound);
    histogram.counts.push_back(
        SumWorkers(view, [i](const UdpWorker& worker) { return worker.counters().service.Read(i); }));
  }
  histogram.sum = 1e-9 * static_cast<double>(SumWorkers(
                             view, [](const UdpWorker& worker) { return worker.counters().service_ns.Read(0); }));
  return histogram;
}

HistogramSnapshot TransmitErrors(const Service::View& view) {
  HistogramSnapshot histogram;
  for (std::size_t i = 0; i <= TransmitCounters::kErrorBounds.size(); ++i) {
    if (i < TransmitCounters::kErrorBounds.size())
      histogram.bounds.push_back(Seconds(TransmitCounters::kErrorBounds[i]));
    histogram.counts.push_back(
        SumWorkers(view, [i](const UdpWorker& worker) { return worker.transmit_counters().errors.Read(i); }));
  }
  histogram.sum = 1e-9 * static_cast<double>(SumWorkers(view, [](const UdpWorker& worker) {
                    return worker.transmit_counters().error_ns.Read(0);
                  }));
  return histogram;
}

std::vector<LabelledCount> DepartureSamples(const Service::View& view) {
  const auto sum = [&view](TransmitCounters::Sample what) {
    return SumWorkers(view, [what](const UdpWorker& worker) { return worker.transmit_counters().samples.Read(what); });
  };
  return {{"asked", sum(TransmitCounters::kAsked)},
          {"told", sum(TransmitCounters::kTold)},
          {"impossible", sum(TransmitCounters::kImpossible)}};
}

std::vector<LabelledValue> CardValues(const Service::View& view, double (*value)(const CardStatus&)) {
  std::vector<LabelledValue> values;
  for (const CardStatus& card : view.cards) values.push_back({card.interface, value(card)});
  return values;
}

std::vector<LabelledCount> InterleavedAnswers(const Service::View& view) {
  const auto sum = [&view](ResponderCounters::Interleaved what) {
    return SumWorkers(view, [what](const UdpWorker& worker) { return worker.counters().interleaved.Read(what); });
  };
  return {{"measured", sum(ResponderCounters::kToldMeasured)}, {"reckoned", sum(ResponderCounters::kToldReckoned)}};
}

std::vector<LabelledCount> PortEvents(const Service::View& view) {
  std::vector<LabelledCount> events;
  for (std::size_t i = 0; i < kPortEventCount; ++i) {
    events.push_back({std::string(PortEventName(static_cast<PortEvent>(i))),
                      SumWorkers(view, [i](const UdpWorker& worker) { return worker.port_counters().Read(i); })});
  }
  return events;
}

MetricsSnapshot::Ke KeFigures(const ke::Snapshot& figures) {
  MetricsSnapshot::Ke ke;
  for (std::size_t i = 0; i < figures.ends.size(); ++i) {
    ke.connections.push_back({std::string(ke::Name(static_cast<ke::ConnectionEnd>(i))), figures.ends[i]});
  }
  for (std::size_t i = 0; i < figures.aeads.size(); ++i) {
    ke.aeads.push_back({std::to_string(AeadNumber(ke::kAeads[i])), figures.aeads[i]});
  }
  ke.duration_s.bounds.assign(ke::kSecondsBounds.begin(), ke::kSecondsBounds.end());
  ke.duration_s.counts.assign(figures.seconds_buckets.begin(), figures.seconds_buckets.end());
  ke.duration_s.sum = figures.seconds_sum;
  ke.cpu_s = figures.cpu_seconds;
  ke.active = figures.active;
  return ke;
}

std::vector<ke::CertificateInfo> Certificates(const Service::View& view) {
  std::vector<ke::CertificateInfo> certificates;
  if (view.ke_server == nullptr) return certificates;
  for (std::size_t i = 0; i < view.ke_service_count; ++i) {
    const auto context = view.ke_server->Context(i);
    certificates.insert(certificates.end(), context->certificates().begin(), context->certificates().end());
  }
  return certificates;
}

// "GPS" when all octets are letters, digits or padding, else an address (RFC 5905 §7.3).
std::string ReferenceIdText(std::uint32_t id, std::uint8_t stratum) {
  std::string text;
  for (int shift = 24; shift >= 0; shift -= 8) {
    const auto octet = static_cast<unsigned char>(id >> shift);
    if (octet != 0) text += static_cast<char>(octet);
  }
  const bool is_text = stratum <= 1 && !text.empty() &&
                       std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isalnum(c) != 0; });
  return is_text ? text : IpAddress::V4(id).ToString();
}

ReferenceReport ReportReference(const Service::View& view) {
  const ReferenceSummary summary = view.watcher.Summary();
  return {.source = std::string(ToString(summary.source)) + (summary.address.empty() ? "" : " " + summary.address),
          .synchronized = summary.fit,
          .leap = static_cast<int>(summary.leap),
          .stratum = summary.stratum,
          .reference_id = ReferenceIdText(summary.reference_id, summary.stratum),
          .offset_s = Seconds(summary.offset),
          .root_delay_s = Seconds(summary.root_delay),
          .root_dispersion_s = Seconds(summary.root_dispersion),
          .age_s = summary.sample_age ? Seconds(*summary.sample_age) : 0};
}

std::string PolicyText(const NtpConfig& table) {
  std::string text;
  if (table.require_nts == PlainNtpPolicy::kIgnore) text = "require-nts ignore";
  if (table.require_nts == PlainNtpPolicy::kDeny) text = "require-nts deny";
  if (table.smear == Smear::kLinear24h) text += text.empty() ? "smear" : ", smear";
  return text;
}

std::vector<ListenerReport> ReportListeners(const Config& config) {
  std::vector<ListenerReport> listeners;
  for (const NtpConfig& table : config.ntp) {
    for (const IpEndpoint& address : table.listen) {
      listeners.push_back({.protocol = "ntp", .address = address.ToString(), .policy = PolicyText(table)});
    }
  }
  for (const KeConfig& table : config.ke) {
    for (const IpEndpoint& address : table.listen) {
      listeners.push_back({.protocol = "nts-ke", .address = address.ToString(), .policy = {}});
    }
  }
  if (config.metrics.listen) {
    listeners.push_back({.protocol = "metrics", .address = config.metrics.listen->ToString(), .policy = {}});
  }
  return listeners;
}

UniqueClientCount CountNetworks(const Service::View& view) {
  std::vector<const UniqueClients*> sketches;
  for (const auto& worker : view.workers) sketches.push_back(&worker->guard()->unique_clients());
  return EstimateUniqueClients(sketches, view.now);
}

std::uint64_t OctetsOf(const Service::View& view, ResponderCounters::Octets what) {
  return SumWorkers(view, [what](const UdpWorker& worker) { return worker.counters().octets.Read(what); });
}

HealthItem CheckClock(const Service::View& view) {
  const ReferenceReport report = ReportReference(view);
  const double distance = report.root_delay_s / 2 + report.root_dispersion_s;
  return {.name = "clock",
          .is_fit = report.synchronized,
          .detail = report.synchronized ? fmt::format("by {}, root distance {:.3f} ms", report.source, distance * 1e3)
                                        : "not synchronized by " + report.source};
}

HealthItem CheckKeys(const Service::View& view) {
  const KeyStatus status = view.keeper.Status();
  // Trouble does not make us unfit: the keys in force still open and seal.
  return {.name = "keys",
          .is_fit = true,
          .detail = status.trouble.empty() ? fmt::format("{} keys", status.keys.size()) : status.trouble};
}

}  // namespace

std::int64_t UnixSeconds(UnixTime time) {
  return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

std::string CertificateName(const ke::CertificateInfo& certificate) {
  return certificate.names.empty() ? certificate.subject : certificate.names.front();
}

std::vector<LabelledCount> LabelCookieAges(const CookieAgeCounts& counts, std::size_t keep) {
  std::vector<LabelledCount> ages{{"future", counts[ResponderCounters::kFutureAge]}, {"current", counts[0]}};
  for (std::size_t age = 1; age < kKeysPerRingMax; ++age) {
    if (age <= keep || counts[age] > 0) ages.push_back({std::to_string(age), counts[age]});
  }
  ages.push_back({"unknown", counts[ResponderCounters::kUnknownAge]});
  return ages;
}

MetricsSnapshot TakeSnapshot(const Service::View& view) {
  MetricsSnapshot snapshot;
  snapshot.build = {.version = NTSD_VERSION, .engine = view.engine};
  if (!view.workers.empty()) {
    snapshot.ntp = MetricsSnapshot::Ntp{
        .requests = Requests(view),
        .responses = Responses(view),
        .naks = ReasonsOf(view, Action::kNak),
        .dropped = ReasonsOf(view, Action::kDrop),
        .cookies_opened = LabelCookieAges(CookieAges(view), view.config.keys.keep),
        .service_s = ServiceTimes(view),
        .octets = {{"in", OctetsOf(view, ResponderCounters::kOctetsIn)},
                   {"out", OctetsOf(view, ResponderCounters::kOctetsOut)}},
        .amplified = OctetsOf(view, ResponderCounters::kAmplified),
        .networks_last_hour = CountNetworks(view).last_hour,
        .socket_drops = view.listeners.SocketDrops(),
        .port_events = PortEvents(view),
        .interleaved = InterleavedAnswers(view),
        .transmit_error_s = TransmitErrors(view),
        .departure_samples = DepartureSamples(view),
        .card_in_use = CardValues(view, [](const CardStatus& card) { return card.is_used ? 1.0 : 0.0; }),
        .card_error_s = CardValues(view, [](const CardStatus& card) { return Seconds(card.error); })};
  }
  if (view.ke_server != nullptr) snapshot.ke = KeFigures(view.ke_server->Read());
  const ReferenceReport reference = ReportReference(view);
  snapshot.reference = {.synchronized = reference.synchronized,
                        .stratum = reference.stratum,
                        .leap = reference.leap,
                        .root_delay_s = reference.root_delay_s,
                        .root_dispersion_s = reference.root_dispersion_s,
                        .offset_s = reference.offset_s};
  if (view.config.keys.source == KeySourceKind::kGenerate) {
    snapshot.key_rotation_interval_s = Seconds(view.config.keys.rotate_every);
  }
  const KeyStatus keys = view.keeper.Status();
  snapshot.key_ring_fingerprint = FingerprintText(keys.fingerprint);
  // Newest first, so the last past key is the oldest.
  for (const KeyInfo& key : keys.keys) {
    const std::string state = StateName(key.state);
    if (!snapshot.key_age_s.empty() && snapshot.key_age_s.back().label == state) snapshot.key_age_s.pop_back();
    snapshot.key_age_s.push_back({state, Seconds(key.age)});
  }
  for (const ke::CertificateInfo& certificate : Certificates(view)) {
    snapshot.certificate_expiry_s.push_back(
        {CertificateName(certificate), static_cast<double>(UnixSeconds(certificate.not_after))});
  }
  snapshot.reloads = {{"ok", view.reloads_good}, {"failed", view.reloads_bad}};
  return snapshot;
}

ClientsReport MakeClients(const Service::View& view, ClientOrder order, std::size_t count) {
  const UniqueClientCount networks = CountNetworks(view);
  ClientsReport report{.is_listed = view.config.limits.ntp.clients,
                       .networks_this_hour = networks.this_hour,
                       .networks_last_hour = networks.last_hour,
                       .clients = {}};
  std::vector<const BusyClients*> tables;
  for (const auto& worker : view.workers) tables.push_back(&worker->guard()->busy_clients());
  std::vector<BusyClient> clients = MergeBusyClients(tables, view.now);  // busiest first
  if (order == ClientOrder::kDrops) {
    std::stable_sort(clients.begin(), clients.end(), [](const BusyClient& one, const BusyClient& other) {
      return one.refused_per_s > other.refused_per_s;
    });
  }
  clients.resize(std::min(clients.size(), count));
  for (const BusyClient& client : clients) {
    report.clients.push_back({.network = client.network.ToString(),
                              .requests_per_s = client.requests_per_s,
                              .refused_per_s = client.refused_per_s,
                              .overcount_per_s = client.overcount_per_s});
  }
  return report;
}

KeysReport MakeKeysReport(const KeyStatus& status) {
  KeysReport report{.source = status.followed ? "follow" : "generate",
                    .file = status.source,
                    .fingerprint = FingerprintText(status.fingerprint),
                    .next_rotation_s = status.until_rotation ? Seconds(*status.until_rotation) : 0,
                    .keys = {}};
  for (const KeyInfo& key : status.keys) {
    report.keys.push_back(
        {.id = key.id, .state = StateName(key.state), .age_s = Seconds(key.age), .aead = AeadNumber(key.aead)});
  }
  return report;
}

StatusReport MakeStatus(const Service::View& view) {
  StatusReport status;
  status.version = NTSD_VERSION;
  status.now = UnixSeconds(view.wall);
  status.uptime_s = Seconds(view.uptime);
  status.is_draining = view.draining;
  status.engine = view.engine;
  status.engine_reason = view.engine_reason;
  status.crypto = view.aead.Name();
  status.sandbox = view.sandbox;
  status.log_level = LogLevelName(view.log.level());
  status.ntp_workers = static_cast<int>(view.workers.size());
  status.ke_workers = static_cast<int>(view.ke_worker_count);
  for (const CardStatus& card : view.cards) {
    status.cards.push_back(
        {.interface = card.interface, .is_used = card.is_used, .detail = card.detail, .error_s = Seconds(card.error)});
  }
  status.reference = ReportReference(view);
  status.listeners = ReportListeners(view.config);
  status.keys = MakeKeysReport(view.keeper.Status());
  for (const ke::CertificateInfo& certificate : Certificates(view)) {
    status.certificates.push_back({.name = CertificateName(certificate),
                                   .chain = certificate.chain,
                                   .expires_at = UnixSeconds(certificate.not_after)});
  }
  status.last_reload = view.last_reload;
  return status;
}

Health CheckHealth(const Service::View& view) {
  Health health;
  health.items.push_back(CheckClock(view));
  health.items.push_back(CheckKeys(view));
  for (const ke::CertificateInfo& certificate : Certificates(view)) {
    const double days = Seconds(certificate.not_after - view.wall) / 86400;
    const bool is_valid = certificate.not_before <= view.wall && view.wall < certificate.not_after;
    health.items.push_back({.name = "certificate " + CertificateName(certificate),
                            .is_fit = is_valid,
                            .detail = days > 0 ? fmt::format("{:.1f} days left", days) : "expired"});
  }
  health.items.push_back({.name = "workers",
                          .is_fit = view.workers_answer,
                          .detail = view.workers_answer ? "all answer" : "an NTP worker does not answer"});
  if (view.draining) health.items.push_back({.name = "service", .is_fit = false, .detail = "draining"});
  return health;
}

}  // namespace ntsd
