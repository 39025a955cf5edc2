// A key expanded once for many messages.
//
// Threads: plain values. Memory: plain data without pointers or special alignment: may be placed in locked memory and
// copied with memcpy. Both types wipe themselves on destruction.
#pragma once

#include <array>
#include <cstdint>

#include "core/crypto/aead.h"
#include "core/crypto/bitsliced_aes.h"

namespace ntsd {

// Everything about a key that does not depend on the message. The backends read it.
struct ExpandedKey {
  ExpandedKey() = default;
  // `key` points to AeadKeySize(aead) octets.
  ExpandedKey(AeadId aead, const std::uint8_t* key);
  ExpandedKey(const ExpandedKey&) = default;
  ExpandedKey& operator=(const ExpandedKey&) = default;
  ~ExpandedKey();

  AesSchedule mac;  // SIV: K1, for S2V. GCM-SIV: the key that generates keys.
  AesSchedule ctr;  // SIV: K2. GCM-SIV: unused.
  // SIV only, all under K1 (RFC 5297 §2.4).
  AesBlock subkey_full{};     // CMAC's K1, for messages of whole blocks
  AesBlock subkey_partial{};  // CMAC's K2, for the others and the empty one
  AesBlock after_zero{};      // D of S2V at its start: CMAC(0^128)
  AesBlock after_empty_ad{};  // D of S2V after associated data that is present and empty, as cookies have it
};

// Use only through Aead.
class PreparedKey {
 public:
  PreparedKey() = default;
  // `key` has AeadKeySize(aead) octets.
  PreparedKey(AeadId aead, ByteView key);
  PreparedKey(const PreparedKey&) = default;
  PreparedKey& operator=(const PreparedKey&) = default;
  ~PreparedKey();

  AeadId aead() const { return aead_; }
  ByteView key() const { return ByteView(key_).first(AeadKeySize(aead_)); }
  const ExpandedKey& expanded() const { return expanded_; }

 private:
  AeadId aead_ = AeadId::kAesSivCmac256;
  std::array<std::uint8_t, kAeadKeySizeMax> key_{};
  ExpandedKey expanded_;
};

}  // namespace ntsd
