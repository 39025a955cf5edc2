// How a datagram can end. Every datagram ends in exactly one of these; each has one counter and one test.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace ntsd {

// What we did; each reason belongs to one action.
enum class Action : std::uint8_t { kDrop, kAnswerPlain, kAnswerNts, kNak, kRate, kDeny };

enum class Reason : std::uint8_t {
  // --- answered ---
  kPlain,             // a plain NTP request, with or without a unique identifier
  kNts,               // an authenticated NTS request
  kUnknownCookieKey,  // NAK: the cookie names a master key that we have not (any more)
  kBadCookie,         // NAK: the cookie has a length that we never make, or does not open
  kBadAuthenticator,  // NAK: the request does not authenticate under the cookie's key
  kNoRoomForCookie,   // NAK: not even one new cookie fits into an answer of the request's size
  kRateLimited,       // RATE: over its limit, and chosen to be told so
  kPlainDenied,       // DENY: plain NTP where the listener wants NTS
  // --- dropped: not a request at all ---
  kTooShort,                   // under 48 octets
  kTooLong,                    // over kRequestSizeMax
  kBadLength,                  // not a multiple of 4
  kBadVersion,                 // 0, 5, 6 or 7, or one that the listener does not serve
  kBadMode,                    // not a client's
  kBadSource,                  // port 0, or an address that nobody may send from
  kBadDestination,             // sent to a multicast or broadcast address
  kMessageAuthenticationCode,  // a MAC or crypto-NAK behind the header: we have no symmetric keys
  // --- dropped: extension fields ---
  kMalformedField,  // a length that RFC 7822 forbids
  kTooManyFields,
  kShortUniqueId,  // RFC 8915 §5.3: at least 32 octets
  kRepeatedUniqueId,
  kRepeatedCookie,
  kRepeatedAuthenticator,
  kMissingUniqueId,  // of an NTS request; a NAK without it would be ignored
  kMissingCookie,
  kMissingAuthenticator,
  kMalformedAuthenticator,  // lengths inside it that do not fit (RFC 8915 §5.6)
  kBadNonce,                // a nonce of a length that the AEAD does not take
  kMissingPadding,          // no room for our nonce (RFC 8915 §5.6: MUST be discarded)
  kMalformedPlaintext,      // authentic, but the encrypted fields are malformed
  // --- dropped: policy ---
  kAccessDenied,  // access.deny
  kRateDropped,   // over its limit
  kPlainIgnored,  // plain NTP where the listener wants NTS
  kStale,         // waited too long in a backlog
  kClockStepped,  // the clock was set between receive and transmit: no true answer is possible
  kCount,
};

inline constexpr std::size_t kReasonCount = static_cast<std::size_t>(Reason::kCount);

constexpr Action ActionOf(Reason reason) {
  switch (reason) {
    case Reason::kPlain:
      return Action::kAnswerPlain;
    case Reason::kNts:
      return Action::kAnswerNts;
    case Reason::kUnknownCookieKey:
    case Reason::kBadCookie:
    case Reason::kBadAuthenticator:
    case Reason::kNoRoomForCookie:
      return Action::kNak;
    case Reason::kRateLimited:
      return Action::kRate;
    case Reason::kPlainDenied:
      return Action::kDeny;
    default:
      return Action::kDrop;
  }
}

// The word for metrics and `ntsctl stats`: lower case with underscores, never changed once published.
std::string_view ReasonName(Reason reason);

}  // namespace ntsd
