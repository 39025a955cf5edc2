// Up to kCapacity values in place, without an allocation and without touching the room that is not used: for the jobs
// of a batch, of which there are often few.
//
// Memory: the values are inside the object. Errors: more than kCapacity is a broken promise (CHECK).
#pragma once

#include <cstddef>
#include <new>
#include <span>
#include <type_traits>

#include "core/base/check.h"

namespace ntsd {

template <typename T, std::size_t kCapacity>
class FixedVector {
  static_assert(std::is_trivially_destructible_v<T>, "nothing is destroyed here");

 public:
  FixedVector() {}  // NOLINT: the storage stays as it is
  FixedVector(const FixedVector&) = delete;
  FixedVector& operator=(const FixedVector&) = delete;

  void push_back(const T& value) {
    CHECK(size_ < kCapacity);
    new (storage_ + size_++ * sizeof(T)) T(value);
  }
  std::size_t size() const { return size_; }
  T& operator[](std::size_t i) {
    CHECK(i < size_);
    return data()[i];
  }
  std::span<T> span() { return {data(), size_}; }

 private:
  T* data() { return std::launder(reinterpret_cast<T*>(storage_)); }

  alignas(T) std::byte storage_[kCapacity * sizeof(T)];
  std::size_t size_ = 0;
};

}  // namespace ntsd
