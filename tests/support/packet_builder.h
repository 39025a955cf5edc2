// Builds NTP requests field by field, right or wrong in any place, for the tests of the server side.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/base/bytes.h"
#include "core/crypto/aead.h"
#include "core/ntp/extension_field.h"
#include "core/ntp/header.h"
#include "core/nts/client.h"
#include "core/nts/cookie.h"

namespace ntsd::testing {

// An extension field of any type, with a length that may lie.
struct RawField {
  std::uint16_t type = 0;
  Octets body;
  std::optional<std::uint16_t> claimed_size;
};

inline void Append(Octets& octets, ByteView more) {
  const std::size_t size = octets.size();
  octets.resize(size + more.size());
  std::copy(more.begin(), more.end(), octets.begin() + static_cast<std::ptrdiff_t>(size));
}

inline Octets FieldOctets(const RawField& field) {
  Octets octets(4);
  ByteWriter writer(octets);
  writer.WriteU16(field.type);
  writer.WriteU16(field.claimed_size.value_or(static_cast<std::uint16_t>(4 + field.body.size())));
  Append(octets, field.body);
  return octets;
}

class PacketBuilder {
 public:
  PacketBuilder() {
    header_.transmit.bits = 0xA1B2C3D4E5F60718;
    header_.poll = 6;
  }

  NtpHeader& header() { return header_; }

  PacketBuilder& Field(std::uint16_t type, Octets body) {
    Append(fields_, FieldOctets({.type = type, .body = std::move(body)}));
    return *this;
  }
  PacketBuilder& Field(const RawField& field) {
    Append(fields_, FieldOctets(field));
    return *this;
  }
  PacketBuilder& Raw(ByteView octets) {
    Append(fields_, octets);
    return *this;
  }
  PacketBuilder& UniqueId(std::size_t size = 32, std::uint8_t fill = 0x40) {
    Octets body(size);
    for (std::size_t i = 0; i < size; ++i) body[i] = static_cast<std::uint8_t>(fill + i);
    return Field(0x0104, std::move(body));
  }
  PacketBuilder& Cookie(const Octets& cookie) { return Field(0x0204, cookie); }
  PacketBuilder& Placeholders(std::size_t count, std::size_t size, std::uint8_t fill = 0) {
    for (std::size_t i = 0; i < count; ++i) Field(0x0304, Octets(size, fill));
    return *this;
  }

  struct Authenticator {
    std::size_t nonce_size = 16;
    Octets nonce;  // empty: `nonce_size` octets that are the same each time
    Octets plaintext;
    std::size_t additional_padding = 0;
    std::optional<std::uint16_t> claimed_nonce_size;
    std::optional<std::uint16_t> claimed_sealed_size;
    bool zero_tag = false;
  };
  // Seals everything so far with the C2S key.
  PacketBuilder& Authenticate(const Aead& aead, const AssociationKeys& keys, const Authenticator& options) {
    const Octets before = Build();
    Octets nonce = options.nonce;
    if (nonce.empty()) {
      nonce.resize(options.nonce_size);
      for (std::size_t i = 0; i < nonce.size(); ++i) nonce[i] = static_cast<std::uint8_t>(0xA0 + i);
    }
    Octets sealed(options.plaintext.size() + kAeadTagSize);
    if (AeadNonceSizeIsLegal(keys.aead, nonce.size())) {
      SealJob job{.aead = keys.aead,
                  .key = {.raw = keys.c2s.data()},
                  .associated_data = before,
                  .nonce = nonce,
                  .plaintext = options.plaintext,
                  .sealed = sealed.data()};
      aead.Seal(std::span(&job, 1));
    }
    if (options.zero_tag) sealed.assign(sealed.size(), 0);
    Octets body(4);
    ByteWriter writer(body);
    writer.WriteU16(options.claimed_nonce_size.value_or(static_cast<std::uint16_t>(nonce.size())));
    writer.WriteU16(options.claimed_sealed_size.value_or(static_cast<std::uint16_t>(sealed.size())));
    nonce.resize(PadToWord(nonce.size()));
    sealed.resize(PadToWord(sealed.size()));
    Append(body, nonce);
    Append(body, sealed);
    body.resize(body.size() + options.additional_padding);
    return Field(0x0404, std::move(body));
  }
  PacketBuilder& Authenticate(const Aead& aead, const AssociationKeys& keys) {
    return Authenticate(aead, keys, {.nonce_size = AeadNonceSize(keys.aead)});
  }

  Octets Build() const {
    Octets octets(kNtpHeaderSize);
    ByteWriter writer(octets);
    header_.Write(writer);
    Append(octets, fields_);
    return octets;
  }

 private:
  NtpHeader header_;
  Octets fields_;
};

}  // namespace ntsd::testing
