// The one question of chronyd's monitoring protocol (version 6) that we ask: tracking. How chronyd's clock is doing.
//
// Wire facts, all big endian. Request: version 6, type 1, two zero octets, command 33 (2), attempt (2), sequence (4),
// eight unused octets; then zeros up to the size of the reply, because chronyd never answers with more than it got.
// Reply: version 6, type 2, two zero octets, command (2), reply 5 (2), status 0 (2), six unused octets, the sequence of
// the request (4), eight unused octets; then reference id (4), address (16, family 2, unused 2), stratum (2), leap (2),
// reference time (seconds high 4, low 4, nanoseconds 4), and nine numbers of 32 bits: 7 of exponent, 25 of coefficient,
// both signed; worth coefficient * 2^(exponent - 25).
//
// Threads: functions of their arguments. Errors: a reply that is not exactly this is refused with a reason.
#pragma once

#include <array>
#include <cstdint>

#include "core/base/bytes.h"
#include "core/base/expected.h"
#include "core/base/time.h"

namespace ntsd {

inline constexpr std::size_t kChronyTrackingSize = 104;

enum class ChronyReportFault {
  kMalformed,   // not a reply of this protocol and version, or cut short
  kMismatched,  // the answer to something else
  kRefused,     // chronyd answered with an error status, or speaks another version
};

struct ChronyTracking {
  std::uint32_t reference_id = 0;
  std::uint16_t stratum = 0;  // 0 when not synchronized
  std::uint16_t leap = 3;     // the leap indicator: 3 when not synchronized
  UnixTime reference_time{};  // by chronyd's clock, which is the system clock plus `correction`
  // What chronyd still has to add to the system clock: positive when the system clock is slow.
  Duration correction{};
  Duration root_delay{};
  Duration root_dispersion{};  // as of the reply
  // How well chronyd knows the frequency of the clock, parts per million.
  double residual_frequency_ppm = 0;
  double skew_ppm = 0;
};

std::array<std::uint8_t, kChronyTrackingSize> WriteChronyTrackingRequest(std::uint32_t sequence);

Expected<ChronyTracking, ChronyReportFault> ParseChronyTracking(ByteView reply, std::uint32_t sequence);

// chronyd's number format; exposed for its test. Saturates where a Duration does not reach.
double ChronyFloat(std::uint32_t bits);
Duration SecondsToDuration(double seconds);

}  // namespace ntsd
