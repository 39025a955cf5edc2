#include "ke/tls_session.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "core/base/check.h"
#include "core/base/ip_address.h"
#include "ke/certificate.h"
#include "ke/openssl.h"

namespace ntsd::ke {

// OpenSSL's way to our octets: reads what the worker has just received, in place, and appends what is to be sent.
struct SessionBio {
  // nullptr: there is no memory.
  static BIO* Make(TlsSession* session) {
    // Made once for the process and never freed: OpenSSL's own BIOs have such tables too.
    static BIO_METHOD* const method = MakeMethod();
    BIO* const bio = BIO_new(method);
    if (bio == nullptr) return nullptr;
    BIO_set_data(bio, session);
    BIO_set_init(bio, 1);
    return bio;
  }

 private:
  static BIO_METHOD* MakeMethod() {
    BIO_METHOD* const method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "ntsd session");
    CHECK(method != nullptr);
    BIO_meth_set_read_ex(method, Read);
    BIO_meth_set_write_ex(method, Write);
    BIO_meth_set_ctrl(method, Control);
    return method;
  }
  static TlsSession& SessionOf(BIO* bio) { return *static_cast<TlsSession*>(BIO_get_data(bio)); }

  static int Read(BIO* bio, char* target, std::size_t size, std::size_t* read_size) {
    ByteView& incoming = SessionOf(bio).incoming_;
    BIO_clear_retry_flags(bio);
    if (incoming.empty()) {
      BIO_set_retry_read(bio);
      return 0;
    }
    *read_size = std::min(size, incoming.size());
    std::memcpy(target, incoming.data(), *read_size);
    incoming = incoming.subspan(*read_size);
    return 1;
  }
  static int Write(BIO* bio, const char* octets, std::size_t size, std::size_t* written_size) {
    std::vector<std::uint8_t>& outgoing = SessionOf(bio).outgoing_;
    const auto* const begin = reinterpret_cast<const std::uint8_t*>(octets);
    try {
      outgoing.insert(outgoing.end(), begin, begin + size);
    } catch (const std::bad_alloc&) {
      return 0;  // OpenSSL, through which nothing can be thrown, gives this session up
    }
    *written_size = size;
    return 1;
  }
  static long Control(BIO* /*bio*/, int command, long /*argument*/, void* /*pointer*/) {
    return command == BIO_CTRL_FLUSH ? 1 : 0;
  }
};

namespace {

// What made OpenSSL give up, in our words. Reasons from 1000 on are alerts of the peer.
TlsFailure Classify(unsigned long error) {
  if (ERR_GET_LIB(error) != ERR_LIB_SSL) return TlsFailure::kProtocol;
  const int reason = ERR_GET_REASON(error);
  if (reason >= SSL_AD_REASON_OFFSET) return TlsFailure::kPeerAlert;
  switch (reason) {
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST:
      return TlsFailure::kNotTls;
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_UNKNOWN_PROTOCOL:
    case SSL_R_VERSION_TOO_LOW:
      return TlsFailure::kVersion;
    case SSL_R_NO_SHARED_CIPHER:
    case SSL_R_NO_SUITABLE_KEY_SHARE:
    case SSL_R_NO_SHARED_GROUPS:
    case SSL_R_NO_SUITABLE_GROUPS:
    case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
    case SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS:
      return TlsFailure::kNoCommonParameters;
    case SSL_R_CERTIFICATE_VERIFY_FAILED:
      return TlsFailure::kCertificate;
    default:
      return TlsFailure::kProtocol;
  }
}

// OpenSSL's messages that TlsMessage has a kind for; the others are headers of records.
void OnMessage(int sent, int /*version*/, int content_type, const void* octets, std::size_t size, SSL* /*ssl*/,
               void* messages) {
  TlsMessage::Kind kind{};
  switch (content_type) {
    case SSL3_RT_HANDSHAKE:
      kind = TlsMessage::Kind::kHandshake;
      break;
    case SSL3_RT_ALERT:
      kind = TlsMessage::Kind::kAlert;
      break;
    case SSL3_RT_INNER_CONTENT_TYPE:
      kind = TlsMessage::Kind::kRecord;
      break;
    default:
      return;
  }
  const ByteView view(static_cast<const std::uint8_t*>(octets), size);
  static_cast<std::vector<TlsMessage>*>(messages)->push_back({sent != 0, kind, {view.begin(), view.end()}});
}

}  // namespace

std::unique_ptr<TlsSession> TlsSession::Accept(std::shared_ptr<const TlsContext> context) {
  std::unique_ptr<TlsSession> session(new TlsSession);
  session->server_context_ = std::move(context);
  if (!session->Attach(SSL_new(session->server_context_->Default()))) return nullptr;
  SSL_set_accept_state(session->ssl_);
  return session;
}

std::unique_ptr<TlsSession> TlsSession::Connect(std::shared_ptr<const TlsClientContext> context,
                                                const std::string& server_name, const std::string& verified_name) {
  std::unique_ptr<TlsSession> session(new TlsSession);
  session->client_context_ = std::move(context);
  if (!session->Attach(SSL_new(session->client_context_->get()))) return nullptr;
  SSL* const ssl = session->ssl_;
  SSL_set_connect_state(ssl);
  const std::string& expected = verified_name.empty() ? server_name : verified_name;
  const bool is_address = IpAddress::Parse(server_name).has_value();
  if (!server_name.empty() && !is_address && SSL_set_tlsext_host_name(ssl, server_name.c_str()) != 1) return nullptr;
  if (session->client_context_->verify() && !expected.empty()) {
    X509_VERIFY_PARAM* const parameters = SSL_get0_param(ssl);
    const bool set = IpAddress::Parse(expected).has_value()
                         ? X509_VERIFY_PARAM_set1_ip_asc(parameters, expected.c_str()) == 1
                         : X509_VERIFY_PARAM_set1_host(parameters, expected.c_str(), expected.size()) == 1;
    if (!set) return nullptr;
  }
  return session;
}

TlsSession::~TlsSession() { SSL_free(ssl_); }

bool TlsSession::Attach(ssl_st* ssl) {
  if (ssl == nullptr) return false;
  ssl_ = ssl;
  if (SSL_set_app_data(ssl, this) != 1) return false;  // our callbacks could not find us
  BIO* const bio = SessionBio::Make(this);
  if (bio == nullptr) return false;
  SSL_set_bio(ssl, bio, bio);  // takes the one reference for both directions
  return true;
}

void TlsSession::Sent(std::size_t size) {
  sent_size_ += size;
  CHECK(sent_size_ <= outgoing_.size());
  if (sent_size_ < outgoing_.size()) return;
  outgoing_.clear();
  sent_size_ = 0;
}

TlsSession::Progress TlsSession::Handshake() {
  ERR_clear_error();
  const int result = SSL_do_handshake(ssl_);
  if (result == 1) return Progress::kDone;
  if (SSL_get_error(ssl_, result) == SSL_ERROR_WANT_READ) return Progress::kNeedsOctets;
  return Fail();
}

TlsSession::Progress TlsSession::Fail() {
  const unsigned long error = ERR_peek_last_error();
  // A callback of ours that refused knows better than OpenSSL why.
  if (failure_ == TlsFailure::kNone) failure_ = Classify(error);
  detail_ = TakeOpensslError();
  if (failure_ == TlsFailure::kCertificate) {
    detail_ = X509_verify_cert_error_string(SSL_get_verify_result(ssl_));
  }
  return Progress::kFailed;
}

TlsSession::ReadResult TlsSession::Read(ByteSpan buffer) {
  ERR_clear_error();
  std::size_t size = 0;
  const int result = SSL_read_ex(ssl_, buffer.data(), buffer.size(), &size);
  if (result == 1) return {Progress::kNeedsOctets, buffer.first(size)};
  switch (SSL_get_error(ssl_, result)) {
    case SSL_ERROR_WANT_READ:
      return {Progress::kNeedsOctets, {}};
    case SSL_ERROR_ZERO_RETURN:
      return {Progress::kDone, {}};
    default:
      return {Fail(), {}};
  }
}

bool TlsSession::Write(ByteView octets) {
  ERR_clear_error();
  std::size_t size = 0;
  return SSL_write_ex(ssl_, octets.data(), octets.size(), &size) == 1 && size == octets.size();
}

void TlsSession::Close() {
  ERR_clear_error();
  SSL_shutdown(ssl_);
}

void TlsSession::Observe(std::vector<TlsMessage>* messages) {
  SSL_set_msg_callback(ssl_, OnMessage);
  SSL_set_msg_callback_arg(ssl_, messages);
}

bool TlsSession::WriteEarly(ByteView octets) {
  ERR_clear_error();
  std::size_t size = 0;
  return SSL_write_early_data(ssl_, octets.data(), octets.size(), &size) == 1 && size == octets.size();
}

bool TlsSession::EarlyDataAccepted() const { return SSL_get_early_data_status(ssl_) == SSL_EARLY_DATA_ACCEPTED; }

bool TlsSession::Export(std::string_view label, ByteView context, ByteSpan key) {
  ERR_clear_error();
  return SSL_export_keying_material(ssl_, key.data(), key.size(), label.data(), label.size(), context.data(),
                                    context.size(), 1) == 1;
}

std::string TlsSession::Version() const { return SSL_get_version(ssl_); }

std::string TlsSession::CipherSuite() const {
  const char* const name = SSL_get_cipher_name(ssl_);
  return name != nullptr ? name : "";
}

std::string TlsSession::Alpn() const {
  const unsigned char* name = nullptr;
  unsigned int size = 0;
  SSL_get0_alpn_selected(ssl_, &name, &size);
  return {reinterpret_cast<const char*>(name), size};
}

std::optional<CertificateInfo> TlsSession::PeerCertificate() const {
  X509* const certificate = SSL_get0_peer_certificate(ssl_);
  if (certificate == nullptr) return std::nullopt;
  return DescribeCertificate(certificate);
}

}  // namespace ntsd::ke
