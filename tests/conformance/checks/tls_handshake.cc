#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "tests/conformance/checks/checks.h"
#include "tests/conformance/checks/common.h"
#include "tests/conformance/probe/client_hello.h"

namespace ntsd::conformance {
namespace {

constexpr std::uint8_t kNoApplicationProtocol = 120;
constexpr std::uint8_t kUnrecognizedName = 112;
constexpr std::uint8_t kMissingExtension = 109;

Finding BothFamilies(Probe& probe) {
  Variants variants("a TCP connection and a TLS session on every address of the host");
  for (const IpAddress& address : probe.addresses()) {
    const KeTranscript came = probe.KeAt({address, probe.target().ke_port}, probe.Attempt(Offer()));
    variants.Add(came.handshake_done, "a connection to " + address.ToString(), came);
  }
  return variants.Done();
}

Finding OnlyTls12(Probe& probe) {
  KeAttempt attempt = probe.Attempt(Offer());
  attempt.tls.only_tls12 = true;
  const KeTranscript came = probe.Ke(attempt);
  const bool holds = !came.handshake_done && came.answer.empty();
  return JudgeKe(holds, "a ClientHello of TLS 1.2", "no session; alert protocol_version(70)", came);
}

KeTranscript WithAlpn(Probe& probe, std::vector<std::string> alpn) {
  KeAttempt attempt = probe.Attempt(Offer());
  attempt.tls.alpn = std::move(alpn);
  return probe.Ke(attempt);
}

Finding AlpnSelected(Probe& probe) {
  const KeTranscript came = WithAlpn(probe, {"ntske/1"});
  return JudgeKe(came.handshake_done && came.alpn == "ntske/1", "ALPN [ntske/1]", "ntske/1 selected", came);
}

Finding AlpnAmongOthers(Probe& probe) {
  const KeTranscript came = WithAlpn(probe, {"h2", "ntske/1", "http/1.1"});
  return JudgeKe(came.handshake_done && came.alpn == "ntske/1", "ALPN [h2, ntske/1, http/1.1]", "ntske/1 selected",
                 came);
}

Finding OtherAlpn(Probe& probe) {
  const KeTranscript came = WithAlpn(probe, {"h2"});
  return JudgeKe(came.alert == kNoApplicationProtocol && came.answer.empty(), "ALPN [h2]",
                 "alert no_application_protocol(120), no NTS-KE", came);
}

Finding NoAlpn(Probe& probe) {
  const KeTranscript came = WithAlpn(probe, {});
  return JudgeKe(!HasCookies(came), "no ALPN extension, an ordinary request", "no cookies", came);
}

ServerFlight Hello(Probe& probe, ClientHello hello) {
  hello.server_name = IpAddress::Parse(probe.server_name()) ? "" : probe.server_name();
  KeAttempt attempt = probe.Attempt(Octets());
  attempt.raw = WriteClientHello(hello, probe.random());
  attempt.patience = probe.is_fast() ? Milliseconds(300) : Milliseconds(3000);
  return ReadServerFlight(probe.Ke(attempt).raw);
}

// The parts of BCP 195 that a client can see.
Finding Bcp195(Probe& probe) {
  Variants variants("forward secrecy, no SHA-1, RSA of 2048 bits or more");
  const ServerFlight only_rsa = Hello(probe, {.cipher_suites = {0x009C, 0x003C, 0x002F}});
  variants.Add(!only_rsa.server_hello, "suites of static RSA alone", Describe(only_rsa));
  const ServerFlight sha1 = Hello(probe, {.signature_algorithms = {0x0201, 0x0203}});
  variants.Add(!sha1.WentOn(), "signatures with SHA-1 alone", Describe(sha1));
  const KeTranscript came = probe.Ke(Offer());
  if (came.certificate) {
    const std::string& type = came.certificate->key_type;
    const bool is_weak = type.substr(0, 4) == "RSA " && std::atoi(type.c_str() + 4) < 2048;
    variants.Add(!is_weak, "a certificate", "a certificate with " + Printable(type));
  }
  return variants.Done();
}

KeTranscript Limited(Probe& probe, std::string suites, std::string groups, std::string signatures = "") {
  KeAttempt attempt = probe.Attempt(Offer());
  attempt.tls.cipher_suites = std::move(suites);
  attempt.tls.groups = std::move(groups);
  attempt.tls.signature_algorithms = std::move(signatures);
  return probe.Ke(attempt);
}

Finding MandatoryParameters(Probe& probe) {
  const KeTranscript came = Limited(probe, "TLS_AES_128_GCM_SHA256", "P-256", "RSA-PSS+SHA256:ECDSA+SHA256");
  return JudgeKe(came.handshake_done,
                 "TLS_AES_128_GCM_SHA256, secp256r1, rsa_pss_rsae_sha256 and ecdsa_secp256r1_sha256 alone",
                 "a TLS session", came);
}

Finding UsualParameters(Probe& probe) {
  Variants variants("a TLS session with each");
  for (const auto& [suite, group] :
       {std::pair("TLS_AES_128_GCM_SHA256", "X25519"), std::pair("TLS_AES_256_GCM_SHA384", "P-256"),
        std::pair("TLS_CHACHA20_POLY1305_SHA256", "P-256")}) {
    const KeTranscript came = Limited(probe, suite, group);
    variants.Add(came.handshake_done, fmt::format("{} with {}", suite, group), came);
  }
  return variants.Done();
}

Finding MissingExtensions(Probe& probe) {
  Variants variants("alert missing_extension(109)");
  const ServerFlight groups = Hello(probe, {.omit_groups = true});
  variants.Add(groups.alert == kMissingExtension, "key_share without supported_groups", Describe(groups));
  const ServerFlight share = Hello(probe, {.omit_key_share = true});
  variants.Add(share.alert == kMissingExtension, "supported_groups without key_share", Describe(share));
  const ServerFlight signatures = Hello(probe, {.omit_signature_algorithms = true});
  variants.Add(signatures.alert == kMissingExtension, "no signature_algorithms", Describe(signatures));
  return variants.Done();
}

Finding HelloRetry(Probe& probe) {
  Variants variants("a HelloRetryRequest, and a session after it");
  const ServerFlight empty = Hello(probe, {.key_share = false});
  variants.Add(empty.hello_retry_request, "an empty list of key shares", Describe(empty));
  // OpenSSL sends a share for the first group alone. Which group a server lacks has to be tried.
  for (const char* const groups : {"X448:X25519:P-256", "P-521:X25519:P-256", "ffdhe8192:X25519:P-256"}) {
    const KeTranscript came = Limited(probe, "", groups);
    if (!came.SawHelloRetryRequest()) continue;
    variants.Add(came.handshake_done && IsGrant(came), fmt::format("groups {} with a share for the first", groups),
                 came);
    break;
  }
  return variants.Done();
}

Finding CertificateIdentity(Probe& probe) {
  if (probe.target().is_insecure) return Skip("--insecure: nobody knows which authorities to trust");
  const KeTranscript& came = probe.first_ke();
  std::string names = "no certificate";
  if (came.certificate)
    names = fmt::format("for {}", Printable(fmt::format("{}", fmt::join(came.certificate->names, ", "))));
  return Judge(came.handshake_done && came.verified, "a ClientHello for " + Printable(probe.server_name()),
               "a chain that a trusted authority has signed, for that name",
               came.handshake_done ? "a good chain, " + names : Describe(came));
}

bool Carries(const KeTranscript& transcript, const std::string& name) {
  if (!transcript.certificate) return false;
  const std::vector<std::string>& names = transcript.certificate->names;
  return std::any_of(names.begin(), names.end(),
                     [&](const std::string& one) { return ke::MatchesCertificateName(one, name); });
}

Finding ServerNames(Probe& probe) {
  std::vector<std::string> names = probe.target().names;
  // The server's own certificate tells which names it goes by.
  const KeTranscript own = probe.Ke(Offer());
  if (names.empty() && own.certificate) names = own.certificate->names;
  Variants variants("a certificate for the name that was asked for");
  std::size_t asked = 0;
  for (const std::string& name : names) {
    if (name.find('*') != std::string::npos || IpAddress::Parse(name) || name.find('.') == std::string::npos) continue;
    if (++asked > 8) break;
    KeAttempt attempt = probe.Attempt(Offer());
    attempt.server_name = name;
    const KeTranscript came = probe.Ke(attempt);
    variants.Add(came.handshake_done && Carries(came, name), "server_name " + Printable(name), came);
  }
  if (asked == 0) return Skip("no DNS name of this server is known; --name gives one");
  return variants.Done();
}

Finding UnknownServerName(Probe& probe) {
  Variants variants("alert unrecognized_name(112) for a name that it has not, a session without a name");
  KeAttempt attempt = probe.Attempt(Offer());
  attempt.server_name = "no-such-name.invalid";
  const KeTranscript bogus = probe.Ke(attempt);
  variants.Add(bogus.alert == kUnrecognizedName, "server_name no-such-name.invalid", bogus);
  attempt.server_name = "";
  const KeTranscript absent = probe.Ke(attempt);
  variants.Add(absent.handshake_done, "no server_name", absent);
  return variants.Done();
}

Finding EarlyData(Probe& probe) {
  KeAttempt attempt = probe.Attempt(Offer());
  attempt.tls.early_data = true;
  attempt.early_data = attempt.request;
  const KeTranscript came = probe.Ke(attempt);
  const bool offers_early_data = [&] {
    const KeTranscript ordinary = probe.Ke(Offer());
    constexpr std::array<std::uint8_t, 4> kEarlyDataExtension{0x00, 0x2A, 0x00, 0x04};
    return std::any_of(ordinary.messages.begin(), ordinary.messages.end(), [&](const ke::TlsMessage& message) {
      return !message.sent && !message.octets.empty() && message.octets[0] == 4 &&
             std::search(message.octets.begin(), message.octets.end(), kEarlyDataExtension.begin(),
                         kEarlyDataExtension.end()) != message.octets.end();
    });
  }();
  if (offers_early_data) {
    return Judge(false, "an ordinary handshake", "no ticket that allows early data", "a ticket with early_data");
  }
  return JudgeKe(!came.early_data_accepted && came.answers_complete <= 1,
                 "the request as early data under an unknown key", "early data refused, at most one answer", came);
}

Finding Tickets(Probe& probe) {
  constexpr std::uint32_t kLifetimeMax_s = 7 * 86400;
  const std::vector<std::uint32_t> lifetimes = probe.Ke(Offer()).TicketLifetimes();
  const bool holds = std::all_of(lifetimes.begin(), lifetimes.end(),
                                 [](std::uint32_t lifetime) { return lifetime <= kLifetimeMax_s; });
  return Judge(holds, "an ordinary handshake", "no ticket, or one that lives for at most 7 days",
               lifetimes.empty() ? "no tickets" : fmt::format("tickets for {} s", fmt::join(lifetimes, ", ")));
}

constexpr Check kChecks[] = {
    {"R-TLS-01", "RFC 8915 §4", Level::kMust, "NTS-KE listens on every address of the host", BothFamilies},
    {"R-TLS-02", "RFC 8915 §3", Level::kMust, "No TLS version below 1.3", OnlyTls12},
    {"R-TLS-03", "RFC 8915 §3", Level::kMust, "ALPN ntske/1 is accepted", AlpnSelected},
    {"R-TLS-04", "RFC 7301 §3.2", Level::kMust, "ntske/1 is selected among other protocols", AlpnAmongOthers},
    {"R-TLS-05", "RFC 7301 §3.2", Level::kMust, "ALPN without ntske/1 is refused by alert 120", OtherAlpn},
    {"R-TLS-06", "RFC 8915 §4", Level::kRecommended, "No cookies without ALPN", NoAlpn},
    {"R-TLS-07", "RFC 9325 §4", Level::kMust, "BCP 195: forward secrecy, no SHA-1, no short keys", Bcp195},
    {"R-TLS-08", "RFC 8446 §9.1", Level::kMust, "The mandatory suite, group and signatures suffice",
     MandatoryParameters},
    {"R-TLS-09", "RFC 8446 §9.1", Level::kShould, "X25519, AES-256-GCM and ChaCha20 work", UsualParameters},
    {"R-TLS-10", "RFC 8446 §9.2", Level::kMust, "A ClientHello without required extensions: alert 109",
     MissingExtensions},
    {"R-TLS-11", "RFC 8446 §4.1.4", Level::kMust, "HelloRetryRequest when no key share is usable", HelloRetry},
    {"R-TLS-12", "RFC 8915 §3", Level::kMust, "The certificate is for this server and trusted", CertificateIdentity},
    {"R-TLS-13", "RFC 8446 §9.2", Level::kMust, "The certificate follows the server name asked for", ServerNames},
    {"R-TLS-14", "RFC 9325 §3.7", Level::kShould, "An unknown server name: alert 112; none: a session",
     UnknownServerName},
    {"R-TLS-15", "RFC 8446 §8", Level::kMust, "Early data is never taken", EarlyData},
    {"R-TLS-16", "RFC 8446 §4.6.1", Level::kMust, "Tickets live for a week at most", Tickets},
};

}  // namespace

std::span<const Check> TlsHandshakeChecks() { return kChecks; }

}  // namespace ntsd::conformance
