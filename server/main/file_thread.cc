#include "server/main/file_thread.h"

#include <utility>

#include "core/base/check.h"

namespace ntsd {

FileThread::FileThread(const Clock& clock, Duration interval, std::function<void()> look)
    : clock_(clock), interval_(interval), look_(std::move(look)) {}

FileThread::~FileThread() { Stop(); }

void FileThread::Start() {
  {
    const std::lock_guard lock(mutex_);
    CHECK(!is_running_);
    is_running_ = true;
  }
  thread_ = std::thread([this] { Run(); });
}

void FileThread::Stop() {
  std::deque<Job> left;
  {
    const std::lock_guard lock(mutex_);
    is_running_ = false;
    left.swap(jobs_);
    has_work_.notify_all();
  }
  for (const Job& job : left) job(false);
  if (thread_.joinable()) thread_.join();
}

void FileThread::Post(Job job) {
  {
    const std::lock_guard lock(mutex_);
    if (is_running_) {
      jobs_.push_back(std::move(job));
      has_work_.notify_all();
      return;
    }
  }
  job(false);
}

Duration FileThread::BusyFor() const {
  const std::lock_guard lock(mutex_);
  return is_busy_ ? clock_.Monotonic() - busy_since_ : Duration::zero();
}

void FileThread::Run() {
  // Ends: Stop().
  while (true) {
    Job job;
    {
      std::unique_lock lock(mutex_);
      has_work_.wait_for(lock, interval_, [this] { return !is_running_ || !jobs_.empty(); });
      if (!is_running_) return;
      if (!jobs_.empty()) {
        job = std::move(jobs_.front());
        jobs_.pop_front();
      }
    }
    Do(job);
  }
}

// The look, when there is no job.
void FileThread::Do(const Job& job) {
  const auto set_busy = [this](bool is_busy) {
    const std::lock_guard lock(mutex_);
    is_busy_ = is_busy;
    busy_since_ = clock_.Monotonic();
  };
  set_busy(true);
  if (job) {
    job(true);
  } else {
    look_();
  }
  set_busy(false);
}

}  // namespace ntsd
