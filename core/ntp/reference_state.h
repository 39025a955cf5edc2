// Decides what we tell clients about our clock: samples of the source and readings of the clocks in, ServerState out.
//
// The rules:
//   * The last sample counts. While no new one comes, its dispersion grows; past the largest distance we are not
//     synchronized (ServerState::IsFitToServe). The next good sample makes us synchronized again.
//   * A source that answers that it is not synchronized is believed at once.
//   * A step of the wall clock begins a new epoch, and what was known before counts no more. A sample is accepted again
//     when the source knows of steps, or when the step is explained: it is the correction that the source had
//     announced, or a leap second. Otherwise somebody else set the clock, and the source has to have looked at its own
//     source since (its reference time is after the step).
//   * Leap seconds come from the table if there is one that has not expired, else from the source.
//
// Threads: belongs to one thread (the reference watcher). Memory: allocates nothing but for the table.
// Errors: none.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "core/base/time.h"
#include "core/ntp/leap_file.h"
#include "core/ntp/reference_sample.h"
#include "core/ntp/server_state.h"

namespace ntsd {

// Where we stand, for status and logs.
enum class ReferenceCondition : std::uint8_t {
  kWaiting,         // no sample yet
  kSynchronized,    // the last poll gave a good sample
  kHolding,         // the source is lost; the clock runs on, and its dispersion grows
  kUnsynchronized,  // the source says that it is not synchronized
  kTooFar,          // the root distance is beyond the limit
  kStepped,         // the clock was stepped, and the source has not confirmed it yet
};
std::string_view ToString(ReferenceCondition condition);

class ReferenceState {
 public:
  struct Settings {
    Duration distance_max = std::chrono::seconds(1);
    std::int8_t precision = -20;  // log2 s, of our clock
  };

  ReferenceState(const Settings& settings, ClockReading now);

  // To be called often, and before and after every poll: notices steps. Returns by how much the clock jumped.
  std::optional<Duration> OnClock(ClockReading now);
  // What a poll gave. A sample that was taken before the last step is ignored.
  void OnSample(const ReferenceSample& sample);
  void OnNoSample() { is_reachable_ = false; }
  // Nothing: there is no table any more.
  void SetLeapTable(std::optional<LeapTable> table) { table_ = std::move(table); }

  ServerState Publish(ClockReading now);

  ReferenceCondition ConditionAt(ClockReading now) const;
  const std::optional<ReferenceSample>& sample() const { return sample_; }
  const LeapSecond& leap_second() const { return leap_; }
  const std::optional<LeapTable>& leap_table() const { return table_; }
  std::uint32_t clock_epoch() const { return epoch_; }

 private:
  // After a step that nobody announced: what the source has to show before it is believed again.
  struct Doubt {
    Duration jumps{};                         // all of them together
    UnixTime since{};                         // the last one, by the clock as it was before the first
    std::optional<UnixTime> last_update;      // of the source, as seen so far
    std::optional<Duration> expected_offset;  // the steps undone; unknown when the source was not synchronized itself
    int updates = 0;                          // that the source has had since
  };

  bool IsExplained(Duration jump, ClockReading now);
  void BeginDoubt(Duration jump, ClockReading now);
  void Excuse(Duration rest, ClockReading now);
  void Reconsider(const ReferenceSample& sample);
  LeapSecond LeapFromTable(UnixTime now) const;
  LeapSecond LeapFromSource(UnixTime now) const;
  void UpdateLeap(UnixTime now);

  Settings settings_;
  ClockReading started_;

  std::uint32_t epoch_ = 0;
  UnixTime epoch_began_{};
  Duration wall_minus_monotonic_;
  std::optional<Doubt> doubt_;
  // What an explained step differed from its explanation: an error of the clock until the source has measured again.
  Duration unexplained_rest_{};
  UnixTime rest_since_{};

  std::optional<ReferenceSample> sample_;  // of this epoch
  // Of the last sample of any epoch.
  Duration last_offset_{};
  std::optional<UnixTime> last_update_;
  bool was_synchronized_ = false;
  bool is_reachable_ = false;

  std::optional<LeapTable> table_;
  LeapSecond leap_;
};

}  // namespace ntsd
