// The client's side of NTS-KE as pure functions: what to ask, and what an answer means (RFC 8915 §4).
//
// Threads: functions of their arguments. Memory: an answer owns its cookies.
// Errors: an answer that a client must not use is a KeAnswerError; the server's own Error code comes with it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/expected.h"
#include "core/nts/record.h"

namespace ntsd {

// Answers of other servers may be longer than ours ever are.
inline constexpr std::size_t kKeAnswerSizeMax = 65536;

struct KeOffer {
  std::vector<std::uint16_t> protocols{kKeProtocolNtpv4};
  std::vector<std::uint16_t> aeads{AeadNumber(AeadId::kAesSivCmac256)};
  bool compliant_context = false;  // record 1024
  std::string server_wish;         // empty: none
};

// The request for an offer, End of Message included.
std::vector<std::uint8_t> WriteKeRequest(const KeOffer& offer);

enum class KeAnswerError : std::uint8_t {
  kIncomplete,          // the stream ended before End of Message
  kTooLarge,            // more than kKeAnswerSizeMax
  kTrailingData,        // octets after End of Message
  kIllegalBody,         // a known record whose body cannot be
  kRepeatedRecord,      // a second one of a kind that comes once
  kNotCritical,         // End of Message, Next Protocol, Error or Warning without the critical bit
  kUnknownCritical,     // critical, and we do not know it
  kServerError,         // an Error record: `code`
  kServerWarning,       // a Warning record: `code`; none is defined, and clients must not go on
  kNoNextProtocol,      // no Next Protocol record
  kNoCommonProtocol,    // an empty one
  kProtocolNotOffered,  // one that was not asked for
  kNoAead,              // no AEAD record
  kNoCommonAead,        // an empty one
  kAeadNotOffered,      // one that was not asked for, or several
  kNoCookies,
};
std::string_view Describe(KeAnswerError error);

struct KeAnswerFailure {
  KeAnswerError error{};
  std::uint16_t code = 0;  // of an Error or Warning record
};

// What a server granted.
struct KeGrant {
  std::uint16_t aead = 0;
  bool compliant_context = false;
  std::vector<std::vector<std::uint8_t>> cookies;
  std::optional<std::string> server;
  std::optional<std::uint16_t> port;
};

// Judges an answer as a careful client must. `message` was made with kKeAnswerSizeMax.
Expected<KeGrant, KeAnswerFailure> ReadKeAnswer(const KeMessage& message, const KeOffer& offer);

}  // namespace ntsd
