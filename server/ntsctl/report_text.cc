#include "server/ntsctl/report_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "server/control/message.h"

namespace ntsd {
namespace {

constexpr std::int64_t kWarnBeforeExpiry_s = 14 * 86400;

// "name         text", in the column that all lines of a screen share.
std::string Row(std::string_view name, std::string_view text) { return fmt::format("{:<14}{}\n", name, text); }

std::string ReferenceRows(const ReferenceReport& reference, const Palette& palette) {
  const std::string state = reference.synchronized ? palette.Good("synchronized") : palette.Bad("NOT SYNCHRONIZED");
  std::string text = Row("clock", fmt::format("{} by {}", state, reference.source));
  if (reference.synchronized) {
    text += Row("", fmt::format("stratum {}, reference {}, leap {}", reference.stratum, reference.reference_id,
                                LeapText(static_cast<LeapIndicator>(reference.leap & 3))));
    text += Row("", fmt::format("offset {}, root distance {}, asked {} ago", FormatOffset(reference.offset_s),
                                FormatSeconds(reference.root_delay_s / 2 + reference.root_dispersion_s),
                                FormatAge(reference.age_s)));
  }
  return text;
}

std::string ListenerRows(const std::vector<ListenerReport>& listeners) {
  std::string text;
  std::string_view name = "listeners";
  for (const ListenerReport& listener : listeners) {
    text += Row(name, fmt::format("{:<8} {:<24} {}", listener.protocol, listener.address, listener.policy));
    name = "";
  }
  return text;
}

std::string CertificateRows(const std::vector<CertificateReport>& certificates, std::int64_t now,
                            const Palette& palette) {
  std::string text;
  std::string_view name = "certificates";
  for (const CertificateReport& certificate : certificates) {
    const std::string days = FormatDays(certificate.expires_at, now);
    const bool is_soon = certificate.expires_at - now < kWarnBeforeExpiry_s;
    text += Row(name, fmt::format("{} ends {} ({})", Printable(certificate.name), FormatDate(certificate.expires_at),
                                  is_soon ? palette.Bad(days) : days));
    name = "";
  }
  return text;
}

std::string KeySummary(const KeysReport& keys) {
  const auto current =
      std::find_if(keys.keys.begin(), keys.keys.end(), [](const KeyReport& key) { return key.state == "current"; });
  std::string text = fmt::format("{} keys", keys.keys.size());
  if (current != keys.keys.end()) {
    text += fmt::format(", current {} for {}", FormatKeyId(current->id), FormatAge(current->age_s));
  }
  if (keys.next_rotation_s > 0) text += fmt::format(", next in {}", FormatAge(keys.next_rotation_s));
  return text + fmt::format(", ring {}", keys.fingerprint);
}

std::string ReloadSummary(const ReloadReport& reload, const Palette& palette) {
  if (reload.at == 0) return "not since start";
  return fmt::format("{}: {}", FormatDate(reload.at), reload.is_good ? "taken over" : palette.Bad(reload.problem));
}

std::string Labels(const MetricSeries& series) {
  std::string text;
  for (const auto& [name, value] : series.labels) {
    text += fmt::format("{}{}={}", text.empty() ? "" : ",", name, Printable(value));
  }
  return text.empty() ? text : fmt::format("{{{}}}", text);
}

// The end of the bucket in which the given share of all values lies, as the best that buckets can say.
std::string Quantile(const HistogramSnapshot& histogram, double share) {
  const std::uint64_t total = std::accumulate(histogram.counts.begin(), histogram.counts.end(), std::uint64_t{0});
  if (total == 0) return "-";
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < histogram.counts.size() && i < histogram.bounds.size(); ++i) {
    below += histogram.counts[i];
    if (static_cast<double>(below) >= share * static_cast<double>(total)) {
      return "<= " + FormatSeconds(histogram.bounds[i]);
    }
  }
  return histogram.bounds.empty() ? "-" : "> " + FormatSeconds(histogram.bounds.back());
}

std::string SeriesText(const MetricFamily& family, const MetricSeries& series) {
  const std::string name = family.name + Labels(series);
  if (family.kind != MetricKind::kHistogram) {
    const bool is_whole = series.value == std::floor(series.value) && std::abs(series.value) < 1e15;
    return is_whole ? fmt::format("{:<64} {:.0f}\n", name, series.value)
                    : fmt::format("{:<64} {}\n", name, series.value);
  }
  const HistogramSnapshot& histogram = series.histogram;
  const std::uint64_t total = std::accumulate(histogram.counts.begin(), histogram.counts.end(), std::uint64_t{0});
  return fmt::format("{:<64} {} values, half {}, 99 % {}\n", name, total, Quantile(histogram, 0.5),
                     Quantile(histogram, 0.99));
}

}  // namespace

std::string StatusText(const StatusReport& status, const Palette& palette) {
  std::string text = Row("ntsd", fmt::format("{}, up {}{}", palette.Bold(status.version), FormatAge(status.uptime_s),
                                             status.is_draining ? ", " + palette.Bad("draining") : ""));
  text += ReferenceRows(status.reference, palette);
  text += ListenerRows(status.listeners);
  text += Row("workers", fmt::format("{} NTP, {} NTS-KE; {} ({}); AES {}", status.ntp_workers, status.ke_workers,
                                     status.engine, status.engine_reason, status.crypto));
  for (const CardReport& card : status.cards) {
    text += Row("card", fmt::format("{}: {}{}", Printable(card.interface),
                                    card.is_used ? "stamps; " : palette.Bad("the kernel stamps") + "; ",
                                    Printable(card.detail)));
  }
  text += Row("requests", fmt::format("{:.1f}/s NTP, of these {:.1f}/s NTS; {:.1f}/s dropped; {:.2f}/s NTS-KE",
                                      status.rates.ntp_requests_per_s, status.rates.ntp_nts_per_s,
                                      status.rates.ntp_dropped_per_s, status.rates.ke_connections_per_s));
  text += Row("keys", KeySummary(status.keys));
  text += CertificateRows(status.certificates, status.now, palette);
  text += Row("sandbox", status.sandbox);
  text += Row("log level", status.log_level);
  text += Row("last reload", ReloadSummary(status.last_reload, palette));
  return text;
}

std::string StatsText(const StatsReport& stats) {
  std::string text;
  for (const MetricFamily& family : stats.families) {
    for (const MetricSeries& series : family.series) text += SeriesText(family, series);
  }
  return text;
}

std::string HealthText(const Health& health, const Palette& palette) {
  std::string text;
  for (const HealthItem& item : health.items) {
    text += fmt::format("{}  {}: {}\n", item.is_fit ? palette.Good("ok  ") : palette.Bad("FAIL"), Printable(item.name),
                        Printable(item.detail));
  }
  return text + (health.IsFit() ? palette.Good("fit to serve") : palette.Bad("not fit to serve")) + "\n";
}

std::string ClientsText(const ClientsReport& clients) {
  std::string text = fmt::format("networks      about {} this hour, {} in the last\n", clients.networks_this_hour,
                                 clients.networks_last_hour);
  if (!clients.is_listed) {
    return text + "no network is listed: limits.ntp.clients = true keeps the table of the busiest\n";
  }
  text += fmt::format("\n{:<24} {:>12} {:>12} {:>12}\n", "network", "requests/s", "refused/s", "overcount/s");
  for (const ClientReport& client : clients.clients) {
    text += fmt::format("{:<24} {:>12.2f} {:>12.2f} {:>12.2f}\n", Printable(client.network), client.requests_per_s,
                        client.refused_per_s, client.overcount_per_s);
  }
  return text;
}

std::string KeysText(const KeysReport& keys) {
  std::string text =
      fmt::format("source {}, file {}\nring fingerprint {}\n", keys.source, Printable(keys.file), keys.fingerprint);
  if (keys.next_rotation_s > 0) text += fmt::format("next rotation in {}\n", FormatAge(keys.next_rotation_s));
  text += fmt::format("\n{:<10} {:<8} {:>5}  {}\n", "id", "state", "AEAD", "age");
  for (const KeyReport& key : keys.keys) {
    text += fmt::format("{:<10} {:<8} {:>5}  {}\n", FormatKeyId(key.id), key.state, key.aead, FormatAge(key.age_s));
  }
  return text;
}

std::string ReloadText(const ReloadReport& reload, const Palette& palette) {
  if (!reload.is_good) return palette.Bad("nothing was changed:") + " " + reload.problem + "\n";
  std::string text = reload.applied.empty() && reload.needs_restart.empty()
                         ? "the configuration is as it was; certificates, tokens and keys were read again\n"
                         : "";
  if (!reload.applied.empty()) text += fmt::format("in force: {}\n", fmt::join(reload.applied, ", "));
  for (const ReadCertificateReport& certificate : reload.certificates) {
    text += fmt::format("certificate {} ends {} ({}), {}\n", Printable(certificate.name),
                        FormatDate(certificate.expires_at), FormatDays(certificate.expires_at, reload.at),
                        certificate.is_new ? "new" : "as before");
  }
  if (!reload.needs_restart.empty()) {
    text += palette.Bad("needs a restart:") + fmt::format(" {}\n", fmt::join(reload.needs_restart, ", "));
  }
  return text;
}

}  // namespace ntsd
