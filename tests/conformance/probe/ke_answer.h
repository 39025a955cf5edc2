// An NTS-KE answer taken apart without any mercy, and requests put together without any care.
//
// Threads: values and functions of their arguments.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/nts/client.h"
#include "core/nts/record.h"

namespace ntsd::conformance {

struct KeAnswerRecord {
  bool critical = false;
  KeRecordType type{};
  Octets body;
};

// Every record that came, in order, whatever stands behind End of Message included.
struct KeAnswerView {
  std::vector<KeAnswerRecord> records;
  std::size_t rest_size = 0;  // octets at the end that are no whole record

  static KeAnswerView Parse(ByteView octets);

  std::size_t Count(KeRecordType type) const;
  const KeAnswerRecord* Find(KeRecordType type) const;
  std::vector<Octets> Cookies() const;
  // The 16-bit numbers in the first record of that type; empty when there is none.
  std::vector<std::uint16_t> Numbers(KeRecordType type) const;

  // Whole records, and exactly one End of Message: last, critical and empty (RFC 8915 §4.1.1).
  bool IsFramed() const;
  // Nothing but this Error record and End of Message.
  bool IsError(KeErrorCode code) const;
  // Any well formed error answer.
  bool IsAnyError() const;
  // A grant of NTPv4: one protocol, one AEAD (any, or `aead`), at least one cookie.
  bool IsGrant(std::optional<std::uint16_t> aead = std::nullopt) const;
};
std::string Describe(const KeAnswerView& answer);

// Writes a request record by record; nothing is checked.
class KeRequest {
 public:
  KeRequest& Record(bool critical, std::uint16_t type, ByteView body = {});
  KeRequest& Numbers(bool critical, KeRecordType type, const std::vector<std::uint16_t>& numbers);
  KeRequest& Protocols(const std::vector<std::uint16_t>& ids) {
    return Numbers(true, KeRecordType::kNextProtocol, ids);
  }
  KeRequest& Aeads(const std::vector<std::uint16_t>& ids) { return Numbers(true, KeRecordType::kAeadAlgorithm, ids); }
  KeRequest& Text(bool critical, KeRecordType type, std::string_view text);
  KeRequest& Flag(bool critical, KeRecordType type) { return Record(critical, static_cast<std::uint16_t>(type)); }
  // With End of Message behind it.
  Octets End() const;
  // Without.
  const Octets& octets() const { return octets_; }

 private:
  Octets octets_;
};

// Offers NTPv4 and these AEADs: what an ordinary client asks.
KeRequest Offer(const std::vector<std::uint16_t>& aeads = {15});

}  // namespace ntsd::conformance
