// The server's side of NTS-KE as a pure decision: a request in, what to answer out (RFC 8915 §4).
//
//   KeMessage → EvaluateKeRequest() → KeDecision → keys and cookies, where the decision wants them → WriteKeResponse()
//
// Threads: functions of their arguments. A KePolicy never changes once it is in use.
// Memory: a decision stands on its own; the keys of a fixed-key request in it are wiped with it.
// Errors: every request gets an answer; why it is an Error record is a KeRefusal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/ip_address.h"
#include "core/nts/cookie.h"
#include "core/nts/record.h"

namespace ntsd {

inline constexpr std::size_t kKeServerNameSizeMax = 253;  // of a domain name (RFC 1035 §2.3.4)
inline constexpr std::size_t kKePoolTokenSizeMax = 128;

// What this server answers with.
struct KePolicy {
  // What we can do, as a set: among these the client's order decides.
  std::vector<AeadId> aeads{AeadId::kAesSivCmac256};
  // Sent as Server Negotiation record when not empty: an address or a domain name.
  std::string ntp_server;
  // Sent as Port Negotiation record when not 123.
  std::uint16_t ntp_port = 123;
  // Names and addresses that reach NTP servers of ours: a client's wish for one of them is granted.
  std::vector<std::string> known_servers;

  // NTS pool: while there is no token, the pool's records are as unknown as any other.
  std::vector<std::string> pool_tokens;
  std::vector<AeadId> pool_aeads{AeadId::kAesSivCmac256, AeadId::kAesSivCmac512};
  // The answer to a pool that asks for our names.
  std::vector<std::string> pool_server_names;
};

// What the evaluation must know about the connection.
struct KeConnection {
  // The address that the client has connected to: the NTP server that it may assume (RFC 8915 §4.1.7).
  std::optional<IpAddress> local;
  // An earlier request has used Keep Alive: TLS keys may never be exported here.
  bool kept_alive = false;
  // Whether a pool may keep this connection, as far as there is room for it.
  bool may_keep_alive = true;
};

// Why a request is answered with an Error record. The first that applies, in this order of evaluation.
enum class KeRefusal : std::uint8_t {
  kNone,
  kTimeout,            // the request was not there in time
  kIncomplete,         // the stream ended first
  kTooLarge,           // more octets than we take
  kTrailingData,       // octets after End of Message
  kIllegalBody,        // a known record whose body cannot be
  kForbiddenRecord,    // a record that only servers send
  kRepeatedRecord,     // a second one of a kind that comes once
  kNotCritical,        // End of Message or Next Protocol without the critical bit
  kUnknownCritical,    // critical, and we do not know it
  kNoNextProtocol,     // no Next Protocol record
  kNoAead,             // NTPv4 without an AEAD record
  kPoolContradiction,  // pool records that exclude each other, or a key export after Keep Alive
  kInternal,           // no fault of the client's
};
inline constexpr std::size_t kKeRefusalCount = static_cast<std::size_t>(KeRefusal::kInternal) + 1;

KeErrorCode KeErrorOf(KeRefusal refusal);

enum class KeAnswer : std::uint8_t {
  kCookies,          // NTPv4, an AEAD, eight cookies
  kNoProtocol,       // nothing in common: an empty Next Protocol record
  kNoAead,           // NTPv4, but an empty AEAD record
  kPoolInformation,  // lists that a pool asked for
  kError,
};

struct KeDecision {
  KeAnswer answer = KeAnswer::kError;
  KeRefusal refusal = KeRefusal::kNone;  // of an error
  // Of cookies:
  AeadId aead = AeadId::kAesSivCmac256;
  bool confirm_compliant_context = false;  // the client asked, and AEAD 30 was chosen
  std::string server;                      // what to name as NTP server; empty: the address of this connection
  bool fixed_keys = false;                 // `keys` came with the request; otherwise export them from TLS
  AssociationKeys keys;
  // Of a pool:
  bool keep_alive = false;
  bool list_protocols = false;
  bool list_algorithms = false;
  bool list_servers = false;
};

// Decides about what has been collected, complete or not: incomplete means that nothing more will come.
KeDecision EvaluateKeRequest(const KeMessage& message, const KePolicy& policy, const KeConnection& connection);
// The answer to a request that has no answer for another reason (timeout, internal failure).
KeDecision RefuseKeRequest(KeRefusal refusal);

// Writes the response that `decision` asks for; `cookies` holds kKeCookieCount cookies of equal size one after the
// other when the answer is kCookies. False: it did not fit, which no policy within its bounds can cause.
bool WriteKeResponse(const KeDecision& decision, const KePolicy& policy, ByteView cookies, ByteWriter& writer);

}  // namespace ntsd
