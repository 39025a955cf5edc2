// The clocks of the machine as an argument, so that tests can hold them still, step them and run them fast.
#pragma once

#include "core/base/time.h"

namespace ntsd {

// Threads: any number may read at once.
class Clock {
 public:
  virtual ~Clock() = default;

  // The clock that is served: CLOCK_REALTIME, disciplined by somebody else. It may step.
  virtual UnixTime Now() const = 0;
  // Never steps; runs on during suspend (CLOCK_BOOTTIME), because key ages and deadlines do.
  virtual MonotonicTime Monotonic() const = 0;
};

}  // namespace ntsd
