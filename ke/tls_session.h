// One TLS 1.3 session over memory: octets in, octets out, no socket.
//
// Threads: belongs to one thread.
// Memory: OpenSSL's state for one session; released with it, and what was secret is wiped.
// Errors: a handshake that fails has a TlsFailure; the alert for the peer stands in outgoing().
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/bytes.h"
#include "ke/tls_context.h"

struct ssl_st;

namespace ntsd::ke {

enum class TlsFailure : std::uint8_t {
  kNone,
  kNotTls,              // the octets are no TLS at all
  kVersion,             // the peer cannot do TLS 1.3
  kNoAlpn,              // the client did not say which protocol it wants
  kOtherAlpn,           // the client wants something else than ntske/1
  kUnknownName,         // the client asked for a server that we are not
  kNoCommonParameters,  // no cipher suite, group or signature in common
  kPeerAlert,           // the peer gave up and said so
  kCertificate,         // we are the client, and the server's certificate will not do
  kProtocol,            // anything else that breaks TLS
};

// Something that passed in a session besides the application's octets, for those who look closely.
struct TlsMessage {
  enum class Kind : std::uint8_t {
    kHandshake,  // one handshake message, type and length included
    kAlert,      // level and description
    kRecord,     // an encrypted record; its inner type in one octet (RFC 8446 §5.2)
  };
  bool sent = false;
  Kind kind{};
  std::vector<std::uint8_t> octets;
};

class TlsSession {
 public:
  enum class Progress : std::uint8_t { kNeedsOctets, kDone, kFailed };

  // The server's side.
  static std::unique_ptr<TlsSession> Accept(std::shared_ptr<const TlsContext> context);
  // The client's side. `server_name` goes into SNI unless it is empty or an address, and is what the certificate must
  // carry when the context verifies; `verified_name` is that name when it is another.
  static std::unique_ptr<TlsSession> Connect(std::shared_ptr<const TlsClientContext> context,
                                             const std::string& server_name, const std::string& verified_name = {});
  ~TlsSession();
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;

  // Hands over what the peer sent. The octets must stay where they are until the next Handshake() and Read() have
  // asked for more, or the session ends.
  void Receive(ByteView octets) { incoming_ = octets; }
  // What is to be sent to the peer, and how much of it has been sent.
  ByteView outgoing() const { return ByteView(outgoing_).subspan(sent_size_); }
  void Sent(std::size_t size);

  // Goes on with the handshake as far as the octets reach.
  Progress Handshake();
  // Why the handshake, or reading, failed; `detail()` says it in OpenSSL's words.
  TlsFailure failure() const { return failure_; }
  const std::string& detail() const { return detail_; }

  struct ReadResult {
    Progress progress;  // kDone: the peer has closed its direction
    ByteView octets;    // in the caller's `buffer`; not empty unless progress says why
  };
  // After the handshake: the next octets of the peer, when there are any (progress is then kNeedsOctets).
  ReadResult Read(ByteSpan buffer);
  // One TLS record, as long as it has no more than 16,384 octets.
  bool Write(ByteView octets);
  // Says that nothing more will come (close_notify).
  void Close();

  // From now on every message that passes is added to `messages`, which must outlive the session.
  void Observe(std::vector<TlsMessage>* messages);
  // The client's side, before the handshake, in a context with early_data: sends `octets` with the ClientHello.
  bool WriteEarly(ByteView octets);
  // After the handshake: the server took what WriteEarly() sent.
  bool EarlyDataAccepted() const;

  // RFC 8446 §7.5; only after the handshake. False: OpenSSL would not.
  bool Export(std::string_view label, ByteView context, ByteSpan key);

  std::string Version() const;
  std::string CipherSuite() const;
  std::string Alpn() const;
  // The server's certificate, as the client sees it.
  std::optional<CertificateInfo> PeerCertificate() const;

  // For the callbacks of OpenSSL.
  const TlsContext* server_context() const { return server_context_.get(); }
  void Note(TlsFailure failure) { failure_ = failure; }

 private:
  friend struct SessionBio;

  TlsSession() = default;
  bool Attach(ssl_st* ssl);
  Progress Fail();

  ssl_st* ssl_ = nullptr;
  std::shared_ptr<const TlsContext> server_context_;
  std::shared_ptr<const TlsClientContext> client_context_;
  ByteView incoming_;
  std::vector<std::uint8_t> outgoing_;
  std::size_t sent_size_ = 0;
  TlsFailure failure_ = TlsFailure::kNone;
  std::string detail_;
};

}  // namespace ntsd::ke
