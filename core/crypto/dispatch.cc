#include <cstdlib>

#include "core/crypto/backend.h"

namespace ntsd {

std::vector<const Aead*> AvailableAeads() {
  std::vector<const Aead*> available;
  for (const Aead* aead : {PortableAead()}) {
    if (aead != nullptr) available.push_back(aead);
  }
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
