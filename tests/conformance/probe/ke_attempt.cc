#include "tests/conformance/probe/ke_attempt.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <thread>

#include "core/nts/record.h"
#include "tests/conformance/probe/client_hello.h"
#include "tests/conformance/probe/ke_answer.h"
#include "tests/conformance/probe/text.h"

namespace ntsd::conformance {
namespace {

constexpr std::size_t kRawSizeMax = 64 * 1024;
constexpr std::size_t kAnswerSizeMax = 256 * 1024;
constexpr std::uint8_t kApplicationData = 23;
constexpr std::uint8_t kNewSessionTicket = 4;

std::size_t CountEnds(ByteView answer) {
  const KeAnswerView view = KeAnswerView::Parse(answer);
  return view.Count(KeRecordType::kEndOfMessage);
}

// One run of an attempt over a connected socket.
class Run {
 public:
  Run(const KeAttempt& attempt, KeTranscript& transcript, Socket socket)
      : attempt_(attempt),
        transcript_(transcript),
        socket_(std::move(socket)),
        deadline_(DeadlineIn(attempt.patience)) {}

  void GoRaw() {
    Send(attempt_.raw);
    // Ends: at the deadline, or with the stream.
    while (Receive(deadline_)) incoming_.clear();
  }

  void GoTls() {
    if (!OpenSession()) return;
    if (!Handshake()) {
      // How the server ends it belongs to what came.
      const SteadyTime until = std::min(deadline_, DeadlineIn(attempt_.after_close));
      while (Receive(until)) incoming_.clear();
      return;
    }
    Inspect();
    if (!SendRequest()) return;
    if (attempt_.pause_before_reading.count() > 0) std::this_thread::sleep_for(attempt_.pause_before_reading);
    ReadAnswers();
  }

 private:
  bool OpenSession() {
    Expected<std::shared_ptr<const ke::TlsClientContext>, std::string> context =
        ke::TlsClientContext::Make(attempt_.tls);
    if (!context) {
      transcript_.tls_problem = context.error();
      return false;
    }
    transcript_.tls = ke::TlsSession::Connect(*context, attempt_.server_name, attempt_.verified_name);
    if (transcript_.tls == nullptr) {
      transcript_.tls_problem = "\"" + Printable(attempt_.server_name) + "\" cannot be the name of a server";
      return false;
    }
    transcript_.tls->Observe(&transcript_.messages);
    return true;
  }

  bool Handshake() {
    ke::TlsSession& tls = *transcript_.tls;
    if (!attempt_.early_data.empty() && !tls.WriteEarly(attempt_.early_data)) {
      transcript_.tls_problem = "this client cannot send early data";
      return false;
    }
    // Ends: at the deadline, with the stream, or with the handshake.
    while (true) {
      tls.Receive(incoming_);
      const ke::TlsSession::Progress progress = tls.Handshake();
      Flush();
      if (progress == ke::TlsSession::Progress::kDone) break;
      if (progress == ke::TlsSession::Progress::kFailed) {
        transcript_.tls_problem = tls.detail();
        NoteAlerts();
        return false;
      }
      incoming_.clear();
      if (!Receive(deadline_)) return false;
    }
    transcript_.handshake_done = true;
    return true;
  }

  void Inspect() {
    const ke::TlsSession& tls = *transcript_.tls;
    transcript_.verified = attempt_.tls.verify;
    transcript_.version = tls.Version();
    transcript_.cipher_suite = tls.CipherSuite();
    transcript_.alpn = tls.Alpn();
    transcript_.certificate = tls.PeerCertificate();
    transcript_.early_data_accepted = !attempt_.early_data.empty() && tls.EarlyDataAccepted();
  }

  bool SendRequest() {
    ke::TlsSession& tls = *transcript_.tls;
    const std::size_t size = std::min(attempt_.request.size(), attempt_.request_size_now);
    const std::size_t piece_size = attempt_.piece_size == 0 ? 16384 : attempt_.piece_size;
    for (std::size_t sent = 0; sent < size; sent += piece_size) {
      if (!tls.Write(ByteView(attempt_.request).subspan(sent, std::min(piece_size, size - sent)))) return false;
    }
    if (attempt_.close_after_request) tls.Close();
    Flush();
    if (attempt_.end_after_request) shutdown(socket_.fd(), SHUT_WR);
    return true;
  }

  void ReadAnswers() {
    ke::TlsSession& tls = *transcript_.tls;
    std::array<std::uint8_t, 16384> buffer;
    bool second_sent = attempt_.second_request.empty();
    // Octets of the answer may have come together with the end of the handshake, and wait inside the session.
    // Ends: at the deadline, or with the stream.
    while (true) {
      while (true) {
        const ke::TlsSession::ReadResult result = tls.Read(buffer);
        if (!result.octets.empty()) {
          TakeAnswer(result.octets);
          continue;
        }
        if (result.progress == ke::TlsSession::Progress::kFailed) transcript_.tls_problem = tls.detail();
        transcript_.close_notify |= result.progress == ke::TlsSession::Progress::kDone;
        is_over_ |= result.progress != ke::TlsSession::Progress::kNeedsOctets;
        break;
      }
      NoteAlerts();
      if (!second_sent && transcript_.answers_complete > 0) {
        second_sent = true;
        tls.Write(attempt_.second_request);
        Flush();
      }
      if (transcript_.answers_complete > 0 || is_over_) {
        deadline_ = std::min(deadline_, DeadlineIn(is_over_ ? attempt_.after_close : attempt_.after_answer));
      }
      incoming_.clear();
      if (is_over_ && transcript_.end != StreamEnd::kNone) return;
      if (!Receive(deadline_)) return;
      if (is_over_) {  // nothing after it belongs to the session
        incoming_.clear();
        continue;
      }
      tls.Receive(incoming_);
    }
  }

  void TakeAnswer(ByteView octets) {
    if (transcript_.answer.size() + octets.size() > kAnswerSizeMax) return;
    transcript_.answer.insert(transcript_.answer.end(), octets.begin(), octets.end());
    transcript_.answers_complete = CountEnds(transcript_.answer);
  }

  void NoteAlerts() {
    for (const ke::TlsMessage& message : transcript_.messages) {
      if (message.sent || message.kind != ke::TlsMessage::Kind::kAlert || message.octets.size() != 2) continue;
      if (message.octets[1] != 0) transcript_.alert = message.octets[1];
    }
  }

  void Flush() {
    ke::TlsSession& tls = *transcript_.tls;
    const ByteView octets = tls.outgoing();
    const std::size_t size = octets.size();
    Send(octets);
    tls.Sent(size);
  }

  // In segments of piece_size, as far as the kernel lets us. A peer that no longer listens is seen by reading.
  void Send(ByteView octets) {
    const std::size_t piece_size = attempt_.piece_size == 0 ? octets.size() : attempt_.piece_size;
    // Ends: every turn sends something, or waits until the deadline.
    while (!octets.empty()) {
      const ssize_t size = send(socket_.fd(), octets.data(), std::min(piece_size, octets.size()), MSG_NOSIGNAL);
      if (size > 0) {
        octets = octets.subspan(static_cast<std::size_t>(size));
      } else if (errno != EINTR && (errno != EAGAIN || !WaitFor(socket_.fd(), POLLOUT, deadline_))) {
        return;
      }
    }
  }

  // Adds what has come to incoming_. False: nothing more will, or not in time.
  bool Receive(SteadyTime deadline) {
    if (transcript_.end != StreamEnd::kNone || !WaitFor(socket_.fd(), POLLIN, deadline)) return false;
    std::array<std::uint8_t, 16384> buffer;
    const ssize_t size = recv(socket_.fd(), buffer.data(), buffer.size(), 0);
    if (size > 0) {
      const ByteView octets = ByteView(buffer).first(static_cast<std::size_t>(size));
      incoming_.insert(incoming_.end(), octets.begin(), octets.end());
      const std::size_t room = kRawSizeMax - transcript_.raw.size();
      transcript_.raw.insert(transcript_.raw.end(), octets.begin(),
                             octets.begin() + static_cast<std::ptrdiff_t>(std::min(room, octets.size())));
      return true;
    }
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return true;
    transcript_.end = size == 0 ? StreamEnd::kClosed : StreamEnd::kReset;
    return false;
  }

  const KeAttempt& attempt_;
  KeTranscript& transcript_;
  Socket socket_;
  SteadyTime deadline_;
  Octets incoming_;
  bool is_over_ = false;  // TLS has ended, by close_notify or by an error
};

}  // namespace

bool KeTranscript::SawHelloRetryRequest() const {
  return std::any_of(messages.begin(), messages.end(), [](const ke::TlsMessage& message) {
    return !message.sent && message.kind == ke::TlsMessage::Kind::kHandshake && IsHelloRetryRequest(message.octets);
  });
}

std::vector<std::uint32_t> KeTranscript::TicketLifetimes() const {
  std::vector<std::uint32_t> lifetimes;
  for (const ke::TlsMessage& message : messages) {
    if (message.sent || message.kind != ke::TlsMessage::Kind::kHandshake) continue;
    ByteReader reader(message.octets);
    const bool is_ticket = reader.ReadU8() == kNewSessionTicket;
    reader.Skip(3);
    const std::uint32_t lifetime = reader.ReadU32();
    if (is_ticket && reader.ok()) lifetimes.push_back(lifetime);
  }
  return lifetimes;
}

KeTranscript RunKeAttempt(const IpEndpoint& server, const KeAttempt& attempt) {
  KeTranscript transcript;
  Expected<Socket, std::string> socket = ConnectTcp(server, attempt.connect_timeout);
  if (!socket) {
    transcript.connect_problem = socket.error();
    return transcript;
  }
  Run run(attempt, transcript, *std::move(socket));
  attempt.raw.empty() ? run.GoTls() : run.GoRaw();
  transcript.answer_record_count = static_cast<std::size_t>(
      std::count_if(transcript.messages.begin(), transcript.messages.end(), [](const ke::TlsMessage& message) {
        return !message.sent && message.kind == ke::TlsMessage::Kind::kRecord && message.octets.size() == 1 &&
               message.octets[0] == kApplicationData;
      }));
  return transcript;
}

std::string Describe(const KeTranscript& transcript) {
  if (!transcript.IsConnected()) return "no connection: " + transcript.connect_problem;
  std::string text;
  if (transcript.tls == nullptr && transcript.tls_problem.empty()) {
    text = transcript.raw.empty() ? "nothing" : Hex(transcript.raw, 16);
  } else if (!transcript.handshake_done) {
    text = "no TLS session";
    if (!transcript.tls_problem.empty()) text += ": " + Printable(transcript.tls_problem);
  } else {
    text =
        transcript.answer.empty() ? "TLS handshake done, no answer" : Describe(KeAnswerView::Parse(transcript.answer));
    if (transcript.answer.empty() && !transcript.tls_problem.empty()) text += ": " + Printable(transcript.tls_problem);
  }
  if (transcript.alert) text += "; alert " + AlertText(*transcript.alert);
  if (transcript.close_notify) text += "; close_notify";
  switch (transcript.end) {
    case StreamEnd::kNone:
      return text + "; connection kept open";
    case StreamEnd::kClosed:
      return text + "; closed";
    case StreamEnd::kReset:
      return text + "; reset";
  }
  return text;
}

std::optional<AssociationKeys> ExportKeys(ke::TlsSession& tls, AeadId aead) {
  AssociationKeys keys;
  keys.aead = aead;
  const std::size_t size = AeadKeySize(aead);
  const bool done = tls.Export(kKeExporterLabel, KeExporterContext(aead, KeDirection::kClientToServer),
                               ByteSpan(keys.c2s).first(size)) &&
                    tls.Export(kKeExporterLabel, KeExporterContext(aead, KeDirection::kServerToClient),
                               ByteSpan(keys.s2c).first(size));
  return done ? std::optional(keys) : std::nullopt;
}

std::string AlertText(std::uint8_t alert) {
  switch (alert) {
    case 10:
      return "unexpected_message(10)";
    case 40:
      return "handshake_failure(40)";
    case 42:
      return "bad_certificate(42)";
    case 47:
      return "illegal_parameter(47)";
    case 50:
      return "decode_error(50)";
    case 51:
      return "decrypt_error(51)";
    case 70:
      return "protocol_version(70)";
    case 71:
      return "insufficient_security(71)";
    case 80:
      return "internal_error(80)";
    case 109:
      return "missing_extension(109)";
    case 112:
      return "unrecognized_name(112)";
    case 120:
      return "no_application_protocol(120)";
    default:
      return fmt::format("{}", alert);
  }
}

}  // namespace ntsd::conformance
