#include "core/nts/request.h"

#include <array>
#include <optional>

#include "core/ntp/extension_field.h"
#include "core/ntp/header.h"

namespace ntsd {
namespace {

// Key id and a digest of 16 or 20 octets (RFC 5905 §7.3). A tail of that size is never an extension field.
constexpr std::size_t kMacSizes[] = {20, 24};
constexpr std::size_t kCryptoNakSize = 4;
// Type, length, Nonce Length and Ciphertext Length (RFC 8915 §5.6).
constexpr std::size_t kAuthenticatorHeaderSize = 8;

// Walks the fields behind the header, once, in wire order.
class FieldWalk {
 public:
  FieldWalk(ByteView datagram, Request& request) : datagram_(datagram), request_(request) {
    request_.cookie = {};
    request_.placeholder_count = 0;
  }

  std::optional<Reason> Run() {
    // Ends: every turn moves on by a field of at least 16 octets.
    while (position_ < datagram_.size()) {
      if (const auto reason = TakeField()) return reason;
    }
    return Conclude();
  }

 private:
  std::optional<Reason> TakeField() {
    const ByteView rest = datagram_.subspan(position_);
    if (rest.size() == kCryptoNakSize || rest.size() == kMacSizes[0] || rest.size() == kMacSizes[1]) {
      return Reason::kMessageAuthenticationCode;
    }
    if (rest.size() < kLastExtensionFieldSizeMin) return Reason::kMalformedField;
    const auto field = ParseExtensionField(rest, kExtensionFieldSizeMin);
    if (!field) return Reason::kMalformedField;
    if (++field_count_ > kExtensionFieldCountMax) return Reason::kTooManyFields;
    const std::optional<Reason> reason = Record(*field);
    position_ += field->field.size();
    return reason;
  }

  // Fields behind the authenticator are not authenticated: well formed, but ignored (RFC 8915 §5.7).
  std::optional<Reason> Record(const ExtensionField& field) {
    if (field.Is(ExtensionFieldType::kNtsAuthenticator)) return RecordAuthenticator(field);
    if (has_authenticator_) return std::nullopt;
    if (field.Is(ExtensionFieldType::kUniqueIdentifier)) {
      if (!request_.unique_id_field.empty()) return Reason::kRepeatedUniqueId;
      if (field.body().size() < kUniqueIdSizeMin) return Reason::kShortUniqueId;
      // It is echoed in every answer, and no answer may be that long.
      if (kNtpHeaderSize + field.field.size() > kReplySizeMax) return Reason::kTooLong;
      request_.unique_id_field = field.field;
    } else if (field.Is(ExtensionFieldType::kNtsCookie)) {
      if (!request_.cookie.empty()) return Reason::kRepeatedCookie;
      request_.cookie = field.body();
    } else if (field.Is(ExtensionFieldType::kNtsCookiePlaceholder)) {
      placeholder_sizes_[placeholder_count_++] = static_cast<std::uint16_t>(field.body().size());
    }
    return std::nullopt;
  }

  std::optional<Reason> RecordAuthenticator(const ExtensionField& field) {
    if (has_authenticator_) return Reason::kRepeatedAuthenticator;
    has_authenticator_ = true;
    ByteReader reader(field.body());
    const std::size_t nonce_size = reader.ReadU16();
    const std::size_t sealed_size = reader.ReadU16();
    request_.nonce = reader.ReadBytes(nonce_size);
    reader.Skip(PadToWord(nonce_size) - nonce_size);
    request_.sealed = reader.ReadBytes(sealed_size);
    reader.Skip(PadToWord(sealed_size) - sealed_size);
    if (!reader.ok() || sealed_size < kAeadTagSize) return Reason::kMalformedAuthenticator;
    request_.nonce_room = field.field.size() - kAuthenticatorHeaderSize - PadToWord(sealed_size);
    request_.associated_data = datagram_.first(position_);
    return std::nullopt;
  }

  // RFC 8915 §5.7: an NTS request has exactly one of each.
  std::optional<Reason> Conclude() {
    request_.is_nts = has_authenticator_ || !request_.cookie.empty();
    if (!request_.is_nts) return std::nullopt;
    if (request_.unique_id_field.empty()) return Reason::kMissingUniqueId;
    if (request_.cookie.empty()) return Reason::kMissingCookie;
    if (!has_authenticator_) return Reason::kMissingAuthenticator;
    // The cookie may stand behind its placeholders, so lengths are compared at the end.
    for (std::size_t i = 0; i < placeholder_count_; ++i) {
      if (placeholder_sizes_[i] == request_.cookie.size()) ++request_.placeholder_count;
    }
    return std::nullopt;
  }

  ByteView datagram_;
  Request& request_;
  std::size_t position_ = kNtpHeaderSize;
  std::size_t field_count_ = 0;
  bool has_authenticator_ = false;
  std::array<std::uint16_t, kExtensionFieldCountMax> placeholder_sizes_;
  std::size_t placeholder_count_ = 0;
};

// A function of its own, so that the plain request pays nothing for the room that this one takes on the stack.
[[gnu::noinline]] Expected<void, Reason> ParseFields(ByteView datagram, Request& request) {
  if (const auto reason = FieldWalk(datagram, request).Run()) return Unexpected(*reason);
  return {};
}

// Version 1 has no mode field: a client is who does not come from the server's own port (RFC 1305, appendix B).
bool IsClient(std::uint8_t version, NtpMode mode, std::uint16_t source_port) {
  constexpr std::uint16_t kNtpPort = 123;
  if (version == 1 && mode == NtpMode::kReserved) return source_port != kNtpPort;
  return mode == NtpMode::kClient;
}

}  // namespace

Expected<void, Reason> ParseRequest(ByteView datagram, std::uint16_t source_port, std::uint8_t versions,
                                    Request& request) {
  if (datagram.size() < kNtpHeaderSize) return Unexpected(Reason::kTooShort);
  if (datagram.size() > kRequestSizeMax) return Unexpected(Reason::kTooLong);
  if (datagram.size() % 4 != 0) return Unexpected(Reason::kBadLength);
  const std::uint8_t version = datagram[0] >> 3 & 7;
  if (version < 1 || version > 4 || (versions >> version & 1) == 0) return Unexpected(Reason::kBadVersion);
  if (!IsClient(version, static_cast<NtpMode>(datagram[0] & 7), source_port)) return Unexpected(Reason::kBadMode);
  if (source_port == 0) return Unexpected(Reason::kBadSource);

  // One by one: clearing the whole takes longer than everything else that is done for a plain request here.
  request.version = version;
  request.poll = static_cast<std::int8_t>(datagram[2]);
  ByteReader reader(datagram);
  reader.Skip(24);
  request.origin.bits = reader.ReadU64();
  request.receive.bits = reader.ReadU64();
  request.transmit.bits = reader.ReadU64();
  request.unique_id_field = {};
  request.is_nts = false;
  if (datagram.size() == kNtpHeaderSize) return {};
  // Extension fields came with version 4; before it, whatever follows the header is a MAC (R-NTP-24).
  if (version < 4) return Unexpected(Reason::kMessageAuthenticationCode);
  return ParseFields(datagram, request);
}

Reason CheckAuthenticatorShape(const Request& request, AeadId aead) {
  if (!AeadNonceSizeIsLegal(aead, request.nonce.size())) return Reason::kBadNonce;
  if (request.nonce_room < AeadNonceSize(aead)) return Reason::kMissingPadding;
  return Reason::kNts;
}

Expected<std::size_t, Reason> CountEncryptedPlaceholders(ByteView plaintext, std::size_t cookie_size) {
  std::size_t placeholder_count = 0;
  std::size_t field_count = 0;
  // Ends: every turn moves on by a field of at least 4 octets.
  while (!plaintext.empty()) {
    const auto field = ParseExtensionField(plaintext, kExtensionFieldHeaderSize);
    if (!field) return Unexpected(Reason::kMalformedPlaintext);
    if (++field_count > kExtensionFieldCountMax) return Unexpected(Reason::kTooManyFields);
    if (field->Is(ExtensionFieldType::kNtsCookiePlaceholder) && field->body().size() == cookie_size)
      ++placeholder_count;
    plaintext = plaintext.subspan(field->field.size());
  }
  return placeholder_count;
}

}  // namespace ntsd
