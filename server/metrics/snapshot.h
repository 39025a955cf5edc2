// All figures of the service at one moment, as plain values: what main reads from the workers' counters for whoever
// asks.
//
// Threads: a value.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ntsd {

struct LabelledCount {
  std::string label;  // the value of the one label: a reason, a kind, a result
  std::uint64_t count = 0;
};
struct LabelledValue {
  std::string label;
  double value = 0;
};

struct HistogramSnapshot {
  std::vector<double> bounds;         // inclusive upper ends, ascending
  std::vector<std::uint64_t> counts;  // one for each bound and one for what is above all; not cumulative
  double sum = 0;
};

struct MetricsSnapshot {
  struct Build {
    std::string version;
    std::string engine;  // "io_uring", "mmsg"
  };
  struct NtpRequests {
    std::string listener;  // "0.0.0.0:123"
    int version = 0;
    bool is_nts = false;
    std::uint64_t count = 0;
  };
  // A host that does NTS-KE only has none.
  struct Ntp {
    std::vector<NtpRequests> requests;
    std::vector<LabelledCount> responses;       // "plain", "nts", "nak", "rate", "deny"
    std::vector<LabelledCount> naks;            // by reason
    std::vector<LabelledCount> dropped;         // by reason
    std::vector<LabelledCount> cookies_opened;  // by age of their key: "future", "current", "1", …, "unknown"
    HistogramSnapshot service_s;                // receive to send
    std::vector<LabelledCount> octets;          // of UDP payload: "in", "out"
    std::uint64_t amplified = 0;                // answers longer than their request: never
    std::uint64_t networks_last_hour = 0;       // different ones, an estimate
    std::uint64_t socket_drops = 0;             // datagrams that the kernel threw away because we were late
    std::vector<LabelledCount> port_events;     // what else the engine met: "stamp_missing", "send_failed", …
    std::vector<LabelledCount> interleaved;     // answers, by what is known of the departure: "measured", "reckoned"
    HistogramSnapshot transmit_error_s;         // |real departure − transmit timestamp|, of answers that were sampled
    std::vector<LabelledCount> departure_samples;  // "asked", "told", "impossible"
    std::vector<LabelledValue> card_in_use;        // by interface: 1 while its stamps are used
    std::vector<LabelledValue> card_error_s;       // by interface: how well its clock is known
  };
  // A host that does NTP only has none.
  struct Ke {
    std::vector<LabelledCount> connections;  // by the way they ended
    std::vector<LabelledCount> aeads;        // chosen, by number
    HistogramSnapshot duration_s;
    double cpu_s = 0;
    std::uint64_t active = 0;
  };
  struct Reference {
    bool synchronized = false;
    int stratum = 0;
    int leap = 0;  // the two bits of RFC 5905
    double root_delay_s = 0;
    double root_dispersion_s = 0;
    double offset_s = 0;
  };

  Build build;
  std::optional<Ntp> ntp;
  std::optional<Ke> ke;
  Reference reference;
  std::vector<LabelledValue> key_age_s;             // "future", "current", "past" (the oldest)
  std::optional<double> key_rotation_interval_s;    // where this host rotates its keys itself
  std::string key_ring_fingerprint;                 // hexadecimal
  std::vector<LabelledValue> certificate_expiry_s;  // Unix time, by the certificate's first name
  std::vector<LabelledCount> reloads;               // "ok", "failed"
};

}  // namespace ntsd
