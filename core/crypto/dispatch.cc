#include <cstdlib>

#include "core/crypto/backend.h"
#include "core/crypto/cpu_features.h"
#include "core/crypto/lane_aead.h"

namespace ntsd {

std::vector<const Aead*> AvailableAeads() {
  std::vector<const Aead*> available;
#if defined(__x86_64__)
  static const LaneAead kVaes512(kVaes512Kernels);
  static const LaneAead kVaes256(kVaes256Kernels);
  static const LaneAead kAesNi(kAesNiKernels);
  const CpuFeatures cpu = CpuFeatures::OfThisCpu();
  if (cpu.HasVaes512()) available.push_back(&kVaes512);
  if (cpu.HasVaes256()) available.push_back(&kVaes256);
  if (cpu.HasAesNi()) available.push_back(&kAesNi);
#endif
  available.push_back(PortableAead());
  return available;
}

const Aead* SelectAead(std::string_view name) {
  if (name.empty()) {
    const char* const wanted = std::getenv("NTSD_AEAD");  // NOLINT(concurrency-mt-unsafe): nobody calls setenv
    if (wanted != nullptr) name = wanted;
  }
  for (const Aead* aead : AvailableAeads()) {
    if (name.empty() || aead->Name() == name) return aead;
  }
  return nullptr;
}

}  // namespace ntsd
