// A key expanded once for many messages.
#pragma once

#include "core/crypto/aead.h"

namespace ntsd {

// Plain data: may be placed in locked memory and copied with memcpy. Use only through PrepareKey and Aead.
class PreparedKey {
 public:
  PreparedKey() = default;
  // `key` has AeadKeySize(aead) octets.
  PreparedKey(AeadId aead, ByteView key);
  ~PreparedKey();

  AeadId aead() const { return aead_; }
  ByteView key() const { return ByteView(key_).first(AeadKeySize(aead_)); }

 private:
  AeadId aead_ = AeadId::kAesSivCmac256;
  std::array<std::uint8_t, kAeadKeySizeMax> key_{};
};

}  // namespace ntsd
