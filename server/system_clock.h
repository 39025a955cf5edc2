// The machine's own clocks: CLOCK_REALTIME is served, CLOCK_BOOTTIME measures ages and deadlines.
//
// Threads: holds nothing; any number may read at once. Memory: allocates nothing.
// Errors: none. Both clocks exist on every kernel that can run us; that they do is checked at construction.
#pragma once

#include "core/base/clock.h"

namespace ntsd {

class SystemClock final : public Clock {
 public:
  SystemClock();

  UnixTime Now() const override;
  MonotonicTime Monotonic() const override;
};

}  // namespace ntsd
