// The keeper's thread, and the way in which other threads ask it.
//
// Threads: Start() and Stop() by main; Ask() by any thread between them. Requests are done one after the other, by the
// keeper's thread. Whoever only wants to know takes Status(), by any thread at any time: it does not wait for that
// thread, which a slow disk may hold up. Errors: a request that comes after Stop() gives nothing.
#pragma once

#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <type_traits>

#include "server/keys/key_keeper.h"

namespace ntsd {

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
  template <typename Request>
  auto Ask(Request request) -> std::optional<std::invoke_result_t<Request, KeyKeeper&>> {
    using Answer = std::optional<std::invoke_result_t<Request, KeyKeeper&>>;
    const auto answer = std::make_shared<std::promise<Answer>>();
    std::future<Answer> future = answer->get_future();
    Post([answer, &request](KeyKeeper* keeper) {
      answer->set_value(keeper == nullptr ? Answer() : Answer(request(*keeper)));
    });
    return future.get();
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
