// NTS-KE as a client does it: one exchange with any server, with words for everything that goes wrong.
//
//   ke::Query(options)             blocks, with a deadline: ntsctl query and tests
//   ke::ClientExchange             the same over memory, for many at once (ntsload), and with requests of one's own
//                                  making (ntsconform)
//
// Threads: Query() by any thread; a ClientExchange belongs to one thread; a TlsClientContext may be shared.
// Errors: a ClientFailure says at which step, and why in one line.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/expected.h"
#include "core/base/ip_address.h"
#include "core/base/secret.h"
#include "core/base/time.h"
#include "core/nts/offer.h"
#include "ke/tls_context.h"
#include "ke/tls_session.h"

namespace ntsd::ke {

// The two keys of an association, as the client exports them.
struct ClientKeys {
  Secret<kAeadKeySizeMax> c2s;
  Secret<kAeadKeySizeMax> s2c;
};

// What an exchange has brought.
struct ClientResult {
  IpEndpoint peer;  // whom we were connected to; set by Query()
  std::string tls_version;
  std::string cipher_suite;
  std::optional<CertificateInfo> certificate;
  bool verified = false;  // the certificate was checked against the name and the trusted authorities

  KeGrant grant;    // AEAD, cookies, server, port
  ClientKeys keys;  // RFC 8915 §5.1; empty for an AEAD that we do not know
  // chrony 4.4 to 4.6.0 derive the keys of AEAD 30 by the context of AEAD 15. Filled when AEAD 30 was granted without
  // record 1024: then only trying tells which keys the server means.
  ClientKeys noncompliant_keys;

  // Where to ask for the time: what the server named, else where the client was connected to.
  std::string ntp_server;
  std::uint16_t ntp_port = 123;
};

enum class ClientStep : std::uint8_t { kSetup, kResolve, kConnect, kHandshake, kExchange };

struct ClientFailure {
  ClientStep step{};
  std::string text;                       // one line
  TlsFailure tls = TlsFailure::kNone;     // of kHandshake
  std::optional<KeAnswerFailure> answer;  // of kExchange, when there was an answer
};

// One exchange over memory. Feed it what the socket brings, send what it has outgoing().
class ClientExchange {
 public:
  enum class State : std::uint8_t { kHandshake, kAnswer, kDone, kFailed };

  // `server_name` for SNI and for the certificate; `request` is sent as it is, once the handshake is complete (see
  // WriteKeRequest); the answer is judged by `offer`.
  ClientExchange(std::shared_ptr<const TlsClientContext> context, const std::string& server_name, KeOffer offer,
                 std::vector<std::uint8_t> request);

  // Begins the handshake: afterwards there is something outgoing().
  State Start();
  State Receive(ByteView octets);
  // The server has closed the connection.
  State ReceiveEnd();

  State state() const { return state_; }
  ByteView outgoing() const { return tls_ != nullptr ? tls_->outgoing() : ByteView(); }
  void Sent(std::size_t size) { tls_->Sent(size); }

  // Of kDone; may be taken once.
  ClientResult TakeResult() { return std::move(result_); }
  // Of kFailed.
  const ClientFailure& failure() const { return failure_; }
  // What the server has answered so far, and whether it said that it was finished (close_notify).
  ByteView answer() const { return answer_.octets(); }
  bool saw_close_notify() const { return saw_close_notify_; }
  TlsSession& tls() { return *tls_; }

 private:
  State Fail(ClientStep step, std::string text);
  State GoOn();
  State ReadAnswer();
  State Judge();
  bool ExportKeys(AeadId context_aead, AeadId aead, ClientKeys& keys);

  std::shared_ptr<const TlsClientContext> context_;
  KeOffer offer_;
  std::vector<std::uint8_t> request_;
  State state_ = State::kHandshake;
  std::unique_ptr<TlsSession> tls_;
  KeMessage answer_{kKeAnswerSizeMax};
  bool saw_close_notify_ = false;
  ClientResult result_;
  ClientFailure failure_;
};

struct QueryOptions {
  std::string host;  // a name or an address
  std::uint16_t port = 4460;
  std::string server_name;  // for SNI and the certificate, when it is not `host`
  KeOffer offer;
  TlsClientContext::Options tls;
  Duration timeout = std::chrono::seconds(5);
};

// Tries the addresses of the host one after the other until one answers, all within the timeout.
Expected<ClientResult, ClientFailure> Query(const QueryOptions& options);

}  // namespace ntsd::ke
