// NTS-KE messages on the wire: records, and the messages that they make (RFC 8915 §4).
//
// A record is `C (1 bit) type (15 bits) | body length (16) | body`; a message is records up to End of Message.
//
// Threads: values; each belongs to one thread.
// Memory: views look into the caller's octets; KeMessage owns what it collects and never more than its bound.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/secret.h"
#include "core/crypto/aead.h"
#include "core/limits.h"

namespace ntsd {

enum class KeRecordType : std::uint16_t {
  kEndOfMessage = 0,
  kNextProtocol = 1,
  kError = 2,
  kWarning = 3,
  kAeadAlgorithm = 4,
  kNewCookie = 5,
  kServer = 6,
  kPort = 7,
  // Between an NTS pool and its time sources (draft-ietf-ntp-nts-keyexchange-pool).
  kKeepAlive = 8,
  kSupportedProtocols = 9,
  kSupportedAlgorithms = 10,
  kListServers = 11,
  kFixedKey = 12,
  kServerDeny = 13,
  kAuthenticationToken = 14,
  // "Compliant AES-128-GCM-SIV Exporter Context": the client derives the keys of AEAD 30 as RFC 8915 §5.1 says.
  kCompliantGcmSivContext = 1024,
};

// The codes of an Error record (RFC 8915 §4.1.3).
enum class KeErrorCode : std::uint16_t { kUnrecognizedCriticalRecord = 0, kBadRequest = 1, kInternalServerError = 2 };

inline constexpr std::uint16_t kKeProtocolNtpv4 = 0;
inline constexpr std::size_t kKeRecordHeaderSize = 4;

struct KeRecord {
  bool critical = false;
  KeRecordType type{};  // any 15-bit number, named or not
  ByteView body;
};

// Walks over the records of a message.
class KeRecordReader {
 public:
  explicit KeRecordReader(ByteView message) : reader_(message) {}

  // The next record; nothing at the end of the octets, or when the rest is not a whole record (then ok() is false).
  std::optional<KeRecord> Next();
  bool ok() const { return reader_.ok(); }
  // Octets that no record was read from.
  std::size_t remaining() const { return reader_.remaining(); }

 private:
  ByteReader reader_;
};

void WriteKeRecord(ByteWriter& writer, bool critical, KeRecordType type, ByteView body = {});
// A record whose body is one 16-bit number.
void WriteKeRecord(ByteWriter& writer, bool critical, KeRecordType type, std::uint16_t value);

// Collects one message from a stream that may be split anywhere.
class KeMessage {
 public:
  enum class State : std::uint8_t { kIncomplete, kComplete, kTooLarge };

  explicit KeMessage(std::size_t size_max = kKeRequestSizeMax) : size_max_(size_max) {}

  // Takes the next octets of the stream. Complete: an End of Message record has arrived in full. Too large: the
  // stream has brought more than the bound, or a record announces that it will; nothing is collected from then on.
  State Append(ByteView octets);
  State state() const { return state_; }
  // Everything collected, what came together with End of Message but after it included.
  ByteView octets() const { return octets_; }
  // Wipes it and begins anew: a request may carry keys and a token.
  void Clear();

  ~KeMessage() { Clear(); }
  KeMessage(const KeMessage&) = delete;
  KeMessage& operator=(const KeMessage&) = delete;

 private:
  std::size_t size_max_;
  std::vector<std::uint8_t> octets_;
  std::size_t record_start_ = 0;  // of the first record that has not arrived in full
  State state_ = State::kIncomplete;
};

// Which way a key protects: the last octet of the exporter context.
enum class KeDirection : std::uint8_t { kClientToServer = 0, kServerToClient = 1 };

inline constexpr char kKeExporterLabel[] = "EXPORTER-network-time-security";
// The context of the TLS exporter for NTPv4 (RFC 8915 §5.1): protocol, AEAD, direction.
constexpr std::array<std::uint8_t, 5> KeExporterContext(AeadId aead, KeDirection direction) {
  const std::uint16_t number = AeadNumber(aead);
  return {0, 0, static_cast<std::uint8_t>(number >> 8), static_cast<std::uint8_t>(number & 0xFF),
          static_cast<std::uint8_t>(direction)};
}

}  // namespace ntsd
