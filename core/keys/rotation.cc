#include "core/keys/rotation.h"

#include <algorithm>

#include "core/base/check.h"

namespace ntsd {
namespace {

UnixTime WholeSeconds(UnixTime time) { return std::chrono::floor<std::chrono::seconds>(time); }

MasterKey MakeKey(KeyId id, AeadId aead, UnixTime now, Random& random) {
  MasterKey key;
  key.id = id;
  key.aead = aead;
  random.Fill(key.key.Resize(AeadKeySize(aead)));
  key.created = WholeSeconds(now);
  return key;
}

// Follows the current key's id by chrony's rule. Ends: some thousand ids are taken, out of 2^30 that it walks.
KeyId NextId(const StoredRing& ring, KeyId current) {
  KeyId id = current + 1;
  while (ring.Find(id) != nullptr || ring.IsRevoked(id)) id += kChronySlotCount;
  return id;
}

// A ring without keys that remembers what is revoked. All its room is there at once, so that keys are not copied about.
StoredRing MakeEmptyRing(const std::vector<KeyId>& revoked) {
  StoredRing ring;
  ring.keys.reserve(kKeysPerRingMax);
  ring.revoked = revoked;
  return ring;
}

void Remember(StoredRing& ring, KeyId id) {
  if (ring.IsRevoked(id)) return;
  if (ring.revoked.size() >= kRevokedKeysMax) ring.revoked.erase(ring.revoked.begin());
  ring.revoked.push_back(id);
}

// Puts a new future key before the current one, which is the first in `ring` so far.
void AddFutureKey(StoredRing& ring, UnixTime now, Random& random) {
  const MasterKey& current = ring.keys.front();
  ring.keys.insert(ring.keys.begin(), MakeKey(NextId(ring, current.id), current.aead, now, random));
}

StoredRing MakeRing(const std::vector<KeyId>& revoked, AeadId aead, UnixTime now, Random& random) {
  StoredRing ring = MakeEmptyRing(revoked);
  auto id = static_cast<KeyId>(random.NextU64());
  while (ring.IsRevoked(id)) ++id;
  ring.keys.push_back(MakeKey(id, aead, now, random));
  ring.current_since = WholeSeconds(now);
  AddFutureKey(ring, now, random);
  return ring;
}

bool SameKey(const MasterKey& a, const MasterKey& b) { return a.id == b.id && a.aead == b.aead && a.key == b.key; }

}  // namespace

RotationSchedule::RotationSchedule(Duration rotate_every, UnixTime current_since, UnixTime now, MonotonicTime monotonic)
    : rotate_every_(rotate_every), began_(monotonic - std::max(Duration::zero(), now - current_since)) {
  CHECK(rotate_every > Duration::zero());
}

Duration RotationSchedule::UntilDue(MonotonicTime monotonic) const {
  return std::max(Duration::zero(), rotate_every_ - Age(monotonic));
}

RotationSchedule RotationSchedule::AfterDue(MonotonicTime monotonic) const {
  const Duration late = Age(monotonic) % rotate_every_;
  return {rotate_every_, late <= rotate_every_ / 2 ? monotonic - late : monotonic};
}

RotationSchedule RotationSchedule::AfterForced(MonotonicTime monotonic) const { return {rotate_every_, monotonic}; }

UnixTime RotationSchedule::CurrentSince(UnixTime now, MonotonicTime monotonic) const {
  return WholeSeconds(now - Age(monotonic));
}

StoredRing MakeFreshRing(UnixTime now, Random& random) { return MakeRing({}, AeadId::kAesSivCmac256, now, random); }

StoredRing RotateRing(const StoredRing& ring, std::size_t keep, UnixTime current_since, UnixTime now, Random& random) {
  StoredRing next = MakeEmptyRing(ring.revoked);
  // The future key becomes the current one, and `keep` keys follow it, of which the first was current.
  const std::size_t count = std::min({ring.keys.size(), 1 + keep, kKeysPerRingMax - StoredRing::kFutureCount});
  next.keys.assign(ring.keys.begin(), ring.keys.begin() + static_cast<std::ptrdiff_t>(count));
  next.current_since = WholeSeconds(current_since);
  AddFutureKey(next, now, random);
  return next;
}

Expected<StoredRing, RevokeRefusal> RevokeKey(const StoredRing& ring, KeyId id, UnixTime now, Random& random) {
  if (ring.IsRevoked(id)) return Unexpected(RevokeRefusal::kAlreadyRevoked);
  if (ring.Find(id) == nullptr) return Unexpected(RevokeRefusal::kUnknownId);
  StoredRing next = MakeEmptyRing(ring.revoked);
  Remember(next, id);
  std::copy_if(ring.keys.begin(), ring.keys.end(), std::back_inserter(next.keys),
               [id](const MasterKey& key) { return key.id != id; });
  const bool current_goes = ring.current().id == id;
  const bool future_goes = ring.future().id == id;
  next.current_since = current_goes ? WholeSeconds(now) : ring.current_since;
  if (current_goes || future_goes) AddFutureKey(next, now, random);
  return next;
}

StoredRing RevokeAllKeys(const StoredRing& ring, UnixTime now, Random& random) {
  StoredRing revoked = MakeEmptyRing(ring.revoked);
  for (const MasterKey& key : ring.keys) Remember(revoked, key.id);
  return MakeRing(revoked.revoked, ring.current().aead, now, random);
}

Expected<ImportedRing, ImportRefusal> ImportRing(const StoredRing& ring, const StoredRing& imported, UnixTime now,
                                                 Random& random) {
  ImportedRing result{MakeEmptyRing(ring.revoked), {}, {}};
  StoredRing& next = result.ring;
  for (const KeyId id : imported.revoked) Remember(next, id);
  next.current_since = imported.current_since;

  const KeyId current = imported.current().id;
  if (next.IsRevoked(current)) return Unexpected(ImportRefusal{ImportRefusalReason::kCurrentKeyRevoked, current});
  for (const MasterKey& key : imported.keys) {
    const MasterKey* const ours = ring.Find(key.id);
    if (ours != nullptr && !SameKey(*ours, key)) {
      return Unexpected(ImportRefusal{ImportRefusalReason::kIdHasAnotherKey, key.id});
    }
  }

  const auto take = [&](const MasterKey& key) {
    if (next.Find(key.id) != nullptr) return;
    if (next.IsRevoked(key.id)) {
      result.revoked_left_out.push_back(key.id);
    } else if (next.keys.size() < kKeysPerRingMax) {
      next.keys.push_back(key);
    } else {
      result.no_room_left_out.push_back(key.id);
    }
  };
  for (const MasterKey& key : imported.keys) take(key);
  for (const MasterKey& key : ring.keys) take(key);
  if (next.keys.front().id == current) {
    // The future key was one of the revoked ones.
    if (next.keys.size() == kKeysPerRingMax) {
      result.no_room_left_out.push_back(next.keys.back().id);
      next.keys.pop_back();
    }
    AddFutureKey(next, now, random);
  }
  return result;
}

}  // namespace ntsd
