// What chronyd would answer to a tracking request: the other side of core/ntp/chrony_report, for tests only.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>

#include "core/base/bytes.h"
#include "core/ntp/chrony_report.h"

namespace ntsd::testing {

inline std::uint32_t ToChronyFloat(double value) {
  if (value == 0) return 0;
  int exponent = 0;
  const double mantissa = std::frexp(value, &exponent);
  const auto coefficient = static_cast<std::int32_t>(std::lround(std::ldexp(mantissa, 24)));
  // A mantissa that rounds up to 1 has one bit too many for the sign.
  const bool is_full = coefficient == 1 << 24;
  const std::int32_t fitting = is_full ? coefficient / 2 : coefficient;
  const std::int32_t fitting_exponent = exponent + 1 + (is_full ? 1 : 0);
  return static_cast<std::uint32_t>(fitting_exponent) << 25 | (static_cast<std::uint32_t>(fitting) & 0x01FF'FFFF);
}

inline double ToSeconds(Duration duration) { return static_cast<double>(duration.count()) / 1e9; }

inline std::array<std::uint8_t, kChronyTrackingSize> ChronyTrackingReply(const ChronyTracking& tracking,
                                                                         std::uint32_t sequence,
                                                                         std::uint16_t status = 0) {
  std::array<std::uint8_t, kChronyTrackingSize> reply{};
  ByteWriter writer(reply);
  writer.WriteU8(6);
  writer.WriteU8(2);
  writer.WriteU16(0);
  writer.WriteU16(33);
  writer.WriteU16(status == 0 ? 5 : 1);
  writer.WriteU16(status);
  writer.WriteZeros(6);
  writer.WriteU32(sequence);
  writer.WriteZeros(8);
  writer.WriteU32(tracking.reference_id);
  writer.WriteU32(tracking.reference_id);
  writer.WriteZeros(12);
  writer.WriteU16(1);
  writer.WriteU16(0);
  writer.WriteU16(tracking.stratum);
  writer.WriteU16(tracking.leap);
  const auto seconds = std::chrono::floor<std::chrono::seconds>(tracking.reference_time);
  writer.WriteU64(static_cast<std::uint64_t>(seconds.time_since_epoch().count()));
  writer.WriteU32(static_cast<std::uint32_t>((tracking.reference_time - seconds).count()));
  writer.WriteU32(ToChronyFloat(ToSeconds(tracking.correction)));
  writer.WriteZeros(12);
  writer.WriteU32(ToChronyFloat(tracking.residual_frequency_ppm));
  writer.WriteU32(ToChronyFloat(tracking.skew_ppm));
  writer.WriteU32(ToChronyFloat(ToSeconds(tracking.root_delay)));
  writer.WriteU32(ToChronyFloat(ToSeconds(tracking.root_dispersion)));
  writer.WriteU32(0);
  return reply;
}

}  // namespace ntsd::testing
