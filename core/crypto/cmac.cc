#include "core/crypto/cmac.h"

#include <algorithm>

namespace ntsd {

AesBlock Double(const AesBlock& block) {
  AesBlock doubled;
  for (std::size_t i = 0; i + 1 < doubled.size(); ++i) {
    doubled[i] = static_cast<std::uint8_t>(block[i] << 1 | block[i + 1] >> 7);
  }
  doubled[15] = static_cast<std::uint8_t>(block[15] << 1 ^ (block[0] >> 7) * 0x87);
  return doubled;
}

AesBlock Xor(const AesBlock& a, const AesBlock& b) {
  AesBlock sum;
  for (std::size_t i = 0; i < sum.size(); ++i) sum[i] = a[i] ^ b[i];
  return sum;
}

AesBlock Cmac(const BitslicedAes& cipher, const AesBlock& subkey_full, const AesBlock& subkey_partial, ByteView message,
              const AesBlock* end) {
  const std::size_t size = message.size();
  const std::size_t block_count = size == 0 ? 1 : (size + kAesBlockSize - 1) / kAesBlockSize;
  AesBlock state{};
  for (std::size_t i = 0; i < block_count; ++i) {
    const std::size_t offset = i * kAesBlockSize;
    const std::size_t piece = std::min(size - offset, kAesBlockSize);
    for (std::size_t j = 0; j < piece; ++j) state[j] ^= message[offset + j];
    if (end != nullptr) {
      const std::size_t end_offset = size - kAesBlockSize;
      for (std::size_t j = 0; j < piece; ++j) {
        if (offset + j >= end_offset) state[j] ^= (*end)[offset + j - end_offset];
      }
    }
    if (i + 1 == block_count) {
      if (piece < kAesBlockSize) state[piece] ^= 0x80;
      state = Xor(state, piece == kAesBlockSize ? subkey_full : subkey_partial);
    }
    state = cipher.Encrypt(state);
  }
  return state;
}

}  // namespace ntsd
