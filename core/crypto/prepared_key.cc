#include "core/crypto/prepared_key.h"

#include <algorithm>

#include "core/base/check.h"
#include "core/crypto/cmac.h"

namespace ntsd {

ExpandedKey::ExpandedKey(AeadId aead, const std::uint8_t* key) {
  const ByteView octets(key, AeadKeySize(aead));
  if (aead == AeadId::kAes128GcmSiv) {
    mac = ExpandAesKey(octets);
    return;
  }
  mac = ExpandAesKey(octets.first(octets.size() / 2));
  ctr = ExpandAesKey(octets.subspan(octets.size() / 2));
  const BitslicedAes cipher(mac);
  subkey_full = Double(cipher.Encrypt(AesBlock{}));
  subkey_partial = Double(subkey_full);
  after_zero = Cmac(cipher, subkey_full, subkey_partial, AesBlock{});
  after_empty_ad = Xor(Double(after_zero), Cmac(cipher, subkey_full, subkey_partial, {}));
}

ExpandedKey::~ExpandedKey() { Wipe({reinterpret_cast<std::uint8_t*>(this), sizeof(*this)}); }

PreparedKey::PreparedKey(AeadId aead, ByteView key) : aead_(aead) {
  CHECK(key.size() == AeadKeySize(aead));
  std::copy(key.begin(), key.end(), key_.begin());
  expanded_ = ExpandedKey(aead, key_.data());
}

PreparedKey::~PreparedKey() { Wipe(key_); }

}  // namespace ntsd
