// A snapshot in which every family has at least one series.
#pragma once

#include "server/metrics/snapshot.h"

namespace ntsd::testing {

inline MetricsSnapshot FullSnapshot() {
  const HistogramSnapshot histogram{{0.25, 1}, {7, 2, 1}, 0.5};
  MetricsSnapshot snapshot;
  snapshot.build = {"0.1.0", "io_uring"};
  snapshot.ntp = MetricsSnapshot::Ntp{};
  snapshot.ntp->requests = {{"0.0.0.0:123", 4, true, 12'345'678'901}, {"0.0.0.0:123", 3, false, 1}};
  snapshot.ntp->responses = {{"plain", 1}, {"nts", 2}};
  snapshot.ntp->naks = {{"unknown_cookie_key", 2}};
  snapshot.ntp->dropped = {{"too_short", 3}};
  snapshot.ntp->cookies_opened = {{"current", 4}, {"1", 5}, {"unknown", 6}};
  snapshot.ntp->service_s = histogram;
  snapshot.ntp->octets = {{"in", 228}, {"out", 227}};
  snapshot.ntp->networks_last_hour = 12;
  snapshot.ntp->socket_drops = 7;
  snapshot.ntp->port_events = {{"stamp_missing", 1}};
  snapshot.ntp->interleaved = {{"measured", 2}, {"reckoned", 3}};
  snapshot.ntp->transmit_error_s = histogram;
  snapshot.ntp->departure_samples = {{"asked", 4}, {"told", 4}, {"impossible", 0}};
  snapshot.ntp->card_in_use = {{"eth0", 1}};
  snapshot.ntp->card_error_s = {{"eth0", 4e-7}};
  snapshot.ke = MetricsSnapshot::Ke{};
  snapshot.ke->connections = {{"served", 8}, {"timeout", 9}};
  snapshot.ke->aeads = {{"15", 10}, {"30", 11}};
  snapshot.ke->duration_s = histogram;
  snapshot.ke->cpu_s = 1.25;
  snapshot.ke->active = 2;
  snapshot.reference = {true, 2, 0, 0.001, 0.002, -0.000003};
  snapshot.key_age_s = {{"future", 10}, {"current", 20}, {"past", 30}};
  snapshot.key_rotation_interval_s = 86'400;
  snapshot.key_ring_fingerprint = "00112233aabbccdd";
  snapshot.certificate_expiry_s = {{"ntp.example.com", 1'900'000'000}};
  snapshot.reloads = {{"ok", 1}, {"failed", 0}};
  return snapshot;
}

}  // namespace ntsd::testing
