#include "bench/load/ke_connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "core/base/socket_address.h"

namespace ntsd::load {
namespace {

constexpr std::size_t kGarbageSize = 512;
constexpr std::size_t kOversizedRequestSize = 64 * 1024;
// Between the octets of a slow client: a ClientHello takes it far beyond every sensible deadline.
constexpr Duration kOctetInterval = std::chrono::milliseconds(50);

// A request that goes on and on with records that nobody knows and nobody has to.
std::vector<std::uint8_t> OversizedRequest(const KeOffer& offer) {
  constexpr std::size_t kRecordSize = 1024;
  constexpr auto kUnassigned = static_cast<KeRecordType>(0x3FFF);
  std::vector<std::uint8_t> request(kOversizedRequestSize);
  ByteWriter writer(request);
  const std::array<std::uint8_t, kRecordSize> body{};
  while (writer.remaining() >= 2 * (kRecordSize + kKeRecordHeaderSize)) {
    WriteKeRecord(writer, false, kUnassigned, body);
  }
  writer.WriteBytes(WriteKeRequest(offer));
  request.resize(writer.size());
  return request;
}

}  // namespace

KeConnection::KeConnection(const KePlan& plan, KeBehaviour behaviour, Random& random)
    : plan_(plan), behaviour_(behaviour) {
  if (behaviour == KeBehaviour::kHalfOpen) return;
  if (behaviour == KeBehaviour::kGarbage) {
    garbage_.resize(kGarbageSize);
    random.Fill(garbage_);
    garbage_[0] |= 0x80;  // no TLS record begins so
    return;
  }
  std::vector<std::uint8_t> request =
      behaviour == KeBehaviour::kOversized ? OversizedRequest(plan.offer) : WriteKeRequest(plan.offer);
  exchange_ =
      std::make_unique<ke::ClientExchange>(behaviour == KeBehaviour::kWrongAlpn ? plan.wrong_alpn_tls : plan.tls,
                                           plan.server_name, plan.offer, std::move(request));
}

KeConnection::~KeConnection() {
  if (fd_ >= 0) close(fd_);
}

KeEnding KeConnection::Fail(KeEnding ending, std::string detail) {
  detail_ = std::move(detail);
  return ending;
}

std::optional<KeEnding> KeConnection::Begin(std::optional<IpAddress> source, MonotonicTime now) {
  began_ = now;
  fd_ = socket(plan_.server.address.is_v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd_ < 0) return Fail(KeEnding::kConnectFailed, std::strerror(errno));
  const int on = 1;
  setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  if (source) {
    // The port is chosen at connect(), when the whole connection is known: more connections fit than there are ports.
    setsockopt(fd_, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
    const SocketAddress name({*source, 0});
    if (bind(fd_, name.get(), name.size()) != 0) return Fail(KeEnding::kConnectFailed, std::strerror(errno));
  }
  const SocketAddress name(plan_.server);
  if (connect(fd_, name.get(), name.size()) == 0) return Connected(now);
  if (errno == EINPROGRESS) return std::nullopt;
  return Fail(errno == ECONNREFUSED ? KeEnding::kNotAccepted : KeEnding::kConnectFailed, std::strerror(errno));
}

std::optional<KeEnding> KeConnection::Connected(MonotonicTime now) {
  is_connected_ = true;
  connected_ = now;
  if (exchange_ != nullptr && exchange_->Start() == ke::ClientExchange::State::kFailed) return Conclude();
  return Write(now);
}

std::optional<KeEnding> KeConnection::Advance(MonotonicTime now) {
  if (!is_connected_) {
    int error = 0;
    socklen_t size = sizeof(error);
    getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error == EINPROGRESS || error == EAGAIN) return std::nullopt;
    if (error != 0) {
      return Fail(error == ECONNREFUSED ? KeEnding::kNotAccepted : KeEnding::kConnectFailed, std::strerror(error));
    }
    return Connected(now);
  }
  if (const std::optional<KeEnding> ending = Read(now)) return ending;
  return Write(now);
}

ByteView KeConnection::Outgoing() const {
  if (exchange_ != nullptr) return exchange_->outgoing();
  return ByteView(garbage_).subspan(garbage_sent_);
}

void KeConnection::Sent(std::size_t size) {
  if (exchange_ != nullptr) {
    exchange_->Sent(size);
  } else {
    garbage_sent_ += size;
  }
}

bool KeConnection::WantsToWrite() const {
  return !is_connected_ || (!Outgoing().empty() && behaviour_ != KeBehaviour::kSlow);
}

std::optional<KeEnding> KeConnection::Write(MonotonicTime now) {
  // Ends: everything is sent, the socket takes no more, or a slow client has sent its octet.
  while (!Outgoing().empty()) {
    ByteView octets = Outgoing();
    if (behaviour_ == KeBehaviour::kSlow) {
      if (next_octet_ && now < *next_octet_) return std::nullopt;
      octets = octets.first(1);
      next_octet_ = now + kOctetInterval;
    }
    const ssize_t size = send(fd_, octets.data(), octets.size(), MSG_NOSIGNAL);
    if (size < 0) {
      if (errno == EAGAIN || errno == EINTR) return std::nullopt;
      return Closed(std::strerror(errno));
    }
    Sent(static_cast<std::size_t>(size));
  }
  if (Outgoing().empty()) next_octet_.reset();
  return std::nullopt;
}

std::optional<KeEnding> KeConnection::Read(MonotonicTime now) {
  std::array<std::uint8_t, 16384> buffer;
  // Ends: the socket has no more, or the exchange is over.
  while (true) {
    const ssize_t size = recv(fd_, buffer.data(), buffer.size(), 0);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return std::nullopt;
    if (size < 0) return Closed(std::strerror(errno));
    if (exchange_ == nullptr) {
      // To garbage a server may send an alert; it is over when the connection is.
      if (size == 0) return Closed("closed");
      continue;
    }
    if (size == 0) {
      exchange_->ReceiveEnd();
      if (const std::optional<KeEnding> ending = Conclude()) return ending;
      return Closed("closed");
    }
    const auto state = exchange_->Receive(ByteView(buffer).first(static_cast<std::size_t>(size)));
    const bool is_secured = state == ke::ClientExchange::State::kAnswer || state == ke::ClientExchange::State::kDone;
    if (is_secured && secured_ == MonotonicTime()) secured_ = now;
    if (const std::optional<KeEnding> ending = Conclude()) return ending;
    // What the handshake has to say goes out before the answer is awaited.
    if (const std::optional<KeEnding> ending = Write(now)) return ending;
  }
}

// What the exchange has come to; nothing while it is under way.
std::optional<KeEnding> KeConnection::Conclude() {
  using State = ke::ClientExchange::State;
  if (exchange_->state() == State::kDone) {
    // close_notify, so that the server need not wait for us; when the socket will not take it, it is lost.
    const ByteView farewell = exchange_->outgoing();
    if (!farewell.empty()) (void)!send(fd_, farewell.data(), farewell.size(), MSG_NOSIGNAL);
    return KeEnding::kOk;
  }
  if (exchange_->state() != State::kFailed) return std::nullopt;
  const ke::ClientFailure& failure = exchange_->failure();
  if (failure.step == ke::ClientStep::kExchange) {
    if (!failure.answer) return Fail(KeEnding::kExchangeClosed, failure.text);
    const bool is_error = failure.answer->error == KeAnswerError::kServerError;
    const bool is_cut = failure.answer->error == KeAnswerError::kIncomplete;
    return Fail(is_error ? KeEnding::kErrorRecord
                : is_cut ? KeEnding::kExchangeClosed
                         : KeEnding::kBadAnswer,
                failure.text);
  }
  if (failure.tls == ke::TlsFailure::kPeerAlert) return Fail(KeEnding::kTlsRefused, failure.text);
  return Fail(failure.tls == ke::TlsFailure::kNone ? KeEnding::kTlsClosed : KeEnding::kTlsFailed, failure.text);
}

std::optional<KeEnding> KeConnection::Closed(const std::string& how) {
  const bool is_secured = secured_ != MonotonicTime();
  return Fail(is_secured ? KeEnding::kExchangeClosed : KeEnding::kTlsClosed, how);
}

KeEnding KeConnection::Expire() const {
  if (!is_connected_) return KeEnding::kConnectTimeout;
  return secured_ == MonotonicTime() ? KeEnding::kTlsTimeout : KeEnding::kExchangeTimeout;
}

}  // namespace ntsd::load
