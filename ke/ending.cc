#include "ke/ending.h"

namespace ntsd::ke {

std::string_view Name(ConnectionEnd end) {
  switch (end) {
    case ConnectionEnd::kServed:
      return "served";
    case ConnectionEnd::kNoCommonProtocol:
      return "no_common_protocol";
    case ConnectionEnd::kNoCommonAead:
      return "no_common_aead";
    case ConnectionEnd::kPoolInformation:
      return "pool_information";
    case ConnectionEnd::kRequestTimeout:
      return "request_timeout";
    case ConnectionEnd::kRequestIncomplete:
      return "request_incomplete";
    case ConnectionEnd::kRequestTooLarge:
      return "request_too_large";
    case ConnectionEnd::kTrailingData:
      return "trailing_data";
    case ConnectionEnd::kIllegalBody:
      return "illegal_body";
    case ConnectionEnd::kForbiddenRecord:
      return "forbidden_record";
    case ConnectionEnd::kRepeatedRecord:
      return "repeated_record";
    case ConnectionEnd::kNotCritical:
      return "not_critical";
    case ConnectionEnd::kUnknownCritical:
      return "unknown_critical";
    case ConnectionEnd::kNoNextProtocol:
      return "no_next_protocol";
    case ConnectionEnd::kNoAeadRecord:
      return "no_aead_record";
    case ConnectionEnd::kPoolContradiction:
      return "pool_contradiction";
    case ConnectionEnd::kInternalError:
      return "internal_error";
    case ConnectionEnd::kNotTls:
      return "not_tls";
    case ConnectionEnd::kTlsVersion:
      return "tls_version";
    case ConnectionEnd::kNoAlpn:
      return "no_alpn";
    case ConnectionEnd::kOtherAlpn:
      return "other_alpn";
    case ConnectionEnd::kUnknownName:
      return "unknown_name";
    case ConnectionEnd::kNoCommonParameters:
      return "no_common_parameters";
    case ConnectionEnd::kPeerAlert:
      return "peer_alert";
    case ConnectionEnd::kTlsError:
      return "tls_error";
    case ConnectionEnd::kIdleTimeout:
      return "idle_timeout";
    case ConnectionEnd::kHandshakeTimeout:
      return "handshake_timeout";
    case ConnectionEnd::kResponseTimeout:
      return "response_timeout";
    case ConnectionEnd::kClosedSilently:
      return "closed_silently";
    case ConnectionEnd::kClosedInHandshake:
      return "closed_in_handshake";
    case ConnectionEnd::kClosedKeptAlive:
      return "closed_kept_alive";
    case ConnectionEnd::kKeptAliveTimeout:
      return "kept_alive_timeout";
    case ConnectionEnd::kReset:
      return "reset";
    case ConnectionEnd::kTableFull:
      return "table_full";
    case ConnectionEnd::kDenied:
      return "denied";
    case ConnectionEnd::kRateLimited:
      return "rate_limited";
    case ConnectionEnd::kPrefixFull:
      return "prefix_full";
    case ConnectionEnd::kSaturated:
      return "saturated";
    case ConnectionEnd::kShutdown:
      return "shutdown";
  }
  return "unknown";
}

namespace {

ConnectionEnd EndOf(KeRefusal refusal) {
  switch (refusal) {
    case KeRefusal::kTimeout:
      return ConnectionEnd::kRequestTimeout;
    case KeRefusal::kIncomplete:
      return ConnectionEnd::kRequestIncomplete;
    case KeRefusal::kTooLarge:
      return ConnectionEnd::kRequestTooLarge;
    case KeRefusal::kTrailingData:
      return ConnectionEnd::kTrailingData;
    case KeRefusal::kIllegalBody:
      return ConnectionEnd::kIllegalBody;
    case KeRefusal::kForbiddenRecord:
      return ConnectionEnd::kForbiddenRecord;
    case KeRefusal::kRepeatedRecord:
      return ConnectionEnd::kRepeatedRecord;
    case KeRefusal::kNotCritical:
      return ConnectionEnd::kNotCritical;
    case KeRefusal::kUnknownCritical:
      return ConnectionEnd::kUnknownCritical;
    case KeRefusal::kNoNextProtocol:
      return ConnectionEnd::kNoNextProtocol;
    case KeRefusal::kNoAead:
      return ConnectionEnd::kNoAeadRecord;
    case KeRefusal::kPoolContradiction:
      return ConnectionEnd::kPoolContradiction;
    case KeRefusal::kNone:
    case KeRefusal::kInternal:
      break;
  }
  return ConnectionEnd::kInternalError;
}

}  // namespace

ConnectionEnd EndOf(const KeDecision& decision) {
  switch (decision.answer) {
    case KeAnswer::kCookies:
      return ConnectionEnd::kServed;
    case KeAnswer::kNoProtocol:
      return ConnectionEnd::kNoCommonProtocol;
    case KeAnswer::kNoAead:
      return ConnectionEnd::kNoCommonAead;
    case KeAnswer::kPoolInformation:
      return ConnectionEnd::kPoolInformation;
    case KeAnswer::kError:
      return EndOf(decision.refusal);
  }
  return ConnectionEnd::kInternalError;
}

ConnectionEnd EndOf(TlsFailure failure) {
  switch (failure) {
    case TlsFailure::kNotTls:
      return ConnectionEnd::kNotTls;
    case TlsFailure::kVersion:
      return ConnectionEnd::kTlsVersion;
    case TlsFailure::kNoAlpn:
      return ConnectionEnd::kNoAlpn;
    case TlsFailure::kOtherAlpn:
      return ConnectionEnd::kOtherAlpn;
    case TlsFailure::kUnknownName:
      return ConnectionEnd::kUnknownName;
    case TlsFailure::kNoCommonParameters:
      return ConnectionEnd::kNoCommonParameters;
    case TlsFailure::kPeerAlert:
      return ConnectionEnd::kPeerAlert;
    case TlsFailure::kNone:
    case TlsFailure::kCertificate:
    case TlsFailure::kProtocol:
      break;
  }
  return ConnectionEnd::kTlsError;
}

}  // namespace ntsd::ke
