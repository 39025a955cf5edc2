// What we take from libsodium: guarded memory for keys, and a digest.
//
// Guarded memory stands alone in its pages, between guard pages, locked against swapping, left out of core dumps, and
// is overwritten before it is given back. The library initialises itself here on first use; nobody needs to call it
// before.
//
// Threads: functions of their arguments.
// Errors: memory that the kernel will not give at all stops the process, as `new` does; memory that it gives but will
// not
//         lock is told by IsLocked().
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "core/base/bytes.h"

namespace ntsd {

// `size` octets, aligned for every type whose alignment divides `size`. Give back with FreeGuarded.
void* AllocateGuarded(std::size_t size);
void FreeGuarded(void* memory);
// Asks the kernel again to lock memory from AllocateGuarded. False: it may be swapped out (RLIMIT_MEMLOCK).
bool IsLocked(void* memory, std::size_t size);
// From now on a stray write to this memory stops the process.
void MakeReadOnly(void* memory);
void MakeWritable(void* memory);

// Lets containers keep key material in guarded memory. One mapping per allocation: for few and long-lived objects.
template <typename Value>
struct GuardedAllocator {
  using value_type = Value;
  GuardedAllocator() = default;
  template <typename Other>
  GuardedAllocator(const GuardedAllocator<Other>& /*other*/) {}  // NOLINT(google-explicit-constructor): rebinding

  Value* allocate(std::size_t count) { return static_cast<Value*>(AllocateGuarded(count * sizeof(Value))); }
  void deallocate(Value* memory, std::size_t /*count*/) { FreeGuarded(memory); }
  friend bool operator==(const GuardedAllocator& /*a*/, const GuardedAllocator& /*b*/) { return true; }
};

// BLAKE2b with 256 bits. Its state is wiped on the way out, because keys pass through it.
class Digest {
 public:
  static constexpr std::size_t kSize = 32;

  Digest();
  Digest(const Digest&) = delete;
  Digest& operator=(const Digest&) = delete;
  ~Digest();

  void Add(ByteView octets);
  // Once, at the end.
  std::array<std::uint8_t, kSize> Finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace ntsd
