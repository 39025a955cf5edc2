// The linear 24-hour smear: a leap second spread evenly from noon to noon UTC around it, for listeners whose clients
// cannot bear one.
//
// Smeared clients are up to half a second away from UTC, so a public server must not do this (RFC 8633 §3.7.1); it is
// for a listener of its own. All servers that a client asks must smear alike.
//
// While it smears, a listener never announces the leap second, and its reference id is 254.x.y.z, where x.y.z is the
// offset in units of 2^-22 s, signed: what ntpd does, and what its tools decode. A reference id of stratum 2 and above
// is there to find loops between servers; those of a smearing server cannot be found for that day.
//
// Threads: functions of their arguments. Errors: none.
#pragma once

#include <cstdint>

#include "core/base/time.h"
#include "core/ntp/leap.h"

namespace ntsd {

inline constexpr Duration kSmearHalf = std::chrono::hours(12);

// What must be added to the clock's time `time` to get the smeared time; zero outside the smear. `time` is a reading of
// the clock as it is now: made after the leap second if and only if `leap.passed`.
Duration SmearOffset(UnixTime time, const LeapSecond& leap);

// True from noon to noon around a leap second, whether we can smear it or not.
bool IsLeapNear(UnixTime time, const LeapSecond& leap);
// True when it is near, and we knew of it in time.
bool IsSmearing(UnixTime time, const LeapSecond& leap);

// The reference id that marks an offset.
std::uint32_t SmearReferenceId(Duration offset);

}  // namespace ntsd
