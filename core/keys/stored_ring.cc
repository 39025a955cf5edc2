#include "core/keys/stored_ring.h"

#include <algorithm>

namespace ntsd {

const MasterKey* StoredRing::Find(KeyId id) const {
  const auto found = std::find_if(keys.begin(), keys.end(), [id](const MasterKey& key) { return key.id == id; });
  return found == keys.end() ? nullptr : &*found;
}

bool StoredRing::IsRevoked(KeyId id) const { return std::find(revoked.begin(), revoked.end(), id) != revoked.end(); }

std::optional<std::string_view> BrokenRingRule(const StoredRing& ring) {
  if (ring.keys.size() < 2) return "a future and a current key";
  if (ring.keys.size() > kKeysPerRingMax) return "at most 32 keys";
  if (ring.revoked.size() > kRevokedKeysMax) return "at most 4096 revoked ids";
  if (!FollowsInChrony(ring.current().id, ring.future().id)) {
    return "a future key whose id follows the current one's modulo 4";
  }
  for (const MasterKey& key : ring.keys) {
    if (key.aead != AeadId::kAesSivCmac256 && key.aead != AeadId::kAes128GcmSiv) return "keys of AEAD 15 or 30";
    if (key.key.size() != AeadKeySize(key.aead)) return "keys of the size that their AEAD has";
    if (ring.IsRevoked(key.id)) return "no key that is revoked";
    if (ring.Find(key.id) != &key) return "ids that are all different";
  }
  return std::nullopt;
}

}  // namespace ntsd
