// Watches the clock and whoever disciplines it, and publishes what clients are told: once a second, and at once when
// the clock is stepped.
//
// Threads: made and destroyed by the main thread. Either the watcher's own thread (Start) or one caller (Tick) works
//          it, not both. ReadLeapList() by one other thread, or by one caller too. Summary() and faults() may be called
//          by any thread at any time.
// Memory: a descriptor for the alarm and one to stop, opened at construction; afterwards next to none.
// Errors: a source that cannot be asked is counted and shows in the state; nothing throws, nothing ends the thread.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "core/base/counters.h"
#include "core/base/published.h"
#include "core/ntp/reference_state.h"
#include "core/ntp/server_state.h"
#include "server/log.h"
#include "server/reference/clock_source.h"
#include "server/reference/leap_list.h"
#include "server/reference/step_alarm.h"

namespace ntsd {

// What `ntsctl status`, the metrics and /healthz say of the clock.
struct ReferenceSummary {
  ReferenceKind source = ReferenceKind::kLocal;
  std::string address;  // empty when the source has none
  ReferenceCondition condition = ReferenceCondition::kWaiting;
  bool fit = false;  // what clients are told: synchronized and near enough
  std::uint8_t stratum = 0;
  std::uint32_t reference_id = 0;
  LeapIndicator leap = LeapIndicator::kUnsynchronized;  // as announced now
  std::optional<UnixTime> leap_at;                      // the next leap second, or that of last night
  std::string leap_problem;                             // why the list of leap seconds is not used; empty: it is
  std::optional<UnixTime> leap_list_expires;
  Duration offset{};  // NTP's sign: what is to be added to our clock
  Duration root_delay{};
  Duration root_dispersion{};  // now
  std::optional<Duration> sample_age;
  std::int8_t precision = 0;
  std::uint32_t clock_steps = 0;
  std::optional<ReferenceFault> last_fault;  // of the last poll
};

class ReferenceWatcher {
 public:
  ReferenceWatcher(const ReferenceSettings& settings, std::unique_ptr<ClockSource> source, const Clock& clock,
                   Published<ServerState>& published, Log& log);
  ReferenceWatcher(const ReferenceWatcher&) = delete;
  ReferenceWatcher& operator=(const ReferenceWatcher&) = delete;
  ~ReferenceWatcher();

  // One round: look at the clocks, ask the source, publish. Call it once before the workers start, so that they never
  // see a state that nobody decided.
  void Tick();

  // Reads the file of leap seconds; the next Tick() uses it. To be called before the first one, and again now and then.
  // It is the only thing here that waits for a disk, so not the watcher's thread does it.
  void ReadLeapList();

  void Start();
  void Stop();  // waits for the thread: at most kPollTimeout

  ReferenceSummary Summary() const;
  // How often each way of getting no sample has happened, by ReferenceFault.
  const Counters<kReferenceFaultCount>& faults() const { return faults_; }

 private:
  void Run();
  void LookAtTheClock();
  void TakeLeapList();
  void AskTheSource();
  void Publish();
  void LogChanges(const ReferenceSummary& before, const ReferenceSummary& after);

  const ReferenceSettings settings_;
  const std::unique_ptr<ClockSource> source_;
  const Clock& clock_;
  Published<ServerState>& published_;
  Log& log_;
  Counters<kReferenceFaultCount> faults_;

  // Of the thread that ticks.
  ReferenceState state_;
  StepAlarm alarm_;
  std::optional<ReferenceFault> last_fault_;
  Duration poll_interval_;
  MonotonicTime next_poll_{};

  LeapList leap_list_;  // of the thread that reads it

  std::mutex leap_mutex_;  // guards what that thread leaves for the other, and never waits for anything
  std::optional<LeapTable> leap_table_;
  std::string leap_problem_;
  bool leap_table_is_new_ = false;

  mutable std::mutex summary_mutex_;
  ReferenceSummary summary_;

  int stop_descriptor_;
  std::thread thread_;
};

}  // namespace ntsd
