// One connection to an NTS-KE server, from connect() to its end, with the time that each phase took.
//
// Threads: belongs to one thread, whose event loop calls it when the socket is ready.
// Errors: a KeEnding, and a line in words.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bench/load/ke_outcome.h"
#include "core/base/expected.h"
#include "core/base/ip_address.h"
#include "core/base/random.h"
#include "ke/client.h"

namespace ntsd::load {

// What all connections of a run share.
struct KePlan {
  IpEndpoint server;
  std::string server_name;
  KeOffer offer;
  std::shared_ptr<const ke::TlsClientContext> tls;
  std::shared_ptr<const ke::TlsClientContext> wrong_alpn_tls;
  std::vector<IpAddress> sources;
};

class KeConnection {
 public:
  KeConnection(const KePlan& plan, KeBehaviour behaviour, Random& random);
  ~KeConnection();
  KeConnection(const KeConnection&) = delete;
  KeConnection& operator=(const KeConnection&) = delete;

  // Begins to connect, from the given source when there is one. Nothing: it goes on; otherwise it is over.
  std::optional<KeEnding> Begin(std::optional<IpAddress> source, MonotonicTime now);
  // The socket is ready for what it waits for. Nothing: it goes on.
  std::optional<KeEnding> Advance(MonotonicTime now);
  // The timeout has passed.
  KeEnding Expire() const;

  int fd() const { return fd_; }
  bool WantsToWrite() const;
  // A slow client sends its next octet when this time has come; nothing: it waits for the socket.
  std::optional<MonotonicTime> next_octet() const { return next_octet_; }

  KeBehaviour behaviour() const { return behaviour_; }
  MonotonicTime began() const { return began_; }
  // Zero until it is reached.
  MonotonicTime connected() const { return connected_; }
  MonotonicTime secured() const { return secured_; }
  // Why it ended, for the eye.
  const std::string& detail() const { return detail_; }
  // Of kOk; may be taken once.
  ke::ClientResult TakeResult() { return exchange_->TakeResult(); }

 private:
  std::optional<KeEnding> Connected(MonotonicTime now);
  std::optional<KeEnding> Write(MonotonicTime now);
  std::optional<KeEnding> Read(MonotonicTime now);
  std::optional<KeEnding> Conclude();
  std::optional<KeEnding> Closed(const std::string& how);
  KeEnding Fail(KeEnding ending, std::string detail);
  ByteView Outgoing() const;
  void Sent(std::size_t size);

  const KePlan& plan_;
  const KeBehaviour behaviour_;
  int fd_ = -1;
  bool is_connected_ = false;
  std::unique_ptr<ke::ClientExchange> exchange_;
  std::vector<std::uint8_t> garbage_;
  std::size_t garbage_sent_ = 0;
  std::optional<MonotonicTime> next_octet_;
  MonotonicTime began_{};
  MonotonicTime connected_{};
  MonotonicTime secured_{};
  std::string detail_;
};

}  // namespace ntsd::load
