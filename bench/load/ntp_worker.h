// One load thread of the NTP stage: sends requests when they are due, judges answers when they come.
//
// Threads: made by main's, run by its own; live() may be read by anyone.
// Memory: allocated when it is made; the run allocates nothing but samples of stamps.
// Errors: making gives one line; what happens to requests is counted.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "bench/load/answer_judge.h"
#include "bench/load/arrivals.h"
#include "bench/load/flight_table.h"
#include "bench/load/request_builder.h"
#include "bench/load/settings.h"
#include "bench/load/stamp_book.h"
#include "bench/load/udp_channel.h"
#include "core/base/counters.h"
#include "core/base/expected.h"
#include "core/crypto/fast_random.h"

namespace ntsd::load {

// What the line of progress is made of.
enum class Live : std::uint8_t { kSent, kAnswered, kUnexpected, kCount };
using LiveCounters = Counters<static_cast<std::size_t>(Live::kCount)>;

struct WorkerTotals {
  AnswerJudge::Totals answers;
  Histogram send_lag;         // from the intended time to the system call
  std::uint64_t due = 0;      // requests whose time came while the run lasted
  std::uint64_t starved = 0;  // could not be made, since no client had a cookie left
  StampQuality stamps;
  UdpChannelCounts channel;
  Duration cpu{};
};

class NtpWorker {
 public:
  // `clients` stay the caller's; nobody else touches them while it runs.
  static Expected<std::unique_ptr<NtpWorker>, std::string> Make(const NtpSettings& settings, const IpEndpoint& server,
                                                                std::span<Client> clients, std::size_t index);

  // From `start` on, until the length of the run is over or `stop` is set, and then until every answer has come or is
  // late.
  void Run(MonotonicTime start, const std::atomic<bool>& stop);

  // After Run().
  WorkerTotals& totals() { return totals_; }
  const LiveCounters& live() const { return live_; }

 private:
  NtpWorker(const NtpSettings& settings, std::span<Client> clients, std::size_t index);

  std::int64_t Now() const;
  std::size_t SendDue(std::int64_t now);
  // How many requests are due, and when the one is meant to be sent that SendDue() takes next.
  bool IsDue(std::int64_t now) const;
  void Compose(std::int64_t intended_ns);
  bool WantsStamp(const Flight& flight) const;
  void SendComposed();
  void SendStamped(std::size_t index);
  void NoteSent(Flight& flight);
  std::size_t ReceiveBatch(Duration wait);
  Duration TimeToWait(std::int64_t now) const;
  RequestKind PickKind();
  void Finish();

  const NtpSettings settings_;
  const std::size_t index_;
  std::span<Client> clients_;
  FastRandom random_;
  const Aead& aead_;
  FlightTable flights_;
  std::unique_ptr<StampBook> stamps_;
  RequestBuilder builder_;
  AnswerJudge judge_;
  std::unique_ptr<UdpChannel> channel_;
  std::optional<Arrivals> arrivals_;  // of the open loop with a rate
  std::optional<std::size_t> window_;
  MonotonicTime start_{};
  std::size_t next_client_ = 0;
  std::array<Flight*, kBatchSizeMax> composed_{};
  std::size_t composed_count_ = 0;
  WorkerTotals totals_;
  LiveCounters live_;
};

}  // namespace ntsd::load
