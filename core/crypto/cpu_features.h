// Which instruction sets this CPU and this kernel let us use.
//
// A cloud machine may hide single features, and a kernel may not save wide registers: each set is believed only when
// every part of it is there.
#pragma once

#include <cstdint>

namespace ntsd {

// What the CPU says about itself; all zero on CPUs other than x86-64.
struct CpuFeatures {
  std::uint32_t leaf1_ecx = 0;
  std::uint32_t leaf7_ebx = 0;
  std::uint32_t leaf7_ecx = 0;
  std::uint64_t xcr0 = 0;  // registers that the kernel saves

  static CpuFeatures OfThisCpu();

  bool HasAesNi() const;    // AES-NI, PCLMULQDQ, SSE 4.1
  bool HasVaes256() const;  // VAES and VPCLMULQDQ with AVX2
  bool HasVaes512() const;  // the same with AVX-512 F, BW, DQ and VL
};

}  // namespace ntsd
