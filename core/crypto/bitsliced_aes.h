// AES-128 and AES-256 encryption in constant time on any CPU: four blocks at once, as bit planes.
//
// No table, branch or index depends on a key or on data: the S-box is a circuit of ands and exclusive ors.
// tests/unit/core/crypto/constant_time.sh proves it with memcheck on undefined secrets.
//
// Threads: plain values. Memory: a BitslicedAes wipes itself; who keeps an AesSchedule wipes it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "core/base/bytes.h"

namespace ntsd {

inline constexpr std::size_t kAesBlockSize = 16;
using AesBlock = std::array<std::uint8_t, kAesBlockSize>;

// The key schedule as FIPS 197 writes it, round after round: 10 rounds for a key of 16 octets, 14 for 32.
struct AesSchedule {
  std::uint32_t round_count = 0;
  std::array<AesBlock, 15> round_keys{};
};

// `key` has 16 or 32 octets.
AesSchedule ExpandAesKey(ByteView key);

class BitslicedAes {
 public:
  static constexpr std::size_t kBlockCount = 4;
  using Planes = std::array<std::uint64_t, 8>;
  using Blocks = std::array<AesBlock, kBlockCount>;

  explicit BitslicedAes(const AesSchedule& schedule);
  BitslicedAes(const BitslicedAes&) = delete;
  BitslicedAes& operator=(const BitslicedAes&) = delete;
  ~BitslicedAes();

  // Encrypts four independent blocks in place.
  void Encrypt(Blocks& blocks) const;
  AesBlock Encrypt(const AesBlock& block) const;

 private:
  std::uint32_t round_count_;
  std::array<Planes, 15> round_keys_;
};

}  // namespace ntsd
