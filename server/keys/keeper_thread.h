// The keeper's thread, and the way in which other threads ask it.
//
// Threads: Start() and Stop() by main; Ask() by any thread between them. Requests are done one after the other, by the
// keeper's thread, which a slow disk may hold up: nobody waits for it longer than a few seconds. Whoever only wants to
// know takes Status(), by any thread at any time, and does not wait at all. Errors: Unanswered.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <type_traits>
#include <utility>

#include "server/keys/key_keeper.h"
#include "server/pending.h"

namespace ntsd {

// A sync takes milliseconds, on a busy disk a second.
inline constexpr Duration kKeeperPatience = std::chrono::seconds(3);

// For the operator, in one line.
std::string_view DescribeUnanswered(Unanswered reason);

class KeeperThread {
 public:
  explicit KeeperThread(std::unique_ptr<KeyKeeper> keeper);
  KeeperThread(const KeeperThread&) = delete;
  KeeperThread& operator=(const KeeperThread&) = delete;
  ~KeeperThread();

  KeyRing& ring() { return keeper_->ring(); }
  KeyStatus Status() const { return keeper_->Status(); }

  void Start();
  // Finishes the request under way and joins. Requests that still wait are answered with nothing.
  void Stop();

  // Has `request(keeper)` done and waits for its answer:  Ask([](KeyKeeper& keeper) { return keeper.Rotate(); })
  // It may be done after this has returned, so it owns what it uses.
  template <typename Request, typename Answer = std::invoke_result_t<Request, KeyKeeper&>>
  Expected<Answer, Unanswered> Ask(Request request, Duration patience = kKeeperPatience) {
    const auto pending = std::make_shared<Pending<Answer>>();
    Post([pending, request = std::move(request)](KeyKeeper* keeper) {
      if (keeper == nullptr) {
        pending->Refuse();
      } else if (pending->Begin()) {
        pending->Finish(request(*keeper));
      }
    });
    return pending->Wait(patience);
  }

 private:
  // Called with the keeper, or with nullptr when nobody will do it.
  using Job = std::function<void(KeyKeeper*)>;

  void Post(Job job);
  void Run();
  void Wait(Duration at_most);
  void Wake();
  std::deque<Job> TakeJobs();

  const std::unique_ptr<KeyKeeper> keeper_;
  const int wake_fd_;
  std::thread thread_;

  std::mutex mutex_;  // guards what follows
  std::deque<Job> jobs_;
  bool running_ = false;
};

}  // namespace ntsd
