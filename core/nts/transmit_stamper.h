// Transmit timestamps of one worker's answers: the moment at which each will leave, and what became of that.
//
// For each group Begin() takes the clock reading; then Next() is asked once for each answer, in the order of sending.
// Of some answers the kernel is asked for the departure; Learn() takes it, and the next answers are stamped better.
//
// Threads: belongs to one thread; its counters may be read by others. Memory: inside.
// Errors: none. Departures that the kernel never tells, or that cannot be true, are counted.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "core/base/counters.h"
#include "core/base/time.h"
#include "core/limits.h"
#include "core/ntp/departure_model.h"
#include "core/ntp/interleaved_store.h"

namespace ntsd {

// How wrong transmit timestamps were, of the answers that were sampled.
struct TransmitCounters {
  // |real departure − transmit timestamp|: [i] up to kErrorBounds[i], the last one everything above.
  static constexpr std::array<Duration, 13> kErrorBounds = {
      Duration(100),     Duration(200),     Duration(500),      Duration(1'000),  Duration(2'000),
      Duration(5'000),   Duration(10'000),  Duration(20'000),   Duration(50'000), Duration(100'000),
      Duration(200'000), Duration(500'000), Duration(1'000'000)};
  Counters<kErrorBounds.size() + 1> errors;
  Counters<1> error_ns;
  // Samples: asked for; told by the kernel; of them, impossible (the clock was stepped, or an answer of that name is
  // not waited for). What was asked for and not told is lost or under way.
  enum Sample : std::size_t { kAsked, kTold, kImpossible, kSampleCount };
  Counters<kSampleCount> samples;
};

class TransmitStamper {
 public:
  // What one answer gets.
  struct Stamp {
    UnixTime departure;        // when it will leave, by the clock that is served
    std::uint32_t sample = 0;  // not 0: the kernel shall tell its departure under this name
  };
  // Whose departure has been learned, if an interleaved client may ask for it.
  struct Measured {
    NtpTimestamp receive;  // of the answer
    InterleavedContext context;
  };

  // A group of `answer_count` answers (1 to kSendGroupSizeMax) is stamped by clock readings of this moment. A new epoch
  // forgets what was learned: the clock was set, and who knows what else has changed.
  void Begin(UnixTime wall, MonotonicTime now, std::uint32_t clock_epoch, std::size_t answer_count, bool is_sealed);
  // The next answer of the group. `remembered` is its receive timestamp when it is kept for an interleaved client.
  Stamp Next(std::uint32_t dice, const std::optional<NtpTimestamp>& remembered, bool is_smeared);

  // The kernel says that the answer of that name left at `departure`. The result is for the store of departures.
  std::optional<Measured> Learn(std::uint32_t sample, UnixTime departure);

  // Before the first answer: the kernel is never asked, and nothing is learned. For benchmarks of what asking costs.
  void ForgoSamples() { is_sampling_ = false; }

  const TransmitCounters& counters() const { return counters_; }

 private:
  struct Pending {
    std::uint32_t sample = 0;  // 0: nobody waits
    SendPlace place;
    UnixTime read;      // the clock
    UnixTime promised;  // the transmit timestamp, unsmeared
    std::optional<NtpTimestamp> remembered;
    InterleavedContext context;
  };

  DepartureModel model_;
  SampleBudget budget_;
  TransmitCounters counters_;
  std::array<Pending, kDepartureSamplesPending> pending_{};
  std::uint32_t last_sample_ = 0;
  bool is_sampling_ = true;
  // Of the group.
  UnixTime wall_{};
  std::uint32_t clock_epoch_ = 0;
  SendPlace place_;
};

}  // namespace ntsd
