// How long an octet that has arrived waits for its worker, measured by an event of our own.
//
// The kernel hands out events in the order in which they became ready. So the time that the probe waits between being
// sent and being seen is the time that a client's octet waits. Costs two system calls every few milliseconds of work.
//
// Threads: belongs to one worker's thread.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <chrono>
#include <optional>

#include "core/base/check.h"
#include "core/base/time.h"

namespace ntsd::ke {

class LagProbe {
 public:
  // Saturated: when the lag is above `bound`, until it is below half of it, so that it does not flutter.
  explicit LagProbe(Duration bound) : bound_(bound), fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) { CHECK(fd_ >= 0); }
  ~LagProbe() { close(fd_); }
  LagProbe(const LagProbe&) = delete;
  LagProbe& operator=(const LagProbe&) = delete;

  // To be watched for input.
  int fd() const { return fd_; }
  bool IsSaturated() const { return saturated_; }

  // At the end of a turn of the loop. Without work there is no lag and nothing to send, unless we still believe that
  // there is one.
  void Send(bool had_work, MonotonicTime now) {
    const bool is_due = saturated_ || (had_work && now - seen_ >= kInterval);
    if (!is_due || sent_.has_value()) return;
    eventfd_write(fd_, 1);
    sent_ = now;
  }
  // When fd() is readable.
  void See(MonotonicTime now) {
    eventfd_t value = 0;
    eventfd_read(fd_, &value);
    if (!sent_.has_value()) return;
    const Duration lag = now - *sent_;
    saturated_ = lag > (saturated_ ? bound_ / 2 : bound_);
    seen_ = now;
    sent_.reset();
  }

 private:
  static constexpr Duration kInterval = std::chrono::milliseconds(5);

  const Duration bound_;
  const int fd_;
  std::optional<MonotonicTime> sent_;
  MonotonicTime seen_{};
  bool saturated_ = false;
};

}  // namespace ntsd::ke
