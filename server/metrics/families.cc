#include "server/metrics/families.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace ntsd {
namespace {

// Collects families; the functions below say each name once.
class Families {
 public:
  void Add(MetricKind kind, std::string_view name, std::string_view help, std::vector<MetricSeries> series) {
    if (series.empty()) return;
    families_.push_back({fmt::format("ntsd_{}", name), std::string(help), kind, std::move(series)});
  }
  void Counter(std::string_view name, std::string_view help, double value) {
    Add(MetricKind::kCounter, name, help, {{{}, value, {}}});
  }
  void Gauge(std::string_view name, std::string_view help, double value) {
    Add(MetricKind::kGauge, name, help, {{{}, value, {}}});
  }
  void Histogram(std::string_view name, std::string_view help, const HistogramSnapshot& histogram) {
    Add(MetricKind::kHistogram, name, help, {{{}, 0, histogram}});
  }
  void Counters(std::string_view name, std::string_view help, std::string_view label,
                const std::vector<LabelledCount>& counts) {
    std::vector<MetricSeries> series;
    for (const LabelledCount& count : counts) {
      series.push_back({{{std::string(label), count.label}}, static_cast<double>(count.count), {}});
    }
    Add(MetricKind::kCounter, name, help, std::move(series));
  }
  void Gauges(std::string_view name, std::string_view help, std::string_view label,
              const std::vector<LabelledValue>& values) {
    std::vector<MetricSeries> series;
    for (const LabelledValue& value : values) {
      series.push_back({{{std::string(label), value.label}}, value.value, {}});
    }
    Add(MetricKind::kGauge, name, help, std::move(series));
  }
  std::vector<MetricFamily> Take() { return std::move(families_); }

 private:
  std::vector<MetricFamily> families_;
};

void AddNtp(Families& families, const MetricsSnapshot::Ntp& ntp) {
  std::vector<MetricSeries> requests;
  for (const MetricsSnapshot::NtpRequests& count : ntp.requests) {
    requests.push_back({{{"listener", count.listener},
                         {"version", fmt::format("{}", count.version)},
                         {"kind", count.is_nts ? "nts" : "plain"}},
                        static_cast<double>(count.count),
                        {}});
  }
  families.Add(MetricKind::kCounter, "ntp_requests_total", "NTP requests that were understood.", std::move(requests));
  families.Counters("ntp_responses_total", "NTP answers sent.", "kind", ntp.responses);
  families.Counters("ntp_naks_total", "NTS requests that were told to get new cookies, by the reason.", "reason",
                    ntp.naks);
  families.Counters("ntp_dropped_total", "Datagrams that got no answer, by the reason.", "reason", ntp.dropped);
  families.Counters("ntp_cookies_opened_total", "Cookies that clients sent, by the age of the key that they name.",
                    "key_age", ntp.cookies_opened);
  families.Histogram("ntp_service_seconds", "Time from the arrival of a request to the sending of its answer.",
                     ntp.service_s);
  families.Counters("ntp_octets_total", "Octets of UDP payload, requests and answers.", "direction", ntp.octets);
  families.Counter("ntp_amplified_total", "Answers that were longer than their request: must stay zero.",
                   static_cast<double>(ntp.amplified));
  families.Gauge("ntp_client_networks", "Different networks that asked in the last whole hour, to about 2 %.",
                 static_cast<double>(ntp.networks_last_hour));
  families.Counter("ntp_socket_drops_total", "Datagrams that the kernel dropped because the sockets were full.",
                   static_cast<double>(ntp.socket_drops));
  families.Counters("ntp_port_events_total", "What happened to datagrams between us and the kernel.", "event",
                    ntp.port_events);
  families.Counters("ntp_interleaved_total",
                    "Answers in interleaved mode, by what was known of the departure they tell.", "departure",
                    ntp.interleaved);
  families.Counters("tx_timestamp_samples_total",
                    "Answers whose departure the kernel was asked for, and what came of it.", "result",
                    ntp.departure_samples);
  families.Histogram("tx_timestamp_error_seconds",
                     "How far the transmit timestamp of an answer was from its real departure.", ntp.transmit_error_s);
  families.Gauges("card_stamps_in_use", "1 while receive timestamps are those of this interface's network card.",
                  "interface", ntp.card_in_use);
  families.Gauges("card_clock_error_seconds", "How well the clock of this interface's network card is known.",
                  "interface", ntp.card_error_s);
}

void AddKe(Families& families, const MetricsSnapshot::Ke& ke) {
  families.Counters("ke_connections_total", "NTS-KE connections, by the way they ended.", "result", ke.connections);
  families.Histogram("ke_seconds", "Time of a whole NTS-KE exchange.", ke.duration_s);
  families.Counter("ke_cpu_seconds_total", "CPU time of the NTS-KE workers.", ke.cpu_s);
  families.Gauge("ke_active", "NTS-KE connections at this moment.", static_cast<double>(ke.active));
  families.Counters("ke_aead_total", "AEADs that NTS-KE chose, by their IANA number.", "aead", ke.aeads);
}

void AddReference(Families& families, const MetricsSnapshot::Reference& reference) {
  families.Gauge("reference_synchronized", "1 while clients are told that this clock is synchronized.",
                 reference.synchronized ? 1 : 0);
  families.Gauge("reference_stratum", "The stratum that clients are told.", reference.stratum);
  families.Gauge("reference_root_delay_seconds", "Round trip to the primary source.", reference.root_delay_s);
  families.Gauge("reference_root_dispersion_seconds", "Largest error of this clock beside half the root delay.",
                 reference.root_dispersion_s);
  families.Gauge("reference_offset_seconds",
                 "What is to be added to this clock, as its reference says: above zero it is behind.",
                 reference.offset_s);
  families.Gauge("reference_leap", "Leap indicator: 1 a second is inserted, 2 deleted, 3 not synchronized.",
                 reference.leap);
}

// One name may have certificates of several key types, and one certificate several listeners. A series may stand there
// once only, and the alarm is about the first of them that ends.
std::vector<LabelledValue> EarliestOfEach(const std::vector<LabelledValue>& values) {
  std::vector<LabelledValue> earliest;
  for (const LabelledValue& value : values) {
    const auto known = std::find_if(earliest.begin(), earliest.end(),
                                    [&value](const LabelledValue& other) { return other.label == value.label; });
    if (known == earliest.end()) {
      earliest.push_back(value);
    } else {
      known->value = std::min(known->value, value.value);
    }
  }
  return earliest;
}

}  // namespace

std::vector<MetricFamily> MetricFamilies(const MetricsSnapshot& snapshot) {
  Families families;
  if (snapshot.ntp) AddNtp(families, *snapshot.ntp);
  if (snapshot.ke) AddKe(families, *snapshot.ke);
  AddReference(families, snapshot.reference);
  families.Gauges("key_age_seconds", "Age of the keys that seal and open cookies.", "state", snapshot.key_age_s);
  if (snapshot.key_rotation_interval_s) {
    families.Gauge("key_rotation_interval_seconds", "How long a key seals cookies before the next one does.",
                   *snapshot.key_rotation_interval_s);
  }
  if (!snapshot.key_ring_fingerprint.empty()) {
    families.Gauges("key_ring_fingerprint", "1 for the ring in force; hosts that share keys show the same fingerprint.",
                    "fingerprint", {{snapshot.key_ring_fingerprint, 1}});
  }
  families.Gauges("certificate_expiry_timestamp_seconds", "When a certificate ends to be valid, in Unix time.", "name",
                  EarliestOfEach(snapshot.certificate_expiry_s));
  families.Counters("reload_total", "Reloads of the configuration.", "result", snapshot.reloads);
  families.Add(MetricKind::kGauge, "build_info", "Always 1; version and engine of this process.",
               {{{{"version", snapshot.build.version}, {"engine", snapshot.build.engine}}, 1, {}}});
  return families.Take();
}

}  // namespace ntsd
