// Judges answers in batches: each is matched to its request, looked at, verified together with its neighbours, counted.
//
// Threads: belongs to one thread. Memory: views into the caller's octets during Judge(); counts inside.
// Errors: whatever came, it is one AnswerKind.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <vector>

#include "bench/load/client.h"
#include "bench/load/flight_table.h"
#include "bench/load/histogram.h"
#include "bench/load/request_builder.h"
#include "bench/load/stamp_book.h"
#include "core/base/time.h"
#include "core/crypto/aead.h"
#include "core/ntp/header.h"
#include "core/nts/client.h"

namespace ntsd::load {

// A datagram that came to one of our sockets. Opening decrypts in place.
struct Arrival {
  ByteSpan octets;
  std::int64_t received_ns = 0;   // since the start of the run
  std::optional<UnixTime> stamp;  // the kernel's, where it was asked for
};

struct JudgeSettings {
  RequestShape shape;
  bool is_echo = false;            // the server sends back what it gets: answers are compared with requests
  std::uint64_t verify_every = 1;  // one in so many NTS answers is verified in full
  Duration timeout = std::chrono::seconds(1);
};

class AnswerJudge {
 public:
  struct Totals {
    Outcomes outcomes;
    Histogram latency;  // from the intended time of sending; answers in time, of every kind
    std::uint64_t verified = 0;
    std::uint64_t interleaved = 0;     // answers that were
    std::uint64_t cookies_taken = 0;   // from answers
    std::uint64_t cookies_opened = 0;  // of those, spent later, with an answer that proves that they opened
    std::uint64_t octets_received = 0;
  };

  // `stamps` may be nullptr.
  AnswerJudge(const JudgeSettings& settings, FlightTable& flights, std::span<Client> clients, StampBook* stamps,
              const Aead& aead);

  // At most kBatchSizeMax.
  void Judge(std::span<Arrival> arrivals);

  Totals& totals() { return totals_; }

 private:
  // An answer between the phases.
  struct Candidate {
    Arrival* arrival = nullptr;
    Flight* flight = nullptr;
    bool is_interleaved = false;
    NtpHeader header;
    AnswerKind kind = AnswerKind::kOk;
    std::size_t job = kNoJob;  // index of its verification
  };
  static constexpr std::size_t kNoJob = static_cast<std::size_t>(-1);

  // Finds the request; false when the answer is counted already.
  bool Match(Arrival& arrival, Candidate& candidate);
  void LookAt(Candidate& candidate);
  void LookAtEcho(Candidate& candidate);
  AnswerKind LookAtFields(Candidate& candidate);
  void TakeVerdict(Candidate& candidate);
  void TakeCookies(const Flight& flight);
  void Settle(Candidate& candidate);

  JudgeSettings settings_;
  FlightTable& flights_;
  std::span<Client> clients_;
  StampBook* stamps_;
  const Aead& aead_;
  std::array<Candidate, kBatchSizeMax> candidates_;
  std::array<OpenJob, kBatchSizeMax> jobs_;
  std::size_t job_count_ = 0;
  std::vector<ByteView> cookies_;
  Totals totals_;
};

}  // namespace ntsd::load
