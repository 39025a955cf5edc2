// One thread of the front end: its own event loop over a fixed table of connections. Here the sockets are.
//
// Threads: Run() is the thread; Wake() and the statistics may be used by others.
// Memory: the table is allocated once; a connection's TLS state lives from its first octet to its answer.
// Errors: the end of every connection is counted once.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <ctime>
#include <memory>
#include <optional>
#include <vector>

#include "core/base/clock.h"
#include "core/base/counters.h"
#include "core/keys/key_ring.h"
#include "ke/connection.h"
#include "ke/deadlines.h"
#include "ke/lag_probe.h"
#include "ke/shared.h"
#include "ke/snapshot.h"

namespace ntsd::ke {

class Worker {
 public:
  Worker(Shared& shared, std::size_t index);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  void Run();
  // Makes Run() look at the shared flags and states now.
  void Wake();

  // After Run(): closes what is still open. Returns how many had not come to their end.
  std::size_t CutOff();
  // Adds this worker's counts.
  void AddTo(Snapshot& snapshot) const;

 private:
  struct Slot {
    enum class State : std::uint8_t { kFree, kOpen, kLingering };
    State state = State::kFree;
    bool peer_closed = false;
    bool polls_output = false;
    bool kept_alive = false;  // counted as such
    bool answered = false;
    std::uint32_t generation = 0;  // tells events of an earlier connection apart
    int fd = -1;
    std::size_t service = 0;
    std::size_t discarded_size = 0;
    IpAddress peer;
    MonotonicTime accepted{};
    Connection connection;
  };
  enum Queue : std::size_t { kExchange, kKeptAlive, kLinger, kQueueCount };

  std::size_t QueueOf(std::size_t service, Queue queue) const { return service * kQueueCount + queue; }
  Services ServicesOf(const Slot& slot);

  // The turn of the loop.
  void PrepareThread();
  bool Watch(int fd, std::uint32_t events, std::uint64_t tag);
  int TimeoutMs() const;
  void TakeStates();
  void HandleWake();
  void ExpireDue();
  void BeginDrain();

  // Letting clients in.
  void Accept(const Listener& listener);
  std::optional<ConnectionEnd> Refuse(std::size_t service, const IpAddress& peer, GuardReason reason);
  void PauseAccepting();
  void ListenAgain();
  void StopListening();

  // One connection.
  void Open(int fd, std::size_t service, const IpAddress& peer);
  void OnEvent(std::size_t index, std::uint32_t events);
  void OnInput(std::size_t index);
  void Discard(std::size_t index, std::uint32_t events);
  void Settle(std::size_t index);
  bool Flush(std::size_t index);
  void PollOutput(std::size_t index, bool wanted);
  void NoteAnswers(std::size_t index);
  void ObserveSeconds(Duration elapsed);
  void Finish(std::size_t index, ConnectionEnd end, bool linger);
  void Release(std::size_t index);

  Shared& shared_;
  const std::size_t index_;
  std::unique_ptr<Random> random_;
  KeyRing::Reader keys_;
  std::optional<Guard::Worker> guard_;
  int epoll_fd_ = -1;
  int wake_fd_ = -1;

  std::vector<Slot> slots_;
  std::vector<std::size_t> free_;
  Deadlines deadlines_;
  std::vector<std::shared_ptr<const ServiceState>> states_;
  std::uint64_t generation_ = 0;
  MonotonicTime now_{};
  bool listening_ = false;
  bool draining_ = false;
  std::optional<MonotonicTime> accept_again_;
  LagProbe lag_;
  std::vector<std::uint8_t> buffer_;

  // Read by others.
  enum Counter : std::size_t { kPoolAnswers, kAcceptFailures, kSecondsSum_ns, kCpu_ns, kCounterCount };
  Counters<kConnectionEndCount> ends_;
  Counters<kAeads.size()> aeads_;
  Counters<kSecondsBounds.size() + 1> seconds_;
  Counters<kCounterCount> counters_;
  // The kernel's clock of the CPU time of this thread, while it runs.
  clockid_t cpu_clock_{};
  std::atomic<bool> has_cpu_clock_{false};
};

}  // namespace ntsd::ke
