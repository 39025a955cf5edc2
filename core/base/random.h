// Randomness as an argument, so that tests can repeat it.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>

#include "core/base/bytes.h"

namespace ntsd {

// Threads: each object belongs to one thread.
class Random {
 public:
  virtual ~Random() = default;

  // Fills all of `target` with octets that nobody can predict (outside tests).
  virtual void Fill(ByteSpan target) = 0;

  std::uint64_t NextU64() {
    std::array<std::uint8_t, 8> octets;
    Fill(octets);
    std::uint64_t value;
    std::memcpy(&value, octets.data(), sizeof(value));
    return value;
  }
};

}  // namespace ntsd
