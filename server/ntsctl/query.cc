#include "server/ntsctl/query.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <thread>
#include <utility>

#include "core/crypto/fast_random.h"
#include "core/nts/client.h"
#include "ke/client.h"
#include "server/ntsctl/udp_exchange.h"

namespace ntsd {
namespace {

constexpr std::uint16_t kNtpPort = 123;

double Seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

std::int64_t UnixSeconds(UnixTime time) {
  return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

KeOffer OfferFor(const QuerySettings& settings) {
  KeOffer offer;
  offer.aeads = settings.aead ? std::vector<std::uint16_t>{*settings.aead} : std::vector<std::uint16_t>{15, 30, 17};
  offer.compliant_context =
      std::find(offer.aeads.begin(), offer.aeads.end(), AeadNumber(AeadId::kAes128GcmSiv)) != offer.aeads.end();
  return offer;
}

KeQueryReport ReportOf(const ke::ClientResult& result) {
  KeQueryReport report;
  report.peer = result.peer.ToString();
  report.tls_version = result.tls_version;
  report.cipher_suite = result.cipher_suite;
  if (result.certificate) {
    report.certificate_subject = result.certificate->subject;
    report.certificate_names = result.certificate->names;
    report.certificate_issuer = result.certificate->issuer;
    report.certificate_key = result.certificate->key_type;
    report.certificate_ends_at = UnixSeconds(result.certificate->not_after);
  }
  report.is_verified = result.verified;
  report.aead = result.grant.aead;
  report.has_compliant_context = result.grant.compliant_context;
  report.cookie_count = result.grant.cookies.size();
  report.cookie_size = result.grant.cookies.empty() ? 0 : result.grant.cookies.front().size();
  report.ntp_server = result.ntp_server;
  report.ntp_port = result.ntp_port;
  return report;
}

AssociationKeys KeysOf(AeadId aead, const ke::ClientKeys& exported) {
  AssociationKeys keys;
  keys.aead = aead;
  std::copy(exported.c2s.view().begin(), exported.c2s.view().end(), keys.c2s.begin());
  std::copy(exported.s2c.view().begin(), exported.s2c.view().end(), keys.s2c.begin());
  return keys;
}

// One query: NTS-KE when it is asked for, then samples from the first address that answers.
class Query {
 public:
  explicit Query(const QuerySettings& settings) : settings_(settings) {
    report_.host = settings.host;
    report_.is_plain = settings.is_plain;
    report_.now = UnixSeconds(std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now()));
  }

  QueryReport Run() {
    std::string server = settings_.host;
    std::uint16_t port = settings_.ntp_port.value_or(kNtpPort);
    if (!settings_.is_plain) {
      report_.problem = EstablishKeys();
      if (!report_.problem.empty()) return std::move(report_);
      server = report_.ke->ntp_server;
      port = settings_.ntp_port.value_or(report_.ke->ntp_port);
    }
    const Expected<std::vector<IpEndpoint>, std::string> addresses = ResolveUdp(server, port);
    if (!addresses) {
      report_.problem = addresses.error();
      return std::move(report_);
    }
    TakeSamples(*addresses);
    return std::move(report_);
  }

 private:
  // "" or why there are no keys.
  std::string EstablishKeys() {
    ke::QueryOptions options;
    options.host = settings_.host;
    options.port = settings_.ke_port;
    options.offer = OfferFor(settings_);
    options.tls.ca_file = settings_.ca_file;
    options.tls.verify = !settings_.is_insecure;
    options.timeout = settings_.timeout;
    Expected<ke::ClientResult, ke::ClientFailure> result = ke::Query(options);
    if (!result) {
      return fmt::format("NTS-KE with {} port {}: {}", settings_.host, settings_.ke_port,
                         Printable(result.error().text));
    }
    report_.ke = ReportOf(*result);
    const std::optional<AeadId> aead = AeadFromNumber(result->grant.aead);
    if (!aead) return fmt::format("the server chose AEAD {}, which ntsctl does not know", result->grant.aead);
    association_.keys = KeysOf(*aead, result->keys);
    if (!result->noncompliant_keys.c2s.empty()) other_keys_ = KeysOf(*aead, result->noncompliant_keys);
    for (Octets& cookie : result->grant.cookies) association_.cookies.push_back(std::move(cookie));
    return "";
  }

  void TakeSamples(const std::vector<IpEndpoint>& addresses) {
    std::optional<UdpExchange> exchange;
    for (int i = 0; i < settings_.count; ++i) {
      if (i > 0) std::this_thread::sleep_for(settings_.interval);
      report_.samples.push_back(exchange ? TakeSample(*exchange) : FirstSample(addresses, exchange));
      report_.samples.back().address = address_;
      // Without an answer to the first nobody is there; after a NAK all further cookies are worth nothing.
      if (!exchange || needs_new_keys_) break;
    }
    if (static_cast<int>(report_.samples.size()) < settings_.count && report_.samples.back().problem.empty()) {
      report_.problem = "not all samples could be taken";
    }
  }

  // Tries one address after the other, as NTP clients do. Leaves `exchange` at the one that answered.
  SampleReport FirstSample(const std::vector<IpEndpoint>& addresses, std::optional<UdpExchange>& exchange) {
    SampleReport sample;
    for (const IpEndpoint& address : addresses) {
      address_ = address.ToString();
      Expected<UdpExchange, std::string> opened = UdpExchange::Open(address);
      if (!opened) {
        sample.problem = opened.error();
        continue;
      }
      sample = TakeSample(*opened);
      if (!sample.is_authenticated && other_keys_) {
        // chrony 4.4 to 4.6.0 derive other keys for AEAD 30, and only trying tells.
        std::swap(association_.keys, *other_keys_);
        other_keys_.reset();
        needs_new_keys_ = false;
        const SampleReport second = TakeSample(*opened);
        if (second.is_authenticated) {
          sample = second;
          report_.notes.push_back("the server derives keys of AEAD 30 as chrony 4.4 to 4.6.0 do, not as RFC 8915 says");
        }
      }
      if (sample.has_header || needs_new_keys_) {
        exchange.emplace(*std::move(opened));
        return sample;
      }
    }
    return sample;
  }

  SampleReport TakeSample(UdpExchange& exchange) {
    SampleReport sample;
    std::optional<ClientRequest> request = settings_.is_plain ? std::optional(BuildPlainRequest(4, random_))
                                                              : BuildNtsRequest(association_, *aead_, random_);
    if (!request) {
      sample.problem = "no cookie is left";
      needs_new_keys_ = true;
      return sample;
    }
    ResponseFacts facts;
    std::string seen;  // what came, if it was not the answer
    const Expected<UdpAnswer, std::string> answer =
        exchange.Ask(request->datagram, settings_.timeout, [&](const UdpAnswer& candidate) {
          facts = settings_.is_plain ? JudgePlainResponse(*request, candidate.datagram)
                                     : JudgeNtsResponse(*request, candidate.datagram, association_, *aead_);
          seen = VerdictText(facts.verdict);
          return IsFinal(facts.verdict);
        });
    if (!answer) {
      sample.problem = seen.empty() ? answer.error() : seen;
      return sample;
    }
    FillIn(sample, facts, *answer);
    return sample;
  }

  // False for what anybody could have sent instead of the server.
  static bool IsFinal(ResponseVerdict verdict) {
    switch (verdict) {
      case ResponseVerdict::kOk:
      case ResponseVerdict::kUnsynchronized:
      case ResponseVerdict::kNak:
      case ResponseVerdict::kRate:
      case ResponseVerdict::kDeny:
      case ResponseVerdict::kOtherKiss:
        return true;
      case ResponseVerdict::kTooShort:
      case ResponseVerdict::kNotAnAnswer:
      case ResponseVerdict::kMismatched:
      case ResponseVerdict::kUnauthentic:
      case ResponseVerdict::kMalformed:
        return false;
    }
    return false;
  }

  void FillIn(SampleReport& sample, const ResponseFacts& facts, const UdpAnswer& answer) {
    if (facts.verdict != ResponseVerdict::kOk) sample.problem = VerdictText(facts.verdict);
    needs_new_keys_ = facts.verdict == ResponseVerdict::kNak;
    sample.is_authenticated = facts.authenticated;
    if (facts.verdict != ResponseVerdict::kOk && facts.verdict != ResponseVerdict::kUnsynchronized) return;
    const Sample figures = ComputeSample(answer.sent, facts.header, answer.received);
    sample.has_header = true;
    sample.offset_s = Seconds(figures.offset);
    sample.delay_s = Seconds(figures.delay);
    sample.stratum = facts.header.stratum;
    sample.leap = facts.header.leap;
    sample.reference_id = facts.header.reference_id;
    sample.root_delay_s = Seconds(facts.header.root_delay.ToDuration());
    sample.root_dispersion_s = Seconds(facts.header.root_dispersion.ToDuration());
    sample.new_cookie_count = facts.new_cookie_count;
  }

  const QuerySettings& settings_;
  QueryReport report_;
  FastRandom random_;
  const Aead* aead_ = SelectAead();
  NtsAssociation association_;
  std::optional<AssociationKeys> other_keys_;
  std::string address_;
  bool needs_new_keys_ = false;
};

}  // namespace

QueryReport RunQuery(const QuerySettings& settings) { return Query(settings).Run(); }

}  // namespace ntsd
