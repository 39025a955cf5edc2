// Reads what the last daemon told the kernel about the clock: adjtimex(2), without changing anything.
//
// Threads, Memory, Errors: as clock_source.h says. Needs no privilege, since nothing is set.
#pragma once

#include <sys/timex.h>

#include <functional>
#include <optional>

#include "server/reference/clock_source.h"

namespace ntsd {

// The pure part: the kernel's state (what adjtimex returned) and figures in our own words.
KernelClock ReadKernelClock(int state, const timex& figures);

class KernelSource final : public ClockSource {
 public:
  using Adjtimex = std::function<int(timex*)>;

  KernelSource(std::uint8_t stratum, std::uint32_t reference_id, const Clock& clock, Adjtimex adjtimex);

  Expected<ReferenceSample, ReferenceFault> Poll() override;

 private:
  std::uint8_t stratum_;
  std::uint32_t reference_id_;
  const Clock& clock_;
  Adjtimex adjtimex_;
  // The kernel's largest error only grows by itself; that it fell means that a daemon has set it.
  std::optional<Duration> last_error_max_;
  UnixTime updated_{};
};

}  // namespace ntsd
