// POLYVAL, the universal hash of AES-GCM-SIV (RFC 8452 §3), in constant time on any CPU.
//
// Threads: plain values. Memory: wiped on destruction.
#pragma once

#include <cstdint>

#include "core/crypto/bitsliced_aes.h"

namespace ntsd {

class Polyval {
 public:
  explicit Polyval(const AesBlock& key);
  Polyval(const Polyval&) = delete;
  Polyval& operator=(const Polyval&) = delete;
  ~Polyval();

  // Hashes `data`, filled with zeros to whole blocks.
  void UpdatePadded(ByteView data);
  void Update(const AesBlock& block);
  AesBlock Sum() const;

 private:
  struct Element {
    std::uint64_t low = 0, high = 0;
  };
  static Element Load(const AesBlock& block);
  static Element Dot(Element a, Element b);

  Element key_;
  Element sum_;
};

}  // namespace ntsd
