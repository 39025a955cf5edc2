// The implementations of Aead, one for each instruction set, and what they share. Only this folder includes it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/crypto/aead.h"

namespace ntsd {

// The backend for any CPU. The object lives for ever.
const Aead* PortableAead();

// --- Backends that work in lanes ---

// Jobs that one kernel can take together.
enum class LaneKind : std::uint8_t {
  kSiv256Short,   // raw key, at most 16 octets of text: a request
  kSiv256Long,    // raw key, more text: a reply
  kSiv256Cookie,  // prepared key, no associated data, more than 16 octets of text
  kSiv512Short,
  kSiv512Long,
  kGcmSiv,
  kGcmSivCookie,  // prepared key
};
inline constexpr int kLaneKindCount = 7;
inline constexpr std::size_t kLanesMax = 16;

// Key material that is under way; whoever lends it to kernels wipes the first `used` octets.
struct alignas(64) LaneScratch {
  std::size_t used = 0;
  alignas(64) std::uint8_t octets[kLanesMax * 16 * (2 * 15 + 2)];
};

// 1 to `lanes` jobs of one kind, prepared ones with the same key. From jobs[count] to jobs[lanes - 1] the last one is
// repeated, for lanes that would be idle. `is_uniform`: all their sizes are the same.
using SealLanes = void (*)(SealJob* const* jobs, int count, bool is_uniform, LaneScratch& scratch);
// The same; sets `ok`, and leaves what it decrypted for the caller to clear.
using OpenLanes = void (*)(OpenJob* const* jobs, int count, bool is_uniform, LaneScratch& scratch);

struct LaneKernels {
  std::string_view name;
  int lanes;
  SealLanes seal[kLaneKindCount];
  OpenLanes open[kLaneKindCount];
};

// Plain data, defined in files that are compiled for one instruction set: call only on CPUs that have it.
extern const LaneKernels kVaes512Kernels;
extern const LaneKernels kVaes256Kernels;
extern const LaneKernels kAesNiKernels;

}  // namespace ntsd
