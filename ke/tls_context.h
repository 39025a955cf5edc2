// What all TLS sessions of a side share: certificates and what the server agrees to, or whom the client trusts.
//
// TLS 1.3 alone, ALPN "ntske/1" required, no tickets, no early data (RFC 8915 §3, RFC 9325).
//
// Threads: never changes once it is made; sessions of any thread may share it and keep it alive.
// Errors: one line for the operator, which names the file and what is wrong with it.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/expected.h"
#include "core/base/time.h"

struct ssl_ctx_st;

namespace ntsd::ke {

inline constexpr std::string_view kAlpn = "ntske/1";

// Files in PEM: the certificate with its intermediates behind it, and its key.
struct CertificatePair {
  std::string chain;
  std::string key;

  friend bool operator==(const CertificatePair&, const CertificatePair&) = default;
};

// What an operator wants to know about a certificate.
struct CertificateInfo {
  std::string chain;               // the file
  std::vector<std::string> names;  // DNS names, wildcards included; the common name when there are none
  std::string subject;
  std::string issuer;
  std::string serial;    // hexadecimal
  std::string key_type;  // "ECDSA P-256", "RSA 2048", "Ed25519"
  UnixTime not_before{};
  UnixTime not_after{};

  friend bool operator==(const CertificateInfo&, const CertificateInfo&) = default;
};

// True when `name` is a certificate's name or stands under its wildcard (RFC 6125 §6.4.3: the leftmost label only).
// `name` in lower case without a final dot.
bool MatchesCertificateName(std::string_view certificate_name, std::string_view name);

class TlsContext {
 public:
  // Reads all pairs, and refuses them all when one of them will not do: missing, unreadable, no PEM, a key that is
  // encrypted or belongs to another certificate, too weak, expired at `now`. The first pair serves clients that name
  // no server. A certificate that is not valid yet is taken: a clock may be wrong at boot.
  static Expected<std::shared_ptr<const TlsContext>, std::string> Load(std::span<const CertificatePair> pairs,
                                                                       UnixTime now);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  const std::vector<CertificateInfo>& certificates() const { return certificates_; }
  // The DNS names of all certificates that are no wildcards.
  std::vector<std::string> ServerNames() const;

  // For sessions: the certificates for a name (any spelling), nullptr when it is none of ours.
  ssl_ctx_st* Find(std::string_view server_name) const;
  ssl_ctx_st* Default() const { return groups_.front().context.get(); }

 private:
  struct FreeContext {
    void operator()(ssl_ctx_st* context) const;
  };
  // Certificates of the same names and different key types: OpenSSL chooses among them by what the client can verify.
  struct Group {
    std::unique_ptr<ssl_ctx_st, FreeContext> context;
    std::vector<std::string> names;
  };

  TlsContext() = default;
  // An empty text: done.
  std::string Add(const CertificatePair& pair, UnixTime now);

  std::vector<Group> groups_;
  std::vector<CertificateInfo> certificates_;
};

// The clients' side.
class TlsClientContext {
 public:
  struct Options {
    std::string ca_file;  // empty: what the system trusts
    bool verify = true;   // false: any certificate will do
    // OpenSSL's names, for tests and conformance checks; empty: what OpenSSL prefers.
    std::string cipher_suites;
    std::string groups;
    std::string signature_algorithms;
    bool only_tls12 = false;
    std::vector<std::string> alpn{std::string(kAlpn)};  // empty: no such extension
    // Offers a key that no server knows, and with it early data (RFC 8446 §4.2.10), which no NTS-KE server may take.
    bool early_data = false;
  };
  static Expected<std::shared_ptr<const TlsClientContext>, std::string> Make(const Options& options);
  ~TlsClientContext();
  TlsClientContext(const TlsClientContext&) = delete;
  TlsClientContext& operator=(const TlsClientContext&) = delete;

  ssl_ctx_st* get() const { return context_; }
  bool verify() const { return verify_; }

 private:
  TlsClientContext() = default;

  ssl_ctx_st* context_ = nullptr;
  bool verify_ = true;
};

}  // namespace ntsd::ke
