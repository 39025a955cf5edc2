#include "ke/tls_context.h"

#include <algorithm>
#include <array>
#include <new>

#include "core/base/check.h"
#include "core/base/ip_address.h"
#include "ke/certificate.h"
#include "ke/openssl.h"
#include "ke/tls_session.h"

namespace ntsd::ke {

namespace {

// Forward secrecy is all that TLS 1.3 has. AES-128 first: it costs the least, and its hash suffices.
constexpr char kCipherSuites[] = "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384";
constexpr char kGroups[] = "X25519:P-256:P-384";
// No RSA below 2,048 bits, no curve below 224, no SHA-1 (BCP 195).
constexpr int kSecurityLevel = 2;
constexpr unsigned int kExtensionAlpn = TLSEXT_TYPE_application_layer_protocol_negotiation;
constexpr unsigned int kExtensionVersions = TLSEXT_TYPE_supported_versions;

TlsSession& SessionOf(SSL* ssl) { return *static_cast<TlsSession*>(SSL_get_app_data(ssl)); }

bool OffersTls13(SSL* ssl) {
  const unsigned char* octets = nullptr;
  std::size_t size = 0;
  if (SSL_client_hello_get0_ext(ssl, kExtensionVersions, &octets, &size) != 1) return false;
  ByteReader reader(ByteView(octets, size));
  reader.Skip(1);  // the length of the list
  // Ends: two octets are used up each turn.
  while (reader.remaining() >= 2) {
    if (reader.ReadU16() == TLS1_3_VERSION) return true;
  }
  return false;
}

// OpenSSL asks about ALPN only when the client offers it; to be refused for its absence it must be looked for here.
// Clients without TLS 1.3 go on, because OpenSSL will tell them what is wrong with them first.
int OnClientHello(SSL* ssl, int* alert, void* /*unused*/) {
  const unsigned char* octets = nullptr;
  std::size_t size = 0;
  if (!OffersTls13(ssl)) return SSL_CLIENT_HELLO_SUCCESS;
  if (SSL_client_hello_get0_ext(ssl, kExtensionAlpn, &octets, &size) == 1) return SSL_CLIENT_HELLO_SUCCESS;
  SessionOf(ssl).Note(TlsFailure::kNoAlpn);
  *alert = SSL_AD_NO_APPLICATION_PROTOCOL;
  return SSL_CLIENT_HELLO_ERROR;
}

int OnServerName(SSL* ssl, int* alert, void* /*unused*/) {
  const char* const name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  if (name == nullptr) return SSL_TLSEXT_ERR_OK;
  SSL_CTX* context = nullptr;
  try {
    context = SessionOf(ssl).server_context()->Find(name);
  } catch (const std::bad_alloc&) {  // nothing can be thrown through OpenSSL
    *alert = SSL_AD_INTERNAL_ERROR;
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  if (context == nullptr) {
    SessionOf(ssl).Note(TlsFailure::kUnknownName);
    *alert = SSL_AD_UNRECOGNIZED_NAME;
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  if (context != SSL_get_SSL_CTX(ssl)) SSL_set_SSL_CTX(ssl, context);
  return SSL_TLSEXT_ERR_OK;
}

int OnAlpn(SSL* ssl, const unsigned char** chosen, unsigned char* chosen_size, const unsigned char* offered,
           unsigned int offered_size, void* /*unused*/) {
  ByteReader reader(ByteView(offered, offered_size));
  // Ends: a name uses up at least its length octet; OpenSSL has checked the list.
  while (reader.remaining() > 0) {
    const ByteView name = reader.ReadBytes(reader.ReadU8());
    if (std::equal(name.begin(), name.end(), kAlpn.begin(), kAlpn.end())) {
      *chosen = name.data();
      *chosen_size = static_cast<unsigned char>(name.size());
      return SSL_TLSEXT_ERR_OK;
    }
  }
  SessionOf(ssl).Note(TlsFailure::kOtherAlpn);
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

SslCtxPtr MakeServerContext() {
  SslCtxPtr context(SSL_CTX_new(TLS_server_method()));
  CHECK(context != nullptr);
  SSL_CTX* const raw = context.get();
  CHECK(SSL_CTX_set_min_proto_version(raw, TLS1_3_VERSION) == 1);
  CHECK(SSL_CTX_set_max_proto_version(raw, TLS1_3_VERSION) == 1);
  CHECK(SSL_CTX_set_ciphersuites(raw, kCipherSuites) == 1);
  CHECK(SSL_CTX_set1_groups_list(raw, kGroups) == 1);
  SSL_CTX_set_security_level(raw, kSecurityLevel);
  SSL_CTX_set_options(raw, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION);
  // An NTS client comes back when its cookies are used up, days later if ever: tickets would be octets for nothing,
  // and without them no early data can come.
  CHECK(SSL_CTX_set_num_tickets(raw, 0) == 1);
  SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
  CHECK(SSL_CTX_set_max_early_data(raw, 0) == 1);
  // A connection that waits should not hold 34 kB of buffers. What is sent is what the operator's file holds: OpenSSL
  // would look for missing issuers among trusted certificates, of which a server has none, at every handshake.
  SSL_CTX_set_mode(raw, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY | SSL_MODE_NO_AUTO_CHAIN);
  SSL_CTX_set_client_hello_cb(raw, OnClientHello, nullptr);
  SSL_CTX_set_tlsext_servername_callback(raw, OnServerName);
  SSL_CTX_set_alpn_select_cb(raw, OnAlpn, nullptr);
  return context;
}

std::string NormalName(std::string_view name) {
  if (!name.empty() && name.back() == '.') name.remove_suffix(1);
  std::string normal(name);
  for (char& c : normal) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
  }
  return normal;
}

// "EC", "RSA" …: OpenSSL keeps one certificate of each in a context.
std::string KeyFamily(const CertificateInfo& info) { return info.key_type.substr(0, info.key_type.find(' ')); }

// A made-up pre-shared key that allows early data. OpenSSL asks for it once for each ClientHello.
int UsePsk(SSL* ssl, const EVP_MD* /*digest*/, const unsigned char** identity, std::size_t* identity_size,
           SSL_SESSION** session) {
  static constexpr std::array<unsigned char, 16> kIdentity{'n', 'o', 't', ' ', 'k', 'n', 'o', 'w', 'n'};
  static constexpr std::array<unsigned char, 32> kKey{};
  static constexpr std::array<unsigned char, 2> kAes128GcmSha256{0x13, 0x01};
  constexpr std::uint32_t kEarlyDataMax = 4096;
  *identity = kIdentity.data();
  *identity_size = kIdentity.size();
  *session = SSL_SESSION_new();
  return *session != nullptr && SSL_SESSION_set1_master_key(*session, kKey.data(), kKey.size()) == 1 &&
                 SSL_SESSION_set_cipher(*session, SSL_CIPHER_find(ssl, kAes128GcmSha256.data())) == 1 &&
                 SSL_SESSION_set_protocol_version(*session, TLS1_3_VERSION) == 1 &&
                 SSL_SESSION_set_max_early_data(*session, kEarlyDataMax) == 1
             ? 1
             : 0;
}

std::vector<std::uint8_t> AlpnList(const std::vector<std::string>& names) {
  std::vector<std::uint8_t> list;
  for (const std::string& name : names) {
    list.push_back(static_cast<std::uint8_t>(name.size()));
    list.insert(list.end(), name.begin(), name.end());
  }
  return list;
}

}  // namespace

bool MatchesCertificateName(std::string_view certificate_name, std::string_view name) {
  if (certificate_name == name) return true;
  if (certificate_name.substr(0, 2) != "*.") return false;
  const std::size_t dot = name.find('.');
  return dot != std::string_view::npos && dot > 0 && name.substr(dot) == certificate_name.substr(1);
}

void TlsContext::FreeContext::operator()(ssl_ctx_st* context) const { SSL_CTX_free(context); }

TlsContext::~TlsContext() = default;

Expected<std::shared_ptr<const TlsContext>, std::string> TlsContext::Load(std::span<const CertificatePair> pairs,
                                                                          UnixTime now) {
  if (pairs.empty()) return Unexpected(std::string("no certificate is configured"));
  std::shared_ptr<TlsContext> context(new TlsContext);
  for (const CertificatePair& pair : pairs) {
    if (std::string error = context->Add(pair, now); !error.empty()) return Unexpected(std::move(error));
  }
  return std::shared_ptr<const TlsContext>(std::move(context));
}

std::string TlsContext::Add(const CertificatePair& pair, UnixTime now) {
  Expected<LoadedCertificate, std::string> loaded = LoadCertificate(pair, now);
  if (!loaded.has_value()) return std::move(loaded.error());
  const CertificateInfo& info = loaded->info;

  const auto sits_beside = [&](const Group& group) {
    const auto same_family = [&](const CertificateInfo& other) {
      return other.names == info.names && KeyFamily(other) == KeyFamily(info);
    };
    return group.names == info.names && std::none_of(certificates_.begin(), certificates_.end(), same_family);
  };
  auto group = std::find_if(groups_.begin(), groups_.end(), sits_beside);
  if (group == groups_.end()) {
    groups_.push_back({std::unique_ptr<ssl_ctx_st, FreeContext>(MakeServerContext().release()), info.names});
    group = groups_.end() - 1;
  }

  SSL_CTX* const context = group->context.get();
  if (SSL_CTX_use_certificate(context, loaded->chain.front().get()) != 1) {
    return pair.chain + ": the certificate (" + info.key_type + ") is not usable: " + TakeOpensslError();
  }
  if (SSL_CTX_use_PrivateKey(context, loaded->key.get()) != 1) {
    return pair.key + ": the key is not usable: " + TakeOpensslError();
  }
  for (std::size_t i = 1; i < loaded->chain.size(); ++i) {
    if (SSL_CTX_add1_chain_cert(context, loaded->chain[i].get()) != 1) {
      return pair.chain + ": certificate " + std::to_string(i + 1) + " is not usable: " + TakeOpensslError();
    }
  }
  certificates_.push_back(std::move(loaded->info));
  return {};
}

std::vector<std::string> TlsContext::ServerNames() const {
  std::vector<std::string> names;
  for (const CertificateInfo& certificate : certificates_) {
    for (const std::string& name : certificate.names) {
      const bool known = std::find(names.begin(), names.end(), name) != names.end();
      if (!known && name.find('*') == std::string::npos) names.push_back(name);
    }
  }
  return names;
}

ssl_ctx_st* TlsContext::Find(std::string_view server_name) const {
  const std::string name = NormalName(server_name);
  // A certificate that has the very name goes before one that covers it by a wildcard.
  for (const Group& group : groups_) {
    if (std::find(group.names.begin(), group.names.end(), name) != group.names.end()) return group.context.get();
  }
  for (const Group& group : groups_) {
    for (const std::string& candidate : group.names) {
      if (MatchesCertificateName(candidate, name)) return group.context.get();
    }
  }
  return nullptr;
}

TlsClientContext::~TlsClientContext() { SSL_CTX_free(context_); }

Expected<std::shared_ptr<const TlsClientContext>, std::string> TlsClientContext::Make(const Options& options) {
  std::shared_ptr<TlsClientContext> client(new TlsClientContext);
  client->verify_ = options.verify;
  SSL_CTX* const context = client->context_ = SSL_CTX_new(TLS_client_method());
  CHECK(context != nullptr);
  const int version = options.only_tls12 ? TLS1_2_VERSION : TLS1_3_VERSION;
  CHECK(SSL_CTX_set_min_proto_version(context, version) == 1);
  CHECK(SSL_CTX_set_max_proto_version(context, version) == 1);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY);
  SSL_CTX_set_verify(context, options.verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
  if (options.verify && options.ca_file.empty() && SSL_CTX_set_default_verify_paths(context) != 1) {
    return Unexpected("the certificates that this system trusts cannot be loaded: " + TakeOpensslError());
  }
  if (options.verify && !options.ca_file.empty() && SSL_CTX_load_verify_file(context, options.ca_file.c_str()) != 1) {
    return Unexpected(options.ca_file + ": holds no certificates that can be loaded: " + TakeOpensslError());
  }
  if (!options.cipher_suites.empty() && SSL_CTX_set_ciphersuites(context, options.cipher_suites.c_str()) != 1) {
    return Unexpected("unknown cipher suite in \"" + options.cipher_suites + "\": " + TakeOpensslError());
  }
  if (!options.groups.empty() && SSL_CTX_set1_groups_list(context, options.groups.c_str()) != 1) {
    return Unexpected("unknown group in \"" + options.groups + "\": " + TakeOpensslError());
  }
  if (!options.signature_algorithms.empty() &&
      SSL_CTX_set1_sigalgs_list(context, options.signature_algorithms.c_str()) != 1) {
    return Unexpected("unknown signature algorithm in \"" + options.signature_algorithms + "\": " + TakeOpensslError());
  }
  if (options.early_data) SSL_CTX_set_psk_use_session_callback(context, UsePsk);
  const std::vector<std::uint8_t> alpn = AlpnList(options.alpn);
  if (!alpn.empty()) {
    CHECK(SSL_CTX_set_alpn_protos(context, alpn.data(), static_cast<unsigned int>(alpn.size())) == 0);
  }
  return std::shared_ptr<const TlsClientContext>(std::move(client));
}

}  // namespace ntsd::ke
