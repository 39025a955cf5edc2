// Two messages a vector: VAES and VPCLMULQDQ in 256 bits, AVX2.
#pragma once

#include "core/crypto/lanes.h"

namespace ntsd {
namespace {

struct Vector256 {
  using Reg = __m256i;
  static constexpr int kLanes = 2;
  static constexpr int kRegisters = 12;
  static constexpr int kStreamsBusy = 8;

  LANES_INLINE static void Keep(Reg& a) { __asm__("" : "+x"(a)); }
  LANES_INLINE static Reg Zero() { return _mm256_setzero_si256(); }
  LANES_INLINE static Reg Load(const void* octets) { return _mm256_loadu_si256(static_cast<const Reg*>(octets)); }
  LANES_INLINE static void Store(void* octets, Reg a) { _mm256_storeu_si256(static_cast<Reg*>(octets), a); }
  LANES_INLINE static Reg Broadcast(const void* block) {
    return _mm256_broadcastsi128_si256(_mm_loadu_si128(static_cast<const __m128i*>(block)));
  }
  LANES_INLINE static Reg Broadcast32(std::uint32_t word) { return _mm256_set1_epi32(static_cast<int>(word)); }
  LANES_INLINE static Reg Gather(const std::uint8_t* const* pointers, std::size_t offset) {
    const auto load = [&](int lane) LANES_INLINE {
      return _mm_loadu_si128(reinterpret_cast<const __m128i*>(pointers[lane] + offset));
    };
    return _mm256_inserti128_si256(_mm256_castsi128_si256(load(0)), load(1), 1);
  }
  LANES_INLINE static void Scatter(Reg a, std::uint8_t* const* pointers, std::size_t offset) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(pointers[0] + offset), _mm256_castsi256_si128(a));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(pointers[1] + offset), _mm256_extracti128_si256(a, 1));
  }

  LANES_INLINE static Reg Xor(Reg a, Reg b) { return _mm256_xor_si256(a, b); }
  LANES_INLINE static Reg Xor3(Reg a, Reg b, Reg c) { return _mm256_xor_si256(a, _mm256_xor_si256(b, c)); }
  LANES_INLINE static Reg And(Reg a, Reg b) { return _mm256_and_si256(a, b); }
  LANES_INLINE static Reg Add32(Reg a, Reg b) { return _mm256_add_epi32(a, b); }
  LANES_INLINE static Reg ShiftLeft32(Reg a) { return _mm256_slli_epi32(a, 1); }
  LANES_INLINE static Reg SignMask32(Reg a) { return _mm256_srai_epi32(a, 31); }
  LANES_INLINE static Reg RotateWords(Reg a) { return _mm256_shuffle_epi32(a, 0x93); }
  LANES_INLINE static Reg SwapHalves(Reg a) { return _mm256_shuffle_epi32(a, 0x4E); }
  LANES_INLINE static Reg LowHalves(Reg a, Reg b) { return _mm256_unpacklo_epi64(a, b); }
  LANES_INLINE static Reg HighHalves(Reg a, Reg b) { return _mm256_unpackhi_epi64(a, b); }
  template <int kOctets>
  LANES_INLINE static Reg ShiftOctetsUp(Reg a) {
    return _mm256_slli_si256(a, kOctets);
  }
  template <int kOctets>
  LANES_INLINE static Reg ShiftOctetsDown(Reg a) {
    return _mm256_srli_si256(a, kOctets);
  }
  LANES_INLINE static Reg Shuffle(Reg a, Reg control) { return _mm256_shuffle_epi8(a, control); }
  LANES_INLINE static Reg PrefixXor32(Reg a, Reg summand) {
    a = Xor(a, ShiftOctetsUp<4>(a));
    return Xor3(a, ShiftOctetsUp<8>(a), summand);
  }

  LANES_INLINE static Reg AesRound(Reg a, Reg key) { return _mm256_aesenc_epi128(a, key); }
  LANES_INLINE static Reg AesLastRound(Reg a, Reg key) { return _mm256_aesenclast_epi128(a, key); }
  template <int kHalves>
  LANES_INLINE static Reg Multiply(Reg a, Reg b) {
    return _mm256_clmulepi64_epi128(a, b, kHalves);
  }
};

}  // namespace
}  // namespace ntsd
