// The thread that reads files for the service: reloads, and a look at the certificates now and then. A disk that hangs
// holds up this thread, and nobody else.
//
// Threads: Start() and Stop() by main; Post() and BusyFor() by any. Errors: none; what is posted when it does not run
// is told so at once.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include "core/base/clock.h"

namespace ntsd {

class FileThread {
 public:
  // Called with false when it will not be done; then by whoever posts, or by Stop().
  using Job = std::function<void(bool is_running)>;

  // `look` is called when there has been no job for that interval, by this thread. `clock` outlives it.
  FileThread(const Clock& clock, Duration interval, std::function<void()> look);
  ~FileThread();
  FileThread(const FileThread&) = delete;
  FileThread& operator=(const FileThread&) = delete;

  void Start();
  // Waits for what is under way.
  void Stop();
  // Jobs are done one after the other.
  void Post(Job job);

  // How long what is under way has taken so far; zero when nothing is.
  Duration BusyFor() const;

 private:
  void Run();
  void Do(const Job& job);

  const Clock& clock_;
  const Duration interval_;
  const std::function<void()> look_;
  std::thread thread_;

  mutable std::mutex mutex_;  // guards what follows; never held while something is done
  std::condition_variable has_work_;
  std::deque<Job> jobs_;
  bool is_running_ = false;
  MonotonicTime busy_since_{};
  bool is_busy_ = false;
};

}  // namespace ntsd
