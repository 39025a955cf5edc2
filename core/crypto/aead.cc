#include "core/crypto/aead.h"

namespace ntsd {

std::optional<AeadId> AeadFromNumber(std::uint16_t number) {
  switch (number) {
    case 15:
      return AeadId::kAesSivCmac256;
    case 17:
      return AeadId::kAesSivCmac512;
    case 30:
      return AeadId::kAes128GcmSiv;
    default:
      return std::nullopt;
  }
}

std::string_view AeadName(AeadId aead) {
  switch (aead) {
    case AeadId::kAesSivCmac256:
      return "AES-SIV-CMAC-256";
    case AeadId::kAesSivCmac512:
      return "AES-SIV-CMAC-512";
    case AeadId::kAes128GcmSiv:
      return "AES-128-GCM-SIV";
  }
  return "unknown";
}

}  // namespace ntsd
