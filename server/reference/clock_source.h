// Who tells us how right the system clock is: chronyd, any NTP daemon, the kernel, or nobody.
//
// Threads: a source belongs to one thread, the reference watcher's, after it was opened.
// Memory: one socket at most, opened before privileges are dropped; small buffers on the stack.
// Errors: a poll that gives no sample says why; the source stays usable, and the next poll may succeed.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "core/base/clock.h"
#include "core/base/expected.h"
#include "core/base/random.h"
#include "core/ntp/reference_sample.h"

namespace ntsd {

struct ReferenceSettings {
  ReferenceKind kind = ReferenceKind::kChrony;
  // For chrony and ntp: "127.0.0.1:323", "[::1]:123", or for chrony the path of its Unix socket.
  std::string address = "127.0.0.1:323";
  std::uint8_t stratum = 10;       // for kernel and local
  std::uint32_t reference_id = 0;  // for kernel; 0: kKernelReferenceId
  Duration distance_max = std::chrono::seconds(1);
  std::string leap_seconds_file;  // empty: the source alone announces leap seconds
};

class ClockSource {
 public:
  virtual ~ClockSource() = default;

  // Asks, and waits for the answer for kPollTimeout at most.
  virtual Expected<ReferenceSample, ReferenceFault> Poll() = 0;
};

// A daemon on this host answers within microseconds, and within milliseconds when the host is busy.
inline constexpr Duration kPollTimeout = std::chrono::milliseconds(250);

// Opens what the source needs. The error says in words what the environment does not allow. A daemon that does not run
// (yet) is no error. `clock` and `random` have to outlive the source.
Expected<std::unique_ptr<ClockSource>, std::string> OpenClockSource(const ReferenceSettings& settings,
                                                                    const Clock& clock, Random& random);

}  // namespace ntsd
