// The header fields of answers, filled once for a whole batch.
//
// Threads: belongs to one thread. Memory: a value. Errors: none.
#pragma once

#include <array>
#include <cstdint>

#include "core/base/time.h"
#include "core/ntp/header.h"
#include "core/ntp/server_state.h"

namespace ntsd {

// What stays the same for all answers of a batch (R-SEC-08: nothing in it depends on the client).
struct HeaderTemplate {
  using Octets = std::array<std::uint8_t, kNtpHeaderSize>;

  ServerState state;
  Octets octets;  // with everything but version, poll and the three timestamps
  // Bits of a timestamp that the clock cannot tell; they are random (RFC 5905 §6, R-NTP-11).
  std::uint32_t noise_mask = 0;

  void Update(const ServerState& next, UnixTime wall, MonotonicTime now) {
    state = next;
    NtpHeader header;
    header.version = 0;
    header.mode = NtpMode::kServer;
    header.precision = state.precision;
    const int noise_bits = 32 + state.precision;
    noise_mask = noise_bits <= 0 ? 0 : noise_bits >= 32 ? 0xFFFF'FFFF : (std::uint32_t{1} << noise_bits) - 1;
    header.root_delay = NtpShort::FromDuration(state.root_delay);
    header.root_dispersion = NtpShort::FromDuration(state.RootDispersionAt(now));
    if (state.reference_time != UnixTime{}) header.reference = NtpTimestamp::FromUnix(state.reference_time);
    if (state.IsFitToServe(now)) {
      header.leap = state.LeapAt(wall);
      header.stratum = state.stratum;
      header.reference_id = state.reference_id;
    } else {
      // RFC 5905 §7.3: stratum 16 is sent as 0; reference id 0, so that nobody takes it for a kiss code.
      header.leap = LeapIndicator::kUnsynchronized;
    }
    octets = ToOctets(header);
  }

  // `noise` fills the bits below the precision. Never zero, which would mean "unknown".
  NtpTimestamp Stamp(UnixTime clock_time, std::uint32_t noise) const {
    const std::uint64_t bits = NtpTimestamp::FromUnix(state.ServedTime(clock_time)).bits;
    const std::uint64_t noisy = (bits & ~std::uint64_t{noise_mask}) | (noise & noise_mask);
    return {noisy == 0 ? 1 : noisy};
  }

  // RFC 5905 §7.4: everything but the code and the timestamps is empty.
  Octets Kiss(KissCode code) const {
    NtpHeader kiss;
    kiss.version = 0;
    kiss.leap = LeapIndicator::kUnsynchronized;
    kiss.mode = NtpMode::kServer;
    kiss.precision = state.precision;
    kiss.reference_id = static_cast<std::uint32_t>(code);
    return ToOctets(kiss);
  }

  static Octets ToOctets(const NtpHeader& header) {
    Octets octets;
    ByteWriter writer(octets);
    header.Write(writer);
    return octets;
  }
};

}  // namespace ntsd
