// What one NTS-KE exchange costs a server, sockets apart: server and client in one thread over memory, and only the
// server's turns are timed. OpenSsl is the floor: the same handshake (TLS 1.3, ECDSA P-256, X25519, AES-128-GCM, no
// tickets), two exporters, one record in and one of the same size out, and nothing of ours. NtsKe is ours: the same
// with records read, eight cookies sealed, and every rule of the exchange.
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "core/base/check.h"
#include "core/crypto/fast_random.h"
#include "core/keys/key_ring.h"
#include "ke/connection.h"
#include "ke/openssl.h"

namespace ntsd::ke {
namespace {

// Next Protocol NTPv4, AEAD 15, End of Message (RFC 8915 §4.1).
constexpr std::array<std::uint8_t, 16> kRequest = {0x80, 1, 0, 2, 0, 0, 0x80, 4, 0, 2, 0, 15, 0x80, 0, 0, 0};
// What such a request is answered with: both records, eight cookies of 100 octets, End of Message.
constexpr std::size_t kResponseSize = 12 + 8 * 104 + 4;
constexpr char kExporterLabel[] = "EXPORTER-network-time-security";

// A throw-away certificate in files, as a server reads it.
class Certificate {
 public:
  Certificate()
      : folder_(std::filesystem::temp_directory_path() /
                ("handshake-bench-" + std::to_string(getpid()) + "-" + std::to_string(gettid()))) {
    std::filesystem::create_directory(folder_);
    const KeyPtr key(EVP_EC_gen("P-256"));
    const X509Ptr certificate(X509_new());
    ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 86400);
    X509_set_pubkey(certificate.get(), key.get());
    X509_NAME* const name = X509_get_subject_name(certificate.get());
    const auto* const common_name = reinterpret_cast<const unsigned char*>("localhost");
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, common_name, -1, -1, 0);
    X509_set_issuer_name(certificate.get(), name);
    CHECK(X509_sign(certificate.get(), key.get(), EVP_sha256()) > 0);
    std::FILE* file = std::fopen(pair().chain.c_str(), "w");
    CHECK(file != nullptr && PEM_write_X509(file, certificate.get()) == 1);
    std::fclose(file);
    file = std::fopen(pair().key.c_str(), "w");
    CHECK(file != nullptr && PEM_write_PrivateKey(file, key.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1);
    std::fclose(file);
  }
  Certificate(const Certificate&) = delete;
  Certificate& operator=(const Certificate&) = delete;
  ~Certificate() { std::filesystem::remove_all(folder_); }

  CertificatePair pair() const { return {.chain = folder_ / "chain.pem", .key = folder_ / "key.pem"}; }

 private:
  const std::filesystem::path folder_;
};

// The client's side of an exchange, which is not timed.
class Client {
 public:
  Client() : context_(TlsClientContext::Make({.ca_file = {}, .verify = false}).value()) {}

  void Begin() {
    session_ = TlsSession::Connect(context_, "localhost");
    is_asking_ = false;
    is_answered_ = false;
    session_->Handshake();
  }
  bool is_answered() const { return is_answered_; }
  std::vector<std::uint8_t> TakeOutgoing() {
    const ByteView octets = session_->outgoing();
    std::vector<std::uint8_t> taken(octets.begin(), octets.end());
    session_->Sent(taken.size());
    return taken;
  }
  void Receive(ByteView octets) {
    session_->Receive(octets);
    if (!is_asking_) {
      if (session_->Handshake() != TlsSession::Progress::kDone) return;
      session_->Write(kRequest);
      is_asking_ = true;
    }
    std::array<std::uint8_t, 4096> buffer;
    is_answered_ = is_answered_ || !session_->Read(buffer).octets.empty();
  }

 private:
  const std::shared_ptr<const TlsClientContext> context_;
  std::unique_ptr<TlsSession> session_;
  bool is_asking_ = false, is_answered_ = false;
};

// Adds up the time of the server's turns.
class Stopwatch {
 public:
  template <typename Turn>
  void Time(Turn turn) {
    const auto start = std::chrono::steady_clock::now();
    turn();
    total_ += std::chrono::steady_clock::now() - start;
  }
  double TakeSeconds() { return std::chrono::duration<double>(std::exchange(total_, {})).count(); }

 private:
  std::chrono::nanoseconds total_{};
};

// What was tried to make OpenSSL itself cheaper; see bench/results for what it gave.
enum class Variant { kAsWeUseIt, kOwnLibraryContext, kAes256 };

// OpenSSL with nothing around it.
template <Variant kVariant>
class BareServer {
 public:
  explicit BareServer(const CertificatePair& pair)
      : library_(kVariant == Variant::kOwnLibraryContext ? OSSL_LIB_CTX_new() : nullptr),
        context_(SSL_CTX_new_ex(library_.get(), nullptr, TLS_server_method())) {
    SSL_CTX* const context = context_.get();
    SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
    SSL_CTX_set_num_tickets(context, 0);
    SSL_CTX_set_ciphersuites(context,
                             kVariant == Variant::kAes256 ? "TLS_AES_256_GCM_SHA384" : "TLS_AES_128_GCM_SHA256");
    SSL_CTX_set1_groups_list(context, "X25519");
    CHECK(SSL_CTX_use_certificate_chain_file(context, pair.chain.c_str()) == 1);
    CHECK(SSL_CTX_use_PrivateKey_file(context, pair.key.c_str(), SSL_FILETYPE_PEM) == 1);
    SSL_CTX_set_alpn_select_cb(
        context,
        [](SSL*, const unsigned char** out, unsigned char* size, const unsigned char* in, unsigned, void*) {
          *out = in + 1;
          *size = in[0];
          return SSL_TLSEXT_ERR_OK;
        },
        nullptr);
  }

  void Open() {
    session_.reset(SSL_new(context_.get()));
    in_ = BIO_new(BIO_s_mem());
    out_ = BIO_new(BIO_s_mem());
    SSL_set_bio(session_.get(), in_, out_);
    is_done_ = false;
  }
  void Receive(ByteView octets) {
    BIO_write(in_, octets.data(), static_cast<int>(octets.size()));
    if (!is_done_ && SSL_accept(session_.get()) != 1) return;
    is_done_ = true;
    std::array<std::uint8_t, 4096> buffer;
    if (SSL_read(session_.get(), buffer.data(), static_cast<int>(buffer.size())) <= 0) return;
    std::array<std::uint8_t, 32> key;
    for (const std::uint8_t direction : std::array<std::uint8_t, 2>{0, 1}) {
      const std::array<std::uint8_t, 5> context = {0, 0, 0, 15, direction};
      CHECK(SSL_export_keying_material(session_.get(), key.data(), key.size(), kExporterLabel,
                                       sizeof(kExporterLabel) - 1, context.data(), context.size(), 1) == 1);
    }
    SSL_write(session_.get(), buffer.data(), kResponseSize);
    SSL_shutdown(session_.get());
  }
  std::vector<std::uint8_t> TakeOutgoing() {
    std::vector<std::uint8_t> taken(BIO_ctrl_pending(out_));
    if (!taken.empty()) BIO_read(out_, taken.data(), static_cast<int>(taken.size()));
    return taken;
  }
  void Close() { session_.reset(); }

 private:
  const std::unique_ptr<OSSL_LIB_CTX, OpensslDeleter<OSSL_LIB_CTX_free>> library_;
  const SslCtxPtr context_;
  SslPtr session_;
  BIO *in_ = nullptr, *out_ = nullptr;  // the session's
  bool is_done_ = false;
};

// The connection of a worker, without its socket.
class OwnServer {
 public:
  explicit OwnServer(const CertificatePair& pair)
      : tls_(TlsContext::Load(std::span(&pair, 1),
                              std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now()))
                 .value()),
        ring_(MakeKeys()),
        keys_(ring_) {
    policy_.aeads = {AeadId::kAes128GcmSiv, AeadId::kAesSivCmac256, AeadId::kAesSivCmac512};
  }

  void Open() { connection_.Open(IpAddress::V4(0x7F000001)); }
  void Receive(ByteView octets) {
    connection_.Advance(octets, {.tls = tls_, .policy = policy_, .aead = *aead_, .keys = keys_, .random = random_});
  }
  std::vector<std::uint8_t> TakeOutgoing() {
    const ByteView octets = connection_.outgoing();
    std::vector<std::uint8_t> taken(octets.begin(), octets.end());
    if (!taken.empty()) connection_.Sent(taken.size());
    return taken;
  }
  void Close() { connection_.Close(); }

 private:
  static std::shared_ptr<const KeySet> MakeKeys() {
    MasterKey key{.id = 1, .aead = AeadId::kAesSivCmac256, .key = {}, .created = {}};
    std::uint8_t octet = 0;
    for (std::uint8_t& target : key.key.Resize(AeadKeySize(key.aead))) target = ++octet;
    return KeySet::Make(std::span(&key, 1), 0, 1, false);
  }

  const std::shared_ptr<const TlsContext> tls_;
  KePolicy policy_;
  const Aead* const aead_ = SelectAead();
  KeyRing ring_;
  KeyRing::Reader keys_;
  FastRandom random_;
  Connection connection_;
};

template <typename Server>
void Handshake(benchmark::State& state) {
  const Certificate certificate;
  Server server(certificate.pair());
  Client client;
  Stopwatch stopwatch;
  for (auto _ : state) {
    client.Begin();
    stopwatch.Time([&] { server.Open(); });
    for (int turn = 0; turn < 10 && !client.is_answered(); ++turn) {
      const std::vector<std::uint8_t> to_server = client.TakeOutgoing();
      std::vector<std::uint8_t> to_client;
      stopwatch.Time([&] {
        server.Receive(to_server);
        to_client = server.TakeOutgoing();
      });
      client.Receive(to_client);
    }
    CHECK(client.is_answered());
    stopwatch.Time([&] { server.Close(); });
    state.SetIterationTime(stopwatch.TakeSeconds());
  }
}
template <Variant kVariant>
using Bare = BareServer<kVariant>;
#define HANDSHAKE(name, server) \
  BENCHMARK(Handshake<server>)->Name(name)->UseManualTime()->Unit(benchmark::kMicrosecond)->ThreadRange(1, 2)
HANDSHAKE("OpenSsl", Bare<Variant::kAsWeUseIt>);
HANDSHAKE("OpenSsl_own_library_context", Bare<Variant::kOwnLibraryContext>);
HANDSHAKE("OpenSsl_aes256", Bare<Variant::kAes256>);
HANDSHAKE("NtsKe", OwnServer);

}  // namespace
}  // namespace ntsd::ke

BENCHMARK_MAIN();
