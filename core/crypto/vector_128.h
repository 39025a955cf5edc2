// One message a vector: AES-NI, PCLMULQDQ, SSE 4.1. Also says what a vector type gives to the lane kernels.
#pragma once

#include "core/crypto/lanes.h"

namespace ntsd {
namespace {

struct Vector128 {
  using Reg = __m128i;
  static constexpr int kLanes = 1;        // messages in one Reg
  static constexpr int kRegisters = 12;   // states that may be under way together without spilling
  static constexpr int kStreamsBusy = 8;  // vectors that keep the AES units busy

  // Makes the compiler hold a value in a register.
  LANES_INLINE static void Keep(Reg& a) { __asm__("" : "+x"(a)); }
  LANES_INLINE static Reg Zero() { return _mm_setzero_si128(); }
  LANES_INLINE static Reg Load(const void* octets) { return _mm_loadu_si128(static_cast<const Reg*>(octets)); }
  LANES_INLINE static void Store(void* octets, Reg a) { _mm_storeu_si128(static_cast<Reg*>(octets), a); }
  // The same 16 octets, or the same word, everywhere.
  LANES_INLINE static Reg Broadcast(const void* block) { return Load(block); }
  LANES_INLINE static Reg Broadcast32(std::uint32_t word) { return _mm_set1_epi32(static_cast<int>(word)); }
  // One block from or to each lane's own place.
  LANES_INLINE static Reg Gather(const std::uint8_t* const* pointers, std::size_t offset) {
    return Load(pointers[0] + offset);
  }
  LANES_INLINE static void Scatter(Reg a, std::uint8_t* const* pointers, std::size_t offset) {
    Store(pointers[0] + offset, a);
  }

  LANES_INLINE static Reg Xor(Reg a, Reg b) { return _mm_xor_si128(a, b); }
  LANES_INLINE static Reg Xor3(Reg a, Reg b, Reg c) { return _mm_xor_si128(a, _mm_xor_si128(b, c)); }
  LANES_INLINE static Reg And(Reg a, Reg b) { return _mm_and_si128(a, b); }
  LANES_INLINE static Reg Add32(Reg a, Reg b) { return _mm_add_epi32(a, b); }
  LANES_INLINE static Reg ShiftLeft32(Reg a) { return _mm_slli_epi32(a, 1); }        // by one bit
  LANES_INLINE static Reg SignMask32(Reg a) { return _mm_srai_epi32(a, 31); }        // all bits the sign
  LANES_INLINE static Reg RotateWords(Reg a) { return _mm_shuffle_epi32(a, 0x93); }  // word n to n + 1
  LANES_INLINE static Reg SwapHalves(Reg a) { return _mm_shuffle_epi32(a, 0x4E); }
  LANES_INLINE static Reg LowHalves(Reg a, Reg b) { return _mm_unpacklo_epi64(a, b); }
  LANES_INLINE static Reg HighHalves(Reg a, Reg b) { return _mm_unpackhi_epi64(a, b); }
  template <int kOctets>
  LANES_INLINE static Reg ShiftOctetsUp(Reg a) {
    return _mm_slli_si128(a, kOctets);
  }
  template <int kOctets>
  LANES_INLINE static Reg ShiftOctetsDown(Reg a) {
    return _mm_srli_si128(a, kOctets);
  }
  LANES_INLINE static Reg Shuffle(Reg a, Reg control) { return _mm_shuffle_epi8(a, control); }
  // Word n becomes the sum of words 0 to n, and of that word of `summand`.
  LANES_INLINE static Reg PrefixXor32(Reg a, Reg summand) {
    a = Xor(a, ShiftOctetsUp<4>(a));
    return Xor3(a, ShiftOctetsUp<8>(a), summand);
  }

  LANES_INLINE static Reg AesRound(Reg a, Reg key) { return _mm_aesenc_si128(a, key); }
  LANES_INLINE static Reg AesLastRound(Reg a, Reg key) { return _mm_aesenclast_si128(a, key); }
  // Carry-less product of a half of `a` (low nibble of kHalves: 0 low, 1 high) and a half of `b` (high nibble).
  template <int kHalves>
  LANES_INLINE static Reg Multiply(Reg a, Reg b) {
    return _mm_clmulepi64_si128(a, b, kHalves);
  }
};

}  // namespace
}  // namespace ntsd
