#include "ke/client.h"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "core/base/socket_address.h"

namespace ntsd::ke {

namespace {

using SteadyTime = std::chrono::steady_clock::time_point;

std::string Describe(const KeAnswerFailure& failure) {
  std::string text(ntsd::Describe(failure.error));
  if (failure.error == KeAnswerError::kServerError) {
    switch (failure.code) {
      case 0:
        return text + " 0: it does not know a critical record of the request";
      case 1:
        return text + " 1: it takes the request for malformed, or had to wait too long for it";
      case 2:
        return text + " 2: something failed inside the server";
      default:
        return text + " " + std::to_string(failure.code) + ", which has no meaning in RFC 8915";
    }
  }
  if (failure.error == KeAnswerError::kServerWarning) text += " " + std::to_string(failure.code);
  return text;
}

std::string DescribeHandshake(const TlsSession& tls) {
  switch (tls.failure()) {
    case TlsFailure::kNotTls:
      return "the server does not speak TLS";
    case TlsFailure::kVersion:
      return "the server does not do TLS 1.3";
    case TlsFailure::kCertificate:
      return "the server's certificate is not accepted: " + tls.detail();
    case TlsFailure::kPeerAlert:
      return "the server refused the TLS handshake: " + tls.detail();
    default:
      return "the TLS handshake failed: " + tls.detail();
  }
}

}  // namespace

ClientExchange::ClientExchange(std::shared_ptr<const TlsClientContext> context, const std::string& server_name,
                               KeOffer offer, std::vector<std::uint8_t> request)
    : context_(std::move(context)),
      offer_(std::move(offer)),
      request_(std::move(request)),
      tls_(TlsSession::Connect(context_, server_name)) {
  if (tls_ == nullptr) Fail(ClientStep::kSetup, "\"" + server_name + "\" cannot be the name of a server");
}

ClientExchange::State ClientExchange::Fail(ClientStep step, std::string text) {
  failure_.step = step;
  failure_.text = std::move(text);
  return state_ = State::kFailed;
}

ClientExchange::State ClientExchange::Start() { return state_ == State::kFailed ? state_ : GoOn(); }

ClientExchange::State ClientExchange::Receive(ByteView octets) {
  if (state_ == State::kDone || state_ == State::kFailed) return state_;
  tls_->Receive(octets);
  GoOn();
  tls_->Receive({});
  return state_;
}

ClientExchange::State ClientExchange::ReceiveEnd() {
  switch (state_) {
    case State::kHandshake:
      return Fail(ClientStep::kHandshake, "the server closed the connection in the handshake");
    case State::kAnswer:
      return Judge();
    default:
      return state_;
  }
}

ClientExchange::State ClientExchange::GoOn() {
  if (state_ == State::kAnswer) return ReadAnswer();
  switch (tls_->Handshake()) {
    case TlsSession::Progress::kNeedsOctets:
      return state_;
    case TlsSession::Progress::kFailed:
      failure_.tls = tls_->failure();
      return Fail(ClientStep::kHandshake, DescribeHandshake(*tls_));
    case TlsSession::Progress::kDone:
      break;
  }
  if (tls_->Alpn() != kAlpn) {
    failure_.tls = TlsFailure::kNoAlpn;
    return Fail(ClientStep::kHandshake, "the server did not agree to speak ntske/1 (ALPN)");
  }
  state_ = State::kAnswer;
  if (!tls_->Write(request_)) return Fail(ClientStep::kExchange, "the request could not be written");
  return ReadAnswer();
}

ClientExchange::State ClientExchange::ReadAnswer() {
  std::array<std::uint8_t, 4096> buffer;
  // Ends: every turn takes octets of a bounded input, or leaves.
  while (true) {
    const TlsSession::ReadResult result = tls_->Read(buffer);
    if (!result.octets.empty()) {
      if (answer_.Append(result.octets) == KeMessage::State::kTooLarge) return Judge();
      continue;
    }
    switch (result.progress) {
      // An answer is complete with its End of Message, but only the close tells whether anything follows it. We do not
      // insist: there are servers that keep the client waiting for it.
      case TlsSession::Progress::kNeedsOctets:
        return answer_.state() == KeMessage::State::kComplete ? Judge() : state_;
      case TlsSession::Progress::kDone:
        saw_close_notify_ = true;
        return Judge();
      case TlsSession::Progress::kFailed:
        failure_.tls = tls_->failure();
        // In TLS 1.3 a server may refuse after the client's part of the handshake is done.
        return Fail(tls_->failure() == TlsFailure::kPeerAlert ? ClientStep::kHandshake : ClientStep::kExchange,
                    DescribeHandshake(*tls_));
    }
  }
}

ClientExchange::State ClientExchange::Judge() {
  tls_->Close();
  Expected<KeGrant, KeAnswerFailure> grant = ReadKeAnswer(answer_, offer_);
  if (!grant.has_value()) {
    failure_.answer = grant.error();
    return Fail(ClientStep::kExchange, Describe(grant.error()));
  }
  result_.tls_version = tls_->Version();
  result_.cipher_suite = tls_->CipherSuite();
  result_.certificate = tls_->PeerCertificate();
  result_.verified = context_->verify();
  if (const std::optional<AeadId> aead = AeadFromNumber(grant->aead)) {
    if (!ExportKeys(*aead, *aead, result_.keys)) return Fail(ClientStep::kExchange, "the keys could not be exported");
    if (*aead == AeadId::kAes128GcmSiv && !grant->compliant_context &&
        !ExportKeys(AeadId::kAesSivCmac256, *aead, result_.noncompliant_keys)) {
      return Fail(ClientStep::kExchange, "the keys could not be exported");
    }
  }
  result_.ntp_port = grant->port.value_or(123);
  result_.ntp_server = grant->server.value_or("");
  result_.grant = std::move(*grant);
  return state_ = State::kDone;
}

bool ClientExchange::ExportKeys(AeadId context_aead, AeadId aead, ClientKeys& keys) {
  const std::size_t size = AeadKeySize(aead);
  return tls_->Export(kKeExporterLabel, KeExporterContext(context_aead, KeDirection::kClientToServer),
                      keys.c2s.Resize(size)) &&
         tls_->Export(kKeExporterLabel, KeExporterContext(context_aead, KeDirection::kServerToClient),
                      keys.s2c.Resize(size));
}

namespace {

// A socket that closes itself.
class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {}
  ~Socket() {
    if (fd_ >= 0) close(fd_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  int fd() const { return fd_; }

 private:
  int fd_;
};

int LeftMs(SteadyTime deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
  return static_cast<int>(std::max<std::int64_t>(0, left.count()));
}

// False: the deadline has passed.
bool WaitFor(int fd, short events, SteadyTime deadline) {
  pollfd waiting{fd, events, 0};
  while (true) {
    const int count = poll(&waiting, 1, LeftMs(deadline));
    if (count > 0) return true;
    if (count == 0 || errno != EINTR) return false;
  }
}

// An empty text: connected.
std::string Connect(const Socket& socket, const addrinfo& address, SteadyTime deadline) {
  if (connect(socket.fd(), address.ai_addr, address.ai_addrlen) == 0) return {};
  if (errno != EINPROGRESS) return std::strerror(errno);
  if (!WaitFor(socket.fd(), POLLOUT, deadline)) return "no answer within the timeout";
  int error = 0;
  socklen_t size = sizeof(error);
  getsockopt(socket.fd(), SOL_SOCKET, SO_ERROR, &error, &size);
  return error == 0 ? std::string() : std::strerror(error);
}

ClientFailure Broken(const ClientExchange& exchange, std::string text) {
  ClientFailure failure;
  failure.step = exchange.state() == ClientExchange::State::kHandshake ? ClientStep::kHandshake : ClientStep::kExchange;
  failure.text = std::move(text);
  return failure;
}

bool IsUnderWay(const ClientExchange& exchange) {
  return exchange.state() == ClientExchange::State::kHandshake || exchange.state() == ClientExchange::State::kAnswer;
}

// Nothing: the exchange has come to its own end.
std::optional<ClientFailure> Carry(const Socket& socket, ClientExchange& exchange, SteadyTime deadline) {
  std::array<std::uint8_t, 16384> buffer;
  exchange.Start();
  // Ends: at the deadline.
  while (true) {
    while (!exchange.outgoing().empty()) {
      const ByteView octets = exchange.outgoing();
      const ssize_t size = send(socket.fd(), octets.data(), octets.size(), MSG_NOSIGNAL);
      if (size > 0) {
        exchange.Sent(static_cast<std::size_t>(size));
      } else if (errno != EAGAIN && errno != EINTR) {
        break;  // reading tells why
      } else if (!WaitFor(socket.fd(), POLLOUT, deadline)) {
        return Broken(exchange, "the server takes no octets within the timeout");
      }
    }
    if (!IsUnderWay(exchange)) return std::nullopt;
    if (!WaitFor(socket.fd(), POLLIN, deadline))
      return Broken(exchange, "the server did not answer within the timeout");
    const ssize_t size = recv(socket.fd(), buffer.data(), buffer.size(), 0);
    if (size > 0) {
      exchange.Receive(ByteView(buffer).first(static_cast<std::size_t>(size)));
    } else if (size == 0) {
      exchange.ReceiveEnd();
    } else if (errno != EAGAIN && errno != EINTR) {
      return Broken(exchange, std::string("the connection broke: ") + std::strerror(errno));
    }
  }
}

Expected<ClientResult, ClientFailure> QueryAddress(const QueryOptions& options, const addrinfo& address,
                                                   std::shared_ptr<const TlsClientContext> context,
                                                   SteadyTime deadline) {
  const IpEndpoint peer = ReadSocketAddress(address.ai_addr, address.ai_addrlen).value_or(IpEndpoint{});
  const Socket socket(::socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  if (socket.fd() < 0) return Unexpected(ClientFailure{ClientStep::kConnect, std::strerror(errno), {}, {}});
  if (const std::string error = Connect(socket, address, deadline); !error.empty()) {
    return Unexpected(ClientFailure{ClientStep::kConnect, peer.ToString() + ": " + error, {}, {}});
  }
  const std::string& server_name = options.server_name.empty() ? options.host : options.server_name;
  ClientExchange exchange(std::move(context), server_name, options.offer, WriteKeRequest(options.offer));
  if (std::optional<ClientFailure> failure = Carry(socket, exchange, deadline)) return Unexpected(std::move(*failure));
  if (exchange.state() == ClientExchange::State::kFailed) return Unexpected(exchange.failure());
  ClientResult result = exchange.TakeResult();
  result.peer = peer;
  if (result.ntp_server.empty()) result.ntp_server = peer.address.ToString();
  return result;
}

}  // namespace

Expected<ClientResult, ClientFailure> Query(const QueryOptions& options) {
  const SteadyTime deadline = std::chrono::steady_clock::now() +
                              std::chrono::duration_cast<std::chrono::steady_clock::duration>(options.timeout);
  Expected<std::shared_ptr<const TlsClientContext>, std::string> context = TlsClientContext::Make(options.tls);
  if (!context.has_value()) return Unexpected(ClientFailure{ClientStep::kSetup, std::move(context.error()), {}, {}});

  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(options.host.c_str(), std::to_string(options.port).c_str(), &hints, &found);
  if (error != 0) {
    return Unexpected(ClientFailure{ClientStep::kResolve, options.host + ": " + gai_strerror(error), {}, {}});
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> addresses(found, freeaddrinfo);
  // Ends: with the list of addresses. Only a connection that does not come about leads to the next one.
  for (const addrinfo* address = found;; address = address->ai_next) {
    Expected<ClientResult, ClientFailure> result = QueryAddress(options, *address, *context, deadline);
    const bool is_last = address->ai_next == nullptr;
    if (result.has_value() || result.error().step != ClientStep::kConnect || is_last) return result;
  }
}

}  // namespace ntsd::ke
