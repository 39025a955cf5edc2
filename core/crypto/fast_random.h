// Unpredictable octets for a few nanoseconds: what nonces and unique values are made of.
//
// ChaCha20 (libsodium) fills a buffer, and its first octets become the next key, so that nobody who later reads this
// memory learns what was given before ("fast key erasure"); what is given is erased from the buffer. The kernel adds
// fresh entropy every kReseedSize octets. A child of fork() starts anew.
//
// Threads: each object belongs to one thread. Memory: a few kilobytes, inside; wiped on destruction.
// Errors: none; libsodium stops the process when the kernel has no randomness to give.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "core/base/random.h"

namespace ntsd {

class FastRandom final : public Random {
 public:
  static constexpr std::size_t kBufferSize = 4096;
  static constexpr std::size_t kReseedSize = 16 * kBufferSize;

  FastRandom();
  FastRandom(const FastRandom&) = delete;
  FastRandom& operator=(const FastRandom&) = delete;
  ~FastRandom() override;

  void Fill(ByteSpan target) override;

 private:
  static constexpr std::size_t kKeySize = 32;

  void Refill();

  std::size_t available_ = 0;     // octets at the end of buffer_ that were not given yet
  std::size_t refill_count_ = 0;  // since the kernel was asked
  std::uint64_t fork_count_ = 0;  // of this process when the buffer was filled
  std::array<std::uint8_t, kKeySize> key_{};
  std::array<std::uint8_t, kBufferSize> buffer_{};
};

}  // namespace ntsd
