// The server side of NTP and NTS: datagrams in, decisions and answers out, a batch at a time (RFC 5905, RFC 8915 §5.7).
//
// A batch goes through two steps. Prepare() does everything that does not depend on the moment of sending: it parses,
// opens cookies, verifies requests and seals new cookies, each for the whole batch together. Finish() then takes small
// groups of it, stamps them with the transmit time, seals the answers, and they are ready to be sent. The transmit
// timestamp is authenticated, so it has to come before the last sealing; and every send in a group makes it older, so
// groups are small (kSendGroupSizeMax).
//
// Threads: each Responder belongs to one thread; its counters may be read by others.
// Memory: all of it is taken at construction. Key material of a batch is wiped by the time its last Finish() returns.
// Errors: none; every datagram ends in one Reason, and answers are never longer than their requests.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/clock.h"
#include "core/base/counters.h"
#include "core/base/ip_address.h"
#include "core/base/published.h"
#include "core/base/random.h"
#include "core/crypto/aead.h"
#include "core/guard/guard.h"
#include "core/keys/key_ring.h"
#include "core/limits.h"
#include "core/ntp/interleaved_store.h"
#include "core/ntp/server_state.h"
#include "core/nts/cookie.h"
#include "core/nts/reason.h"
#include "core/nts/request.h"
#include "core/nts/transmit_stamper.h"

namespace ntsd {

struct HeaderTemplate;

enum class RequireNts : std::uint8_t { kNo, kIgnore, kDeny };

// What one listener does differently from another.
struct ListenerPolicy {
  RequireNts require_nts = RequireNts::kNo;
  std::uint8_t versions = 0b0001'1110;  // bit v: version v is served
  bool smear = false;                   // leap seconds are spread over a day
  bool interleaved = true;              // clients may ask for true departures (RFC 9769)
  // Answers never tell a shorter poll interval than 2^this seconds (RFC 5905 §7.3); the default is no floor.
  std::int8_t poll_floor = std::numeric_limits<std::int8_t>::min();
};

// One datagram on its way through. The caller owns the memory behind it.
struct Exchange {
  // In. The request's own octets are overwritten (decrypted in place).
  ByteSpan request;
  ByteSpan reply;  // kReplySizeMax octets of room, apart from the request
  IpEndpoint source;
  bool to_unicast = true;    // sent to an address of ours, not to a multicast or broadcast one
  UnixTime received{};       // when it came
  std::size_t listener = 0;  // index into the policies
  // Out, by Prepare().
  Reason reason = Reason::kTooShort;
  // Out, by Finish(); not 0: the kernel shall tell when the answer leaves, for Learn(). It stands where it takes no
  // room.
  std::uint32_t sample = 0;
  std::size_t slot = 0;  // the Responder's own
  // Out, by Finish(): octets of the answer; 0 = silence.
  std::size_t reply_size = 0;
};

// What the kernel told of an answer whose exchange had that sample.
struct Departure {
  std::uint32_t sample = 0;
  UnixTime left{};
};

// Counters of one responder, written by its thread, read by anyone.
struct ResponderCounters {
  explicit ResponderCounters(std::size_t listener_count) : requests(listener_count) {}

  Counters<kReasonCount> reasons;
  // For each listener: [version - 1] plain, [version + 3] NTS, of everything that parsed as a request.
  static constexpr std::size_t RequestIndex(std::uint8_t version, bool is_nts) {
    return version - 1U + (is_nts ? 4U : 0U);
  }
  std::vector<Counters<8>> requests;
  // Cookies by the age of the key that they name: [0] current, [n] n rotations ago, then future, then unknown.
  static constexpr std::size_t kFutureAge = kKeysPerRingMax;
  static constexpr std::size_t kUnknownAge = kKeysPerRingMax + 1;
  Counters<kKeysPerRingMax + 2> cookie_ages;
  // Octets in, octets out, and answers that were longer than their request: the last must stay zero for ever.
  enum Octets : std::size_t { kOctetsIn, kOctetsOut, kAmplified, kOctetsCount };
  Counters<kOctetsCount> octets;
  // How long answers took from receive to transmit timestamp: [i] up to 2^i µs, the last one everything above.
  static constexpr std::size_t kServiceBucketCount = 22;
  static std::size_t ServiceBucket(Duration service);
  Counters<kServiceBucketCount> service;
  Counters<1> service_ns;
  // Interleaved mode: answers with a departure that the kernel had told, with one that was reckoned, and answers that
  // were remembered because their client may ask.
  enum Interleaved : std::size_t { kToldMeasured, kToldReckoned, kRemembered, kInterleavedCount };
  Counters<kInterleavedCount> interleaved;
};

class Responder {
 public:
  // All arguments outlive the responder. `policies` has one entry a listener. Without a guard everybody is served;
  // without a store of departures nobody gets interleaved answers.
  Responder(const Aead& aead, KeyRing& ring, const Published<ServerState>& state, const Clock& clock, Random& random,
            std::vector<ListenerPolicy> policies, Guard* guard = nullptr, InterleavedStore* departures = nullptr);
  ~Responder();

  // Decides about every datagram of `batch` (at most kBatchSizeMax) and prepares the answers.
  void Prepare(std::span<Exchange> batch);
  // Stamps and seals the answers of a part of the batch prepared last, of at most kSendGroupSizeMax, in the order in
  // which they will be sent. Each exchange is finished at most once.
  void Finish(std::span<Exchange> group);
  // Takes what the kernel has told of earlier answers. Between batches.
  void Learn(std::span<const Departure> departures);

  // Before the first batch: no exchange gets a sample. For benchmarks of what samples cost.
  void ForgoSamples() { stamper_.ForgoSamples(); }

  const TransmitCounters& transmit_counters() const { return stamper_.counters(); }

  const ResponderCounters& counters() const { return counters_; }
  // nullptr without a guard.
  const Guard::Worker* guard() const { return guard_ ? &*guard_ : nullptr; }

 private:
  struct Work;  // what Prepare() leaves for Finish()

  void ReadState(UnixTime wall, MonotonicTime now);
  const HeaderTemplate& TemplateFor(const Exchange& exchange) const;
  void Classify(Exchange& exchange, Work& work);
  void DropStale(std::span<Exchange> batch, UnixTime wall, MonotonicTime now);
  void Limit(std::span<Exchange> batch, MonotonicTime now);
  void OpenCookiesOf(std::span<Exchange> batch, const KeySet& keys);
  void VerifyRequests(std::span<Exchange> batch);
  void PlanReply(Exchange& exchange, Work& work, AeadId master) const;
  void WriteReplies(std::span<Exchange> batch, const KeySet& keys);
  void WriteHeader(const Exchange& exchange, std::uint64_t noise, Work& work);
  bool LookUpDeparture(const Exchange& exchange, Work& work);
  void WriteFields(const Exchange& exchange, Work& work, AeadId master);
  void WriteNtsReply(Work& work, ByteWriter& writer, AeadId master);
  void BeginGroup(std::span<const Exchange> group, UnixTime wall, MonotonicTime now);
  NtpTimestamp TransmitOf(Exchange& exchange, Work& work);
  InterleavedContext ContextOf(const Exchange& exchange) const;
  void CountRequests(std::span<const Exchange> batch);
  void CountAnswer(const Exchange& exchange, UnixTime transmitted);

  const Aead& aead_;
  KeyRing::Reader keys_;
  const Published<ServerState>& state_;
  const Clock& clock_;
  Random& random_;
  const std::vector<ListenerPolicy> policies_;
  std::optional<Guard::Worker> guard_;
  InterleavedStore* const departures_;
  TransmitStamper stamper_;
  ResponderCounters counters_;

  const UnixTime started_;
  std::optional<MonotonicTime> backlog_since_;  // since when every batch has been full
  // For listeners that tell the time as it is, and for those that smear.
  std::unique_ptr<std::array<HeaderTemplate, 2>> headers_;
  // By the slot of an exchange.
  std::unique_ptr<std::array<Work, kBatchSizeMax>> works_;
  std::vector<CookieSealJob> cookie_seals_;  // room for kBatchCookiesMax
};

}  // namespace ntsd
