#include "core/crypto/cpu_features.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace ntsd {
namespace {

constexpr bool HasAll(std::uint64_t value, std::uint64_t bits) { return (value & bits) == bits; }
constexpr std::uint32_t Bit(unsigned number) { return std::uint32_t{1} << number; }

// CPUID leaf 1, ECX.
constexpr std::uint32_t kPclmulqdq = Bit(1), kSsse3 = Bit(9), kSse41 = Bit(19), kAes = Bit(25), kOsxsave = Bit(27),
                        kAvx = Bit(28);
// CPUID leaf 7, EBX and ECX.
constexpr std::uint32_t kAvx2 = Bit(5), kAvx512F = Bit(16), kAvx512Dq = Bit(17), kAvx512Bw = Bit(30),
                        kAvx512Vl = Bit(31);
constexpr std::uint32_t kVaes = Bit(9), kVpclmulqdq = Bit(10);
// XCR0: SSE and AVX registers; mask registers and both parts of the 512-bit ones.
constexpr std::uint64_t kSavesYmm = 0x06, kSavesZmm = 0xE6;

}  // namespace

CpuFeatures CpuFeatures::OfThisCpu() {
  CpuFeatures features;
#if defined(__x86_64__)
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (__get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0) features.leaf1_ecx = ecx;
  if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0) {
    features.leaf7_ebx = ebx;
    features.leaf7_ecx = ecx;
  }
  if (HasAll(features.leaf1_ecx, kOsxsave)) {
    unsigned low = 0, high = 0;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    features.xcr0 = std::uint64_t{high} << 32 | low;
  }
#endif
  return features;
}

bool CpuFeatures::HasAesNi() const { return HasAll(leaf1_ecx, kAes | kPclmulqdq | kSsse3 | kSse41); }

bool CpuFeatures::HasVaes256() const {
  return HasAesNi() && HasAll(leaf1_ecx, kAvx | kOsxsave) && HasAll(leaf7_ebx, kAvx2) &&
         HasAll(leaf7_ecx, kVaes | kVpclmulqdq) && HasAll(xcr0, kSavesYmm);
}

bool CpuFeatures::HasVaes512() const {
  return HasVaes256() && HasAll(leaf7_ebx, kAvx512F | kAvx512Dq | kAvx512Bw | kAvx512Vl) && HasAll(xcr0, kSavesZmm);
}

}  // namespace ntsd
