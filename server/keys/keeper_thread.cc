#include "server/keys/keeper_thread.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <chrono>

#include "core/base/check.h"

namespace ntsd {

std::string_view DescribeUnanswered(Unanswered reason) {
  switch (reason) {
    case Unanswered::kStopped:
      return "the server is stopping";
    case Unanswered::kNotBegun:
      return "the keys wait for a disk that does not answer: nothing was done";
    case Unanswered::kUnderWay:
      return "the disk of the keys does not answer: the keys in force stay until it does, and then the change comes "
             "into force";
  }
  return {};
}

KeeperThread::KeeperThread(std::unique_ptr<KeyKeeper> keeper)
    : keeper_(std::move(keeper)), wake_fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  CHECK(wake_fd_ >= 0);
}

KeeperThread::~KeeperThread() {
  Stop();
  ::close(wake_fd_);
}

void KeeperThread::Start() {
  {
    const std::lock_guard lock(mutex_);
    CHECK(!running_);
    running_ = true;
  }
  thread_ = std::thread([this] { Run(); });
}

void KeeperThread::Stop() {
  {
    const std::lock_guard lock(mutex_);
    running_ = false;
  }
  Wake();
  if (thread_.joinable()) thread_.join();
}

void KeeperThread::Post(Job job) {
  {
    const std::lock_guard lock(mutex_);
    if (running_) {
      jobs_.push_back(std::move(job));
      Wake();
      return;
    }
  }
  job(nullptr);
}

std::deque<KeeperThread::Job> KeeperThread::TakeJobs() {
  const std::lock_guard lock(mutex_);
  return std::exchange(jobs_, {});
}

void KeeperThread::Run() {
  const auto still_running = [this] {
    const std::lock_guard lock(mutex_);
    return running_;
  };
  // Ends: Stop().
  while (still_running()) {
    for (const Job& job : TakeJobs()) job(keeper_.get());
    Wait(keeper_->Tick());
  }
  // Nobody adds any more.
  for (const Job& job : TakeJobs()) job(nullptr);
}

void KeeperThread::Wake() {
  const std::uint64_t one = 1;
  // It fails only when the counter is full, and then the thread is awake anyway.
  [[maybe_unused]] const ssize_t written = ::write(wake_fd_, &one, sizeof(one));
}

void KeeperThread::Wait(Duration at_most) {
  std::array<pollfd, 2> fds{pollfd{wake_fd_, POLLIN, 0}, pollfd{keeper_->WakeDescriptor(), POLLIN, 0}};
  // Rounded up: a keeper that is asked too early would have us turn around until it is time.
  const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(at_most).count();
  ::poll(fds.data(), fds.size(), static_cast<int>(milliseconds));
  std::uint64_t count;
  [[maybe_unused]] const ssize_t got = ::read(wake_fd_, &count, sizeof(count));
}

}  // namespace ntsd
