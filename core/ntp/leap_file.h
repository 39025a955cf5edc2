// leap-seconds.list, as IERS and NIST publish it: the leap seconds of the past and the next one, once it is decided.
//
// Threads: functions of their arguments. Memory: a few dozen entries.
// Errors: every file that is not whole and unaltered is refused with a reason; its SHA-1 line is required.
#pragma once

#include <string_view>
#include <vector>

#include "core/base/expected.h"
#include "core/base/time.h"
#include "core/ntp/leap.h"

namespace ntsd {

enum class LeapFileFault {
  kTooLarge,       // over kLeapFileSizeMax
  kNoUpdateTime,   // no "#$" line
  kNoExpiry,       // no "#@" line
  kNoHash,         // no "#h" line
  kMalformedLine,  // a line that is neither a comment nor "seconds offset"
  kNotInOrder,     // times must rise, and offsets change by one
  kNotAtMonthEnd,  // a leap second ends a month (UTC)
  kNoLeapSeconds,  // no data at all
  kHashMismatch,   // altered or cut short
};
std::string_view ToString(LeapFileFault fault);

inline constexpr std::size_t kLeapFileSizeMax = 64 * 1024;

struct LeapTable {
  struct Entry {
    UnixTime at;     // from here on
    int tai_offset;  // TAI - UTC, seconds
  };
  std::vector<Entry> entries;
  UnixTime updated{};
  UnixTime expires{};

  bool IsExpired(UnixTime now) const { return now >= expires; }
  // The leap second that matters at `now`: the next one, or the last one until the noon after it. Change 0 if none.
  // An expired table knows the past, but not whether a leap second comes: then only one that is listed counts.
  LeapSecond NearestTo(UnixTime now) const;
};

Expected<LeapTable, LeapFileFault> ParseLeapFile(std::string_view text);

}  // namespace ntsd
