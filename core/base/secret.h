// Key material: not printable, compared in constant time, wiped on the way out.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "core/base/bytes.h"

namespace ntsd {

// Overwrites memory in a way that the compiler may not leave out: it has to suppose that somebody looks afterwards.
inline void Wipe(ByteSpan memory) {
  if (memory.empty()) return;
  std::memset(memory.data(), 0, memory.size());
  __asm__ volatile("" : : "r"(memory.data()) : "memory");
}

// True when both have the same octets. Takes the same time wherever they differ; sizes are not secret.
bool EqualInConstantTime(ByteView a, ByteView b);

// Up to kCapacity octets of key material, by value.
template <std::size_t kCapacity>
class Secret {
 public:
  Secret() = default;
  explicit Secret(ByteView octets) { Assign(octets); }
  Secret(const Secret& other) = default;
  Secret& operator=(const Secret& other) = default;
  ~Secret() { Wipe(octets_); }

  static constexpr std::size_t capacity() { return kCapacity; }
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  ByteView view() const { return ByteView(octets_).first(size_); }
  const std::uint8_t* data() const { return octets_.data(); }

  // Makes the secret `size` octets long (at most kCapacity) and gives them to be filled.
  ByteSpan Resize(std::size_t size) {
    Wipe(octets_);
    size_ = size <= kCapacity ? size : kCapacity;
    return ByteSpan(octets_).first(size_);
  }
  void Assign(ByteView octets) {
    const ByteSpan target = Resize(octets.size());
    for (std::size_t i = 0; i < target.size(); ++i) target[i] = octets[i];
  }

  friend bool operator==(const Secret& a, const Secret& b) { return EqualInConstantTime(a.view(), b.view()); }

 private:
  std::array<std::uint8_t, kCapacity> octets_{};
  std::size_t size_ = 0;
};

}  // namespace ntsd
