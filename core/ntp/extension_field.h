// NTPv4 extension fields: type (2 octets) | length (2, of the whole field) | value and padding (RFC 7822 §3).
#pragma once

#include <cstdint>
#include <optional>

#include "core/base/bytes.h"
#include "core/base/check.h"

namespace ntsd {

// RFC 8915 §5.
enum class ExtensionFieldType : std::uint16_t {
  kUniqueIdentifier = 0x0104,
  kNtsCookie = 0x0204,
  kNtsCookiePlaceholder = 0x0304,
  kNtsAuthenticator = 0x0404,
};

inline constexpr std::size_t kExtensionFieldHeaderSize = 4;
// RFC 7822 §7.5.1.4: no field in clear is shorter, and the last one without a MAC behind it is at least 28 octets.
// Inside the ciphertext of NTS neither holds (RFC 8915 §5.6).
inline constexpr std::size_t kExtensionFieldSizeMin = 16;
inline constexpr std::size_t kLastExtensionFieldSizeMin = 28;

struct ExtensionField {
  std::uint16_t type = 0;  // any number: unknown types are ordinary
  ByteView field;          // all of it, header included
  ByteView body() const { return field.subspan(kExtensionFieldHeaderSize); }
  bool Is(ExtensionFieldType known) const { return type == static_cast<std::uint16_t>(known); }
};

// The field at the front of `octets`: nothing when its length is below `size_min` or 4, no multiple of 4, or beyond the
// end. Takes no octet after it into account.
inline std::optional<ExtensionField> ParseExtensionField(ByteView octets, std::size_t size_min) {
  ByteReader reader(octets);
  const std::uint32_t type_and_size = reader.ReadU32();
  const std::size_t size = type_and_size & 0xFFFF;
  if (!reader.ok() || size < size_min || size < kExtensionFieldHeaderSize || size % 4 != 0 || size > octets.size()) {
    return std::nullopt;
  }
  return ExtensionField{static_cast<std::uint16_t>(type_and_size >> 16), octets.first(size)};
}

// Writes the four octets in front of a body of `body_size` octets, which is a multiple of 4.
inline void WriteExtensionFieldHeader(ByteWriter& writer, ExtensionFieldType type, std::size_t body_size) {
  const std::size_t size = kExtensionFieldHeaderSize + body_size;
  CHECK(size % 4 == 0 && size <= 0xFFFC);
  writer.WriteU32(static_cast<std::uint32_t>(type) << 16 | static_cast<std::uint32_t>(size));
}

}  // namespace ntsd
