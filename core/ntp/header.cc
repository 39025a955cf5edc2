#include "core/ntp/header.h"

#include <array>

namespace ntsd {

std::optional<NtpHeader> NtpHeader::Parse(ByteView datagram) {
  ByteReader reader(datagram);
  NtpHeader header;
  const std::uint8_t first = reader.ReadU8();
  header.leap = static_cast<LeapIndicator>(first >> 6);
  header.version = first >> 3 & 7;
  header.mode = static_cast<NtpMode>(first & 7);
  header.stratum = reader.ReadU8();
  header.poll = static_cast<std::int8_t>(reader.ReadU8());
  header.precision = static_cast<std::int8_t>(reader.ReadU8());
  header.root_delay.bits = reader.ReadU32();
  header.root_dispersion.bits = reader.ReadU32();
  header.reference_id = reader.ReadU32();
  header.reference.bits = reader.ReadU64();
  header.origin.bits = reader.ReadU64();
  header.receive.bits = reader.ReadU64();
  header.transmit.bits = reader.ReadU64();
  if (!reader.ok()) return std::nullopt;
  return header;
}

void NtpHeader::Write(ByteWriter& target) const {
  // Beside the target, where the compiler knows how much room there is.
  std::array<std::uint8_t, kNtpHeaderSize> octets;
  ByteWriter writer(octets);
  const unsigned first = static_cast<unsigned>(leap) << 6 | (version & 7U) << 3 | static_cast<unsigned>(mode);
  writer.WriteU8(static_cast<std::uint8_t>(first));
  writer.WriteU8(stratum);
  writer.WriteU8(static_cast<std::uint8_t>(poll));
  writer.WriteU8(static_cast<std::uint8_t>(precision));
  writer.WriteU32(root_delay.bits);
  writer.WriteU32(root_dispersion.bits);
  writer.WriteU32(reference_id);
  writer.WriteU64(reference.bits);
  writer.WriteU64(origin.bits);
  writer.WriteU64(receive.bits);
  writer.WriteU64(transmit.bits);
  target.WriteBytes(octets);
}

}  // namespace ntsd
