// Four messages a vector: VAES and VPCLMULQDQ in 512 bits, AVX-512 F, BW and DQ.
#pragma once

#include "core/crypto/lanes.h"

namespace ntsd {
namespace {

struct Vector512 {
  using Reg = __m512i;
  static constexpr int kLanes = 4;
  static constexpr int kRegisters = 24;
  static constexpr int kStreamsBusy = 8;

  LANES_INLINE static void Keep(Reg& a) { __asm__("" : "+v"(a)); }
  LANES_INLINE static Reg Zero() { return _mm512_setzero_si512(); }
  LANES_INLINE static Reg Load(const void* octets) { return _mm512_loadu_si512(octets); }
  LANES_INLINE static void Store(void* octets, Reg a) { _mm512_storeu_si512(octets, a); }
  LANES_INLINE static Reg Broadcast(const void* block) {
    return _mm512_broadcast_i32x4(_mm_loadu_si128(static_cast<const __m128i*>(block)));
  }
  LANES_INLINE static Reg Broadcast32(std::uint32_t word) { return _mm512_set1_epi32(static_cast<int>(word)); }
  LANES_INLINE static Reg Gather(const std::uint8_t* const* pointers, std::size_t offset) {
    const auto load = [&](int lane) LANES_INLINE {
      return _mm_loadu_si128(reinterpret_cast<const __m128i*>(pointers[lane] + offset));
    };
    const __m256i low = _mm256_inserti128_si256(_mm256_castsi128_si256(load(0)), load(1), 1);
    const __m256i high = _mm256_inserti128_si256(_mm256_castsi128_si256(load(2)), load(3), 1);
    return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
  }
  LANES_INLINE static void Scatter(Reg a, std::uint8_t* const* pointers, std::size_t offset) {
    const auto at = [&](int lane) LANES_INLINE { return reinterpret_cast<__m128i*>(pointers[lane] + offset); };
    _mm_storeu_si128(at(0), _mm512_castsi512_si128(a));
    _mm_storeu_si128(at(1), _mm512_extracti32x4_epi32(a, 1));
    _mm_storeu_si128(at(2), _mm512_extracti32x4_epi32(a, 2));
    _mm_storeu_si128(at(3), _mm512_extracti32x4_epi32(a, 3));
  }

  LANES_INLINE static Reg Xor(Reg a, Reg b) { return _mm512_xor_si512(a, b); }
  LANES_INLINE static Reg Xor3(Reg a, Reg b, Reg c) { return _mm512_ternarylogic_epi64(a, b, c, 0x96); }
  LANES_INLINE static Reg And(Reg a, Reg b) { return _mm512_and_si512(a, b); }
  LANES_INLINE static Reg Add32(Reg a, Reg b) { return _mm512_add_epi32(a, b); }
  LANES_INLINE static Reg ShiftLeft32(Reg a) { return _mm512_slli_epi32(a, 1); }
  LANES_INLINE static Reg SignMask32(Reg a) { return _mm512_srai_epi32(a, 31); }
  LANES_INLINE static Reg RotateWords(Reg a) { return _mm512_shuffle_epi32(a, static_cast<_MM_PERM_ENUM>(0x93)); }
  LANES_INLINE static Reg SwapHalves(Reg a) { return _mm512_shuffle_epi32(a, static_cast<_MM_PERM_ENUM>(0x4E)); }
  LANES_INLINE static Reg LowHalves(Reg a, Reg b) { return _mm512_unpacklo_epi64(a, b); }
  LANES_INLINE static Reg HighHalves(Reg a, Reg b) { return _mm512_unpackhi_epi64(a, b); }
  template <int kOctets>
  LANES_INLINE static Reg ShiftOctetsUp(Reg a) {
    return _mm512_bslli_epi128(a, kOctets);
  }
  template <int kOctets>
  LANES_INLINE static Reg ShiftOctetsDown(Reg a) {
    return _mm512_bsrli_epi128(a, kOctets);
  }
  LANES_INLINE static Reg Shuffle(Reg a, Reg control) { return _mm512_shuffle_epi8(a, control); }
  LANES_INLINE static Reg PrefixXor32(Reg a, Reg summand) {
    a = Xor(a, ShiftOctetsUp<4>(a));
    return Xor3(a, ShiftOctetsUp<8>(a), summand);
  }

  LANES_INLINE static Reg AesRound(Reg a, Reg key) { return _mm512_aesenc_epi128(a, key); }
  LANES_INLINE static Reg AesLastRound(Reg a, Reg key) { return _mm512_aesenclast_epi128(a, key); }
  template <int kHalves>
  LANES_INLINE static Reg Multiply(Reg a, Reg b) {
    return _mm512_clmulepi64_epi128(a, b, kHalves);
  }
};

}  // namespace
}  // namespace ntsd
