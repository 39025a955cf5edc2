// A request that one thread makes and another does: who asks waits no longer than it wants to.
//
//   asker:  Post(job that holds `pending`);  answer = pending->Wait(patience)
//   doer:   if (pending->Begin()) pending->Finish(…);      or pending->Refuse(), when it will not be done
//
// Threads: one asker, one doer. Errors: Unanswered; what has not begun when the asker leaves is never done.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <utility>

#include "core/base/expected.h"
#include "core/base/time.h"

namespace ntsd {

enum class Unanswered : std::uint8_t {
  kStopped,   // nobody does it any more
  kNotBegun,  // the other thread was busy for all of the time: nothing was done, nor will be
  kUnderWay,  // it has begun, and may still have its effect
};

template <typename Answer>
class Pending {
 public:
  // False when nobody waits any more: it is not to be done.
  bool Begin() {
    const std::lock_guard lock(mutex_);
    if (state_ != State::kWaiting) return false;
    state_ = State::kBegun;
    return true;
  }
  void Finish(Answer answer) {
    const std::lock_guard lock(mutex_);
    answer_.emplace(std::move(answer));
    state_ = State::kEnded;
    has_ended_.notify_all();
  }
  void Refuse() {
    const std::lock_guard lock(mutex_);
    state_ = State::kEnded;
    has_ended_.notify_all();
  }

  Expected<Answer, Unanswered> Wait(Duration patience) {
    std::unique_lock lock(mutex_);
    if (has_ended_.wait_for(lock, patience, [this] { return state_ == State::kEnded; })) {
      if (!answer_) return Unexpected(Unanswered::kStopped);
      return std::move(*answer_);
    }
    return Unexpected(std::exchange(state_, State::kEnded) == State::kBegun ? Unanswered::kUnderWay
                                                                            : Unanswered::kNotBegun);
  }

 private:
  enum class State : std::uint8_t { kWaiting, kBegun, kEnded };

  std::mutex mutex_;  // guards what follows
  std::condition_variable has_ended_;
  State state_ = State::kWaiting;
  std::optional<Answer> answer_;
};

}  // namespace ntsd
