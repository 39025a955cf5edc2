#include "ke/connection.h"

#include <algorithm>
#include <array>
#include <new>

#include "core/base/check.h"
#include "core/base/secret.h"

namespace ntsd::ke {

namespace {

// Octets of TLS that one exchange may take, handshake included. A request of 4,096 octets in records of one octet each
// is 90 kB; a client that sends more is keeping us busy with empty records or key updates.
constexpr std::size_t kReceivedSizeMax = 128 * 1024;

}  // namespace

void Connection::Open(std::optional<IpAddress> local) {
  CHECK(state_ == State::kFresh);
  local_ = local;
}

void Connection::End(ConnectionEnd end) {
  state_ = State::kEnded;
  end_ = end;
  request_.reset();
}

// What the standard library throws is met here, where it is known whose memory it was.
template <typename Step>
void Connection::Guarded(Step step) {
  try {
    step();
  } catch (const std::bad_alloc&) {
    tls_.reset();
    End(ConnectionEnd::kInternalError);
  }
}

void Connection::Advance(ByteView octets, const Services& services) {
  Guarded([&] { TakeOctets(octets, services); });
}

void Connection::AdvanceToEnd(const Services& services) {
  Guarded([&] { TakeEnd(services); });
}

void Connection::Expire(const Services& services) {
  Guarded([&] { TakeDeadline(services); });
}

void Connection::TakeOctets(ByteView octets, const Services& services) {
  if (state_ == State::kEnded || octets.empty()) return;
  received_size_ += octets.size();
  if (received_size_ > kReceivedSizeMax) {
    return state_ == State::kRequest ? Answer(RefuseKeRequest(KeRefusal::kTooLarge), services)
                                     : End(ConnectionEnd::kTlsError);
  }
  if (state_ == State::kFresh) {
    tls_ = TlsSession::Accept(services.tls);
    if (tls_ == nullptr) return End(ConnectionEnd::kInternalError);
    state_ = State::kHandshake;
  }
  tls_->Receive(octets);
  state_ == State::kHandshake ? Handshake(services) : ReadRequest(services);
  tls_->Receive({});  // the octets are the caller's again
}

void Connection::TakeEnd(const Services& services) {
  switch (state_) {
    case State::kFresh:
      return End(ConnectionEnd::kClosedSilently);
    case State::kHandshake:
      return End(ConnectionEnd::kClosedInHandshake);
    case State::kRequest:
      return IsBetweenRequests() ? End(ConnectionEnd::kClosedKeptAlive) : Evaluate(services);
    case State::kEnded:
      return;
  }
}

void Connection::TakeDeadline(const Services& services) {
  switch (state_) {
    case State::kFresh:
      return End(ConnectionEnd::kIdleTimeout);
    case State::kHandshake:
      return End(ConnectionEnd::kHandshakeTimeout);
    case State::kRequest:
      if (!outgoing().empty()) return End(ConnectionEnd::kResponseTimeout);
      if (!IsBetweenRequests()) return Answer(RefuseKeRequest(KeRefusal::kTimeout), services);
      tls_->Close();
      return End(ConnectionEnd::kKeptAliveTimeout);
    case State::kEnded:
      return;
  }
}

void Connection::Handshake(const Services& services) {
  switch (tls_->Handshake()) {
    case TlsSession::Progress::kNeedsOctets:
      return;
    case TlsSession::Progress::kFailed:
      return End(EndOf(tls_->failure()));
    case TlsSession::Progress::kDone:
      break;
  }
  state_ = State::kRequest;
  request_ = std::make_unique<KeMessage>();
  ReadRequest(services);
}

void Connection::ReadRequest(const Services& services) {
  Secret<1024> buffer;  // a pool's token or keys may pass
  // Ends: every turn takes octets of a bounded input, or leaves. After a pool's request there may be another.
  while (state_ == State::kRequest) {
    const TlsSession::ReadResult result = tls_->Read(buffer.Resize(buffer.capacity()));
    if (!result.octets.empty()) {
      if (request_->Append(result.octets) != KeMessage::State::kIncomplete) Evaluate(services);
      continue;
    }
    if (result.progress == TlsSession::Progress::kNeedsOctets) return;
    if (result.progress == TlsSession::Progress::kFailed) return End(EndOf(tls_->failure()));
    return TakeEnd(services);
  }
}

void Connection::Evaluate(const Services& services) {
  const KeConnection connection{
      .local = local_, .kept_alive = kept_alive_, .may_keep_alive = kept_alive_ || services.may_keep_alive};
  Answer(EvaluateKeRequest(*request_, services.policy, connection), services);
}

void Connection::Answer(KeDecision decision, const Services& services) {
  if (!Respond(decision, services)) {
    decision = RefuseKeRequest(KeRefusal::kInternal);
    // When not even that can be written, TLS itself is broken; there is nothing left to say.
    if (!Respond(decision, services)) return End(ConnectionEnd::kInternalError);
  }
  CountAnswer(decision);
  if (decision.keep_alive) {
    kept_alive_ = true;
    received_size_ = 0;
    request_->Clear();
    return;
  }
  tls_->Close();
  End(EndOf(decision));
}

void Connection::CountAnswer(const KeDecision& decision) {
  ++tally_.answers;
  if (decision.answer != KeAnswer::kCookies) return;
  const auto* const aead = std::find(kAeads.begin(), kAeads.end(), decision.aead);
  ++tally_.grants[static_cast<std::size_t>(aead - kAeads.begin())];
}

// Writes the response as one TLS record: some clients read once. Nothing has been written when it returns false.
bool Connection::Respond(KeDecision& decision, const Services& services) {
  std::array<std::uint8_t, kKeCookieCount * kCookieSizeMax> cookies;
  std::size_t cookie_size = 0;
  if (decision.answer == KeAnswer::kCookies) {
    if (!decision.fixed_keys && !ExportKeys(decision.aead, decision.keys)) return false;
    const KeyRing::Pin keys = services.keys.Acquire();
    cookie_size = CookieSize(keys->current().key.aead(), decision.aead);
    std::array<CookieSealJob, kKeCookieCount> jobs;
    for (std::size_t i = 0; i < kKeCookieCount; ++i) jobs[i] = {&decision.keys, cookies.data() + i * cookie_size};
    SealCookies(services.aead, *keys, services.random, jobs);
  }
  std::array<std::uint8_t, kKeResponseSizeMax> response;
  ByteWriter writer(response);
  const ByteView sealed = ByteView(cookies).first(kKeCookieCount * cookie_size);
  const bool written = WriteKeResponse(decision, services.policy, sealed, writer) && tls_->Write(writer.written());
  // Cookies in clear would link this client to its later requests.
  Wipe(cookies);
  Wipe(response);
  return written;
}

bool Connection::ExportKeys(AeadId aead, AssociationKeys& keys) {
  keys.aead = aead;
  const std::size_t key_size = AeadKeySize(aead);
  return tls_->Export(kKeExporterLabel, KeExporterContext(aead, KeDirection::kClientToServer),
                      ByteSpan(keys.c2s).first(key_size)) &&
         tls_->Export(kKeExporterLabel, KeExporterContext(aead, KeDirection::kServerToClient),
                      ByteSpan(keys.s2c).first(key_size));
}

}  // namespace ntsd::ke
