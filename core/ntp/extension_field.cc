#include "core/ntp/extension_field.h"

#include <algorithm>

#include "core/base/check.h"

namespace ntsd {

std::optional<ExtensionField> ParseExtensionField(ByteView octets, std::size_t size_min) {
  ByteReader reader(octets);
  const std::uint16_t type = reader.ReadU16();
  const std::size_t size = reader.ReadU16();
  if (!reader.ok() || size < std::max(size_min, kExtensionFieldHeaderSize) || size % 4 != 0 || size > octets.size()) {
    return std::nullopt;
  }
  return ExtensionField{type, octets.first(size)};
}

void WriteExtensionFieldHeader(ByteWriter& writer, ExtensionFieldType type, std::size_t body_size) {
  const std::size_t size = kExtensionFieldHeaderSize + body_size;
  CHECK(size % 4 == 0 && size <= 0xFFFC);
  writer.WriteU16(static_cast<std::uint16_t>(type));
  writer.WriteU16(static_cast<std::uint16_t>(size));
}

}  // namespace ntsd
