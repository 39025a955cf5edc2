// One connection to an NTS-KE server, as well or as badly behaved as a check wants it, and everything that came of it.
//
//   KeAttempt attempt; attempt.request = …; attempt.piece_size = 1; KeTranscript came = RunKeAttempt(endpoint,
//   attempt);
//
// Threads: RunKeAttempt() blocks, with deadlines; several may run at once.
// Errors: whatever goes wrong stands in the transcript: it is what checks look at.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/nts/client.h"
#include "ke/tls_context.h"
#include "ke/tls_session.h"
#include "tests/conformance/probe/socket.h"

namespace ntsd::conformance {

struct KeAttempt {
  ke::TlsClientContext::Options tls;
  std::string server_name;     // for SNI, unless it is an address
  std::string verified_name;   // what the certificate must carry when tls.verify
  Octets request;              // of NTS-KE, sent when the handshake is done
  std::size_t piece_size = 0;  // octets of the request in one TLS record and of the stream in one segment; 0: all
  std::size_t request_size_now = SIZE_MAX;  // only so many octets of the request are ever sent
  bool close_after_request = false;         // close_notify at once
  bool end_after_request = false;           // TCP's FIN too
  Milliseconds pause_before_reading{0};
  Octets second_request;  // sent after the answer
  Octets early_data;      // with tls.early_data
  // Sent instead of TLS; the session then never exists, and `raw` is all that comes.
  Octets raw;
  Milliseconds connect_timeout{5000};
  Milliseconds patience{5000};      // for the whole exchange
  Milliseconds after_answer{1000};  // for the server's close_notify, once the answer is complete
  Milliseconds after_close{1000};   // for the end of TCP, once TLS has ended
};

enum class StreamEnd : std::uint8_t { kNone, kClosed, kReset };

struct KeTranscript {
  std::string connect_problem;  // empty: TCP is connected
  bool handshake_done = false;
  bool verified = false;
  std::string tls_problem;            // OpenSSL's word on what broke
  std::optional<std::uint8_t> alert;  // the last fatal alert of the server
  bool close_notify = false;
  StreamEnd end = StreamEnd::kNone;     // kNone: the server kept the connection while we waited
  Octets answer;                        // what the server said inside TLS
  std::size_t answer_record_count = 0;  // TLS records that carried it
  std::size_t answers_complete = 0;     // End of Message records in it, up to two
  Octets raw;                           // the first octets of the stream as they came
  std::vector<ke::TlsMessage> messages;
  std::string version, cipher_suite, alpn;
  std::optional<ke::CertificateInfo> certificate;
  bool early_data_accepted = false;
  // Closed before one octet came, again and again: servers do that to those who come too often. Set by the Probe.
  bool turned_away = false;
  std::unique_ptr<ke::TlsSession> tls;  // for exporting keys

  bool IsConnected() const { return connect_problem.empty(); }
  // The server asked for another ClientHello (RFC 8446 §4.1.4).
  bool SawHelloRetryRequest() const;
  // Lifetimes of the tickets that the server gave, in seconds.
  std::vector<std::uint32_t> TicketLifetimes() const;
};

KeTranscript RunKeAttempt(const IpEndpoint& server, const KeAttempt& attempt);

// What the server has said and done, in one line.
std::string Describe(const KeTranscript& transcript);

// The keys that this connection exports for an AEAD; nothing when TLS would not.
std::optional<AssociationKeys> ExportKeys(ke::TlsSession& tls, AeadId aead);

// "no_application_protocol(120)".
std::string AlertText(std::uint8_t alert);

}  // namespace ntsd::conformance
