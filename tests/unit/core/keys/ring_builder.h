// Rings for tests: every key is different, and printable by its id.
#pragma once

#include <initializer_list>
#include <vector>

#include "core/keys/rotation.h"
#include "core/keys/stored_ring.h"
#include "tests/support/fakes.h"

namespace ntsd::testing {

inline UnixTime At(std::int64_t seconds) { return UnixTime(std::chrono::seconds(1'767'225'600 + seconds)); }

inline MasterKey KeyWithId(KeyId id, AeadId aead = AeadId::kAesSivCmac256, std::uint64_t seed = 0) {
  FakeRandom random(id + 7919 * (seed + 1));
  MasterKey key;
  key.id = id;
  key.aead = aead;
  random.Fill(key.key.Resize(AeadKeySize(aead)));
  key.created = At(id % 1000);
  return key;
}

// Newest first: future, current, past ones.
inline StoredRing RingOf(std::initializer_list<KeyId> ids, std::vector<KeyId> revoked = {},
                         AeadId aead = AeadId::kAesSivCmac256) {
  StoredRing ring;
  for (const KeyId id : ids) ring.keys.push_back(KeyWithId(id, aead));
  ring.current_since = At(0);
  ring.revoked = std::move(revoked);
  return ring;
}

template <typename Keys>
std::vector<KeyId> Ids(const Keys& keys) {
  std::vector<KeyId> ids;
  for (const auto& key : keys) ids.push_back(key.id);
  return ids;
}

}  // namespace ntsd::testing
