// Leap seconds: when one comes, on which day it is announced, and whether the clock has made it.
//
// POSIX time has no room for 23:59:60: a clock that inserts a leap second counts 23:59:59 twice, one that deletes a
// second goes from 23:59:58 to 00:00:00. Both end at `at`.
//
// Threads: values and functions of their arguments. Errors: none.
#pragma once

#include <cstdint>

#include "core/base/time.h"
#include "core/ntp/header.h"

namespace ntsd {

struct LeapSecond {
  UnixTime at{};           // 00:00:00 UTC of the day after it; the end of a month
  std::int8_t change = 0;  // +1: a second is inserted, -1: one is deleted, 0: no leap second is known
  // The clock has made it. Needed because the clock shows the second before `at` twice.
  bool passed = false;
  // It was known before the smear for it had to begin. One that comes later cannot be smeared without a jump.
  bool known_in_time = false;

  friend bool operator==(const LeapSecond&, const LeapSecond&) = default;
};

// The first instant of the next month, UTC: where a leap second that is announced at `time` would end.
UnixTime EndOfMonth(UnixTime time);

// What the header says at `now`: kInsert or kDelete on the last day of the month before `leap`, else kNone.
// Older clients make a leap second at the next midnight, so an earlier announcement would harm them (R-LEAP-02).
LeapIndicator AnnouncedLeap(const LeapSecond& leap, UnixTime now);

}  // namespace ntsd
