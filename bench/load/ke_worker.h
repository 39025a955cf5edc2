// One load thread of NTS-KE: begins connections when they are due, carries them on together, counts how they end.
//
// Threads: made by main's, run by its own; live() may be read by anyone.
// Errors: what happens to a connection is a KeEnding, counted.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "bench/load/arrivals.h"
#include "bench/load/ke_connection.h"
#include "core/base/counters.h"
#include "core/crypto/fast_random.h"

namespace ntsd::load {

enum class KeLive : std::uint8_t { kStarted, kOk, kFailed, kCount };
using KeLiveCounters = Counters<static_cast<std::size_t>(KeLive::kCount)>;

class KeWorker {
 public:
  // `results_wanted`: keep the keys and cookies of so many honest connections, and end when there are as many.
  KeWorker(const KePlan& plan, const KeSettings& settings, std::size_t index, std::size_t results_wanted = 0);
  ~KeWorker();
  KeWorker(const KeWorker&) = delete;
  KeWorker& operator=(const KeWorker&) = delete;

  void Run(MonotonicTime start, const std::atomic<bool>& stop);

  // After Run().
  KeTotals& totals() { return totals_; }
  std::vector<ke::ClientResult>& results() { return results_; }
  // What the last connection that failed had to say; empty when none did.
  const std::string& last_problem() const { return last_problem_; }
  const KeLiveCounters& live() const { return live_; }

 private:
  struct Slot {
    std::unique_ptr<KeConnection> connection;
    MonotonicTime intended{};
    std::uint64_t serial = 0;
    bool waits_for_room = false;  // epoll reports when octets can be sent
  };
  struct Deadline {
    std::size_t slot;
    std::uint64_t serial;
    MonotonicTime time;
  };

  bool IsFinished(MonotonicTime now) const;
  void BeginDue(MonotonicTime now);
  void Begin(MonotonicTime intended, MonotonicTime now);
  void CarryOn(std::size_t slot, MonotonicTime now);
  void Watch(std::size_t slot, bool is_new);
  void SendOctets(MonotonicTime now);
  void ExpireOld(MonotonicTime now);
  void End(std::size_t slot, KeEnding ending, MonotonicTime now);
  Duration TimeToWait(MonotonicTime now) const;
  KeBehaviour PickBehaviour();

  const KePlan& plan_;
  const KeSettings settings_;
  const std::size_t index_;
  const std::size_t results_wanted_;
  FastRandom random_;
  std::optional<Arrivals> arrivals_;
  bool has_slow_ = false;
  int epoll_ = -1;
  std::vector<Slot> slots_;
  std::vector<std::size_t> free_;
  std::deque<Deadline> deadlines_;  // all wait equally long, so the first to begin is the first to be due
  std::uint64_t next_serial_ = 1;
  std::size_t next_source_ = 0;
  MonotonicTime start_{};
  KeTotals totals_;
  std::vector<ke::ClientResult> results_;
  std::string last_problem_;
  std::size_t failed_in_a_row_ = 0;
  KeLiveCounters live_;
};

}  // namespace ntsd::load
