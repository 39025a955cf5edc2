#include "core/nts/reason.h"

namespace ntsd {

std::string_view ReasonName(Reason reason) {
  switch (reason) {
    case Reason::kPlain:
      return "plain";
    case Reason::kNts:
      return "nts";
    case Reason::kUnknownCookieKey:
      return "unknown_cookie_key";
    case Reason::kBadCookie:
      return "bad_cookie";
    case Reason::kBadAuthenticator:
      return "bad_authenticator";
    case Reason::kNoRoomForCookie:
      return "no_room_for_cookie";
    case Reason::kRateLimited:
      return "rate_limited";
    case Reason::kPlainDenied:
      return "plain_denied";
    case Reason::kTooShort:
      return "too_short";
    case Reason::kTooLong:
      return "too_long";
    case Reason::kBadLength:
      return "bad_length";
    case Reason::kBadVersion:
      return "bad_version";
    case Reason::kBadMode:
      return "bad_mode";
    case Reason::kBadSource:
      return "bad_source";
    case Reason::kBadDestination:
      return "bad_destination";
    case Reason::kMessageAuthenticationCode:
      return "message_authentication_code";
    case Reason::kMalformedField:
      return "malformed_field";
    case Reason::kTooManyFields:
      return "too_many_fields";
    case Reason::kShortUniqueId:
      return "short_unique_id";
    case Reason::kRepeatedUniqueId:
      return "repeated_unique_id";
    case Reason::kRepeatedCookie:
      return "repeated_cookie";
    case Reason::kRepeatedAuthenticator:
      return "repeated_authenticator";
    case Reason::kMissingUniqueId:
      return "missing_unique_id";
    case Reason::kMissingCookie:
      return "missing_cookie";
    case Reason::kMissingAuthenticator:
      return "missing_authenticator";
    case Reason::kMalformedAuthenticator:
      return "malformed_authenticator";
    case Reason::kBadNonce:
      return "bad_nonce";
    case Reason::kMissingPadding:
      return "missing_padding";
    case Reason::kMalformedPlaintext:
      return "malformed_plaintext";
    case Reason::kAccessDenied:
      return "access_denied";
    case Reason::kRateDropped:
      return "rate_dropped";
    case Reason::kPlainIgnored:
      return "plain_ignored";
    case Reason::kStale:
      return "stale";
    case Reason::kClockStepped:
      return "clock_stepped";
    case Reason::kCount:
      break;
  }
  return "unknown";
}

}  // namespace ntsd
