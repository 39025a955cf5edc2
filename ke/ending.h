// Every way a connection can end. One counter and one test each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/nts/exchange.h"
#include "ke/tls_session.h"

namespace ntsd::ke {

enum class ConnectionEnd : std::uint8_t {
  // The request was answered, and the answer was handed to the kernel.
  kServed,            // eight cookies
  kNoCommonProtocol,  // an empty Next Protocol record
  kNoCommonAead,      // an empty AEAD record
  kPoolInformation,   // the lists of a pool
  // It was answered with an Error record.
  kRequestTimeout,
  kRequestIncomplete,
  kRequestTooLarge,
  kTrailingData,
  kIllegalBody,
  kForbiddenRecord,
  kRepeatedRecord,
  kNotCritical,
  kUnknownCritical,
  kNoNextProtocol,
  kNoAeadRecord,
  kPoolContradiction,
  kInternalError,
  // TLS did not come about; an alert told why.
  kNotTls,
  kTlsVersion,
  kNoAlpn,
  kOtherAlpn,
  kUnknownName,
  kNoCommonParameters,
  kPeerAlert,
  kTlsError,
  // The client was too slow, or left.
  kIdleTimeout,       // not one octet came in time
  kHandshakeTimeout,  // some came, not enough
  kResponseTimeout,   // it did not take its answer
  kClosedSilently,    // without one octet: a port scan or a health check
  kClosedInHandshake,
  kClosedKeptAlive,   // a pool's connection, after at least one answer
  kKeptAliveTimeout,  // the same, idle for too long
  kReset,
  // It was not let in.
  kTableFull,
  kDenied,
  kRateLimited,
  kPrefixFull,
  kSaturated,
  // We left.
  kShutdown,
};
inline constexpr std::size_t kConnectionEndCount = static_cast<std::size_t>(ConnectionEnd::kShutdown) + 1;

// The value of the label `result` in the metrics: "served", "no_common_protocol" …
std::string_view Name(ConnectionEnd end);

ConnectionEnd EndOf(const KeDecision& decision);
ConnectionEnd EndOf(TlsFailure failure);

}  // namespace ntsd::ke
