#include <fmt/format.h>

#include <algorithm>

#include "server/ntsctl/query_report.h"

namespace ntsd {
namespace {

std::string Row(std::string_view name, std::string_view text) { return fmt::format("  {:<12} {}\n", name, text); }

std::string CertificateRows(const KeQueryReport& ke, std::int64_t now, const Palette& palette) {
  std::vector<std::string> names;
  for (const std::string& name : ke.certificate_names) names.push_back(Printable(name));
  std::string text = Row("certificate", fmt::format("{} ({})", fmt::join(names, ", "), ke.certificate_key));
  text += Row("", fmt::format("issued by {}", Printable(ke.certificate_issuer)));
  text +=
      Row("", fmt::format("ends {} ({})", FormatDate(ke.certificate_ends_at), FormatDays(ke.certificate_ends_at, now)));
  return text + Row("", ke.is_verified ? palette.Good("verified") : palette.Bad("NOT VERIFIED, as --insecure asked"));
}

std::string KeText(const QueryReport& report, const Palette& palette) {
  const KeQueryReport& ke = *report.ke;
  const std::optional<AeadId> aead = AeadFromNumber(static_cast<std::uint16_t>(ke.aead));
  std::string text = fmt::format("{} {} at {}\n", palette.Bold("NTS-KE"), Printable(report.host), ke.peer);
  text += Row("TLS", fmt::format("{}, {}", ke.tls_version, ke.cipher_suite));
  text += CertificateRows(ke, report.now, palette);
  text += Row("AEAD", fmt::format("{} {}{}", ke.aead, aead ? AeadName(*aead) : "unknown",
                                  ke.has_compliant_context ? ", keys by record 1024" : ""));
  text += Row("cookies", fmt::format("{} of {} octets", ke.cookie_count, ke.cookie_size));
  const bool is_v6 = ke.ntp_server.find(':') != std::string::npos;
  return text + Row("NTP server", fmt::format("{}{}{}, port {}", is_v6 ? "[" : "", Printable(ke.ntp_server),
                                              is_v6 ? "]" : "", ke.ntp_port));
}

std::string SampleRow(std::size_t number, const SampleReport& sample, bool is_plain, const Palette& palette) {
  std::string text = fmt::format("  {:>2}  ", number);
  if (!sample.has_header) return text + palette.Bad(sample.problem) + "\n";
  text +=
      fmt::format("{:>11} {:>10} {:>8} {:>15} {:>14}  ", FormatOffset(sample.offset_s), FormatSeconds(sample.delay_s),
                  sample.stratum, LeapText(sample.leap), FormatSeconds(sample.RootDistance_s()));
  if (!sample.problem.empty()) return text + palette.Bad(sample.problem) + "\n";
  if (sample.is_authenticated) return text + palette.Good("yes") + "\n";
  return text + (is_plain ? "no, plain NTP" : palette.Bad("NO")) + "\n";
}

// The sample with the least delay has the least room for error (RFC 5905 §10).
const SampleReport* BestSample(const std::vector<SampleReport>& samples) {
  const SampleReport* best = nullptr;
  for (const SampleReport& sample : samples) {
    if (!sample.problem.empty()) continue;
    if (best == nullptr || sample.delay_s < best->delay_s) best = &sample;
  }
  return best;
}

std::string SamplesText(const QueryReport& report, const Palette& palette) {
  const std::vector<SampleReport>& samples = report.samples;
  std::string text = fmt::format("{} {}\n", palette.Bold(report.is_plain ? "NTP   " : "NTS   "), samples[0].address);
  text += fmt::format("  {:>2}  {:>11} {:>10} {:>8} {:>15} {:>14}  {}\n", "#", "offset", "delay", "stratum", "leap",
                      "root distance", "authenticated");
  for (std::size_t i = 0; i < samples.size(); ++i) text += SampleRow(i + 1, samples[i], report.is_plain, palette);
  const auto good_count =
      std::count_if(samples.begin(), samples.end(), [](const SampleReport& sample) { return sample.problem.empty(); });
  const std::string summary = fmt::format("{} of {} samples {}", good_count, samples.size(),
                                          report.is_plain ? "answered, none authenticated" : "authenticated");
  text += "\n" + (report.IsGood() && !report.is_plain ? palette.Good(summary)
                  : report.IsGood()                   ? summary
                                                      : palette.Bad(summary));
  if (const SampleReport* const best = BestSample(samples)) {
    text += fmt::format("; this clock is {} {} the server's, give or take {}", FormatSeconds(std::abs(best->offset_s)),
                        best->offset_s < 0 ? "ahead of" : "behind", FormatSeconds(best->RootDistance_s()));
  }
  return text + "\n";
}

}  // namespace

bool QueryReport::IsGood() const {
  return problem.empty() && !samples.empty() && std::all_of(samples.begin(), samples.end(), [&](const auto& sample) {
           return sample.problem.empty() && (is_plain || sample.is_authenticated);
         });
}

std::string QueryText(const QueryReport& report, const Palette& palette) {
  std::string text;
  if (report.ke) text += KeText(report, palette) + "\n";
  for (const std::string& note : report.notes) text += fmt::format("note: {}\n", note);
  if (!report.samples.empty()) text += SamplesText(report, palette);
  return text;
}

}  // namespace ntsd
