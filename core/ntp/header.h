// The 48-octet NTP header (RFC 5905 §7.3).
#pragma once

#include <cstdint>
#include <optional>

#include "core/base/bytes.h"
#include "core/base/time.h"
#include "core/limits.h"

namespace ntsd {

enum class LeapIndicator : std::uint8_t { kNone = 0, kInsert = 1, kDelete = 2, kUnsynchronized = 3 };

enum class NtpMode : std::uint8_t {
  kReserved = 0,
  kSymmetricActive = 1,
  kSymmetricPassive = 2,
  kClient = 3,
  kServer = 4,
  kBroadcast = 5,
  kControl = 6,
  kPrivate = 7,
};

// Four ASCII characters in the reference id of an answer with stratum 0 (RFC 5905 §7.4, RFC 8915 §5.7).
enum class KissCode : std::uint32_t {
  kDeny = 0x44454E59,  // "DENY": access denied, the client must stop
  kRate = 0x52415445,  // "RATE": slow down
  kNtsn = 0x4E54534E,  // "NTSN": NTS negative acknowledgement
};

// Where those fields stand that differ from answer to answer.
inline constexpr std::size_t kNtpPollOffset = 2;
inline constexpr std::size_t kNtpOriginOffset = 24;  // the receive timestamp follows
inline constexpr std::size_t kNtpTransmitOffset = 40;

struct NtpHeader {
  LeapIndicator leap = LeapIndicator::kNone;
  std::uint8_t version = 4;
  NtpMode mode = NtpMode::kClient;
  std::uint8_t stratum = 0;
  std::int8_t poll = 0;       // log2 s
  std::int8_t precision = 0;  // log2 s
  NtpShort root_delay;
  NtpShort root_dispersion;
  std::uint32_t reference_id = 0;
  NtpTimestamp reference;
  NtpTimestamp origin;
  NtpTimestamp receive;
  NtpTimestamp transmit;

  // Nothing when there are fewer than 48 octets; every other bit pattern is a header.
  static std::optional<NtpHeader> Parse(ByteView datagram);
  void Write(ByteWriter& writer) const;

  friend bool operator==(const NtpHeader&, const NtpHeader&) = default;
};

}  // namespace ntsd
