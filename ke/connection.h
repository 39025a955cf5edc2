// One NTS-KE connection as a state and what it waits for: octets and events in, octets out, no socket, no clock.
//
//   fresh → handshake → request → ended              (a pool's connection returns from its answer to `request`)
//
// Threads: belongs to one worker's thread.
// Memory: TLS state is made when the first octet arrives and released when the answer has been written, so that a
//         connection that waits costs its slot alone.
// Errors: every way to end is a ConnectionEnd. Memory that is not there costs the connection, not the server.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "core/base/bytes.h"
#include "core/base/random.h"
#include "core/crypto/aead.h"
#include "core/keys/key_ring.h"
#include "core/nts/exchange.h"
#include "ke/ending.h"
#include "ke/snapshot.h"
#include "ke/tls_session.h"

namespace ntsd::ke {

// What a connection borrows from its worker whenever something happens to it. The TLS context and the policy may be
// others each time: a connection keeps the context that it began with, and always uses the newest policy and keys.
struct Services {
  const std::shared_ptr<const TlsContext>& tls;
  const KePolicy& policy;
  const Aead& aead;
  KeyRing::Reader& keys;
  Random& random;
  // Whether one more connection of a pool may stay open.
  bool may_keep_alive = true;
};

class Connection {
 public:
  // What has been answered since it was last asked.
  struct Tally {
    std::size_t answers = 0;
    std::array<std::size_t, kAeads.size()> grants{};  // answers with cookies, by kAeads
  };

  // Begins anew: with a client that has just been accepted at `local`.
  void Open(std::optional<IpAddress> local);

  // Goes on with the octets that came, as far as they reach. Afterwards the connection
  //   wants to write    while outgoing() is not empty;
  //   is done or failed when end() says how; what is outgoing then is to be sent before the connection is closed;
  //   wants to read     otherwise.
  // The same holds after the next two.
  void Advance(ByteView octets, const Services& services);
  // The client has closed its direction. What it asked before is still answered.
  void AdvanceToEnd(const Services& services);
  // The deadline of the exchange has passed. A client whose handshake is complete is owed an Error record.
  void Expire(const Services& services);

  ByteView outgoing() const { return tls_ != nullptr ? tls_->outgoing() : ByteView(); }
  void Sent(std::size_t size) { tls_->Sent(size); }
  std::optional<ConnectionEnd> end() const { return end_; }

  Tally TakeTally() { return std::exchange(tally_, {}); }
  // A pool has asked for the connection to stay open, and may ask again.
  bool IsKeptAlive() const { return kept_alive_ && state_ == State::kRequest; }

  // Releases everything. The connection may be opened again.
  void Close() { *this = Connection(); }

 private:
  enum class State : std::uint8_t { kFresh, kHandshake, kRequest, kEnded };

  template <typename Step>
  void Guarded(Step step);
  void TakeOctets(ByteView octets, const Services& services);
  void TakeEnd(const Services& services);
  void TakeDeadline(const Services& services);
  void End(ConnectionEnd end);
  void Handshake(const Services& services);
  void ReadRequest(const Services& services);
  void Evaluate(const Services& services);
  void Answer(KeDecision decision, const Services& services);
  void CountAnswer(const KeDecision& decision);
  bool Respond(KeDecision& decision, const Services& services);
  bool ExportKeys(AeadId aead, AssociationKeys& keys);
  bool IsBetweenRequests() const { return kept_alive_ && request_->octets().empty(); }

  State state_ = State::kFresh;
  std::optional<ConnectionEnd> end_;
  bool kept_alive_ = false;
  Tally tally_;
  std::size_t received_size_ = 0;  // since the last answer
  std::optional<IpAddress> local_;
  std::unique_ptr<TlsSession> tls_;
  std::unique_ptr<KeMessage> request_;
};

}  // namespace ntsd::ke
