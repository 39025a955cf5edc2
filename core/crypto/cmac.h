// CMAC (RFC 4493) and the doubling of its field, over the constant-time block cipher.
#pragma once

#include "core/crypto/bitsliced_aes.h"

namespace ntsd {

// Multiplies by x in GF(2^128), big endian as CMAC and S2V want it; without a branch.
AesBlock Double(const AesBlock& block);
AesBlock Xor(const AesBlock& a, const AesBlock& b);

// CMAC of `message`, whose last 16 octets are exclusive-ored with `end` when that is given (S2V's "xorend"; then the
// message has at least 16 octets).
AesBlock Cmac(const BitslicedAes& cipher, const AesBlock& subkey_full, const AesBlock& subkey_partial, ByteView message,
              const AesBlock* end = nullptr);

}  // namespace ntsd
