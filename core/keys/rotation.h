// When keys rotate, and which keys exist then.
//
// A new key is made one rotation ahead as the future key, so that every process and host that shares the ring can open
// its cookies before the first one is sealed. It becomes the current key, which seals, and then a past key, which opens
// `keep` rotations long (RFC 8915 §6).
//
// Threads: functions of their arguments. Errors: refusals are values that name the id.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/base/expected.h"
#include "core/base/random.h"
#include "core/base/time.h"
#include "core/keys/stored_ring.h"

namespace ntsd {

// --- When ---

// The age of the current key. The wall clock counts only at the start, because it alone runs on while the process is
// down; from then on a clock that never steps does, so that steps of the wall clock neither lose nor multiply
// rotations.
class RotationSchedule {
 public:
  // `current_since` as the ring was stored. A wall clock that stands before it was stepped back: the age starts at
  // zero.
  RotationSchedule(Duration rotate_every, UnixTime current_since, UnixTime now, MonotonicTime monotonic);

  Duration Age(MonotonicTime monotonic) const { return monotonic - began_; }
  bool IsDue(MonotonicTime monotonic) const { return Age(monotonic) >= rotate_every_; }
  // Zero when a rotation is due.
  Duration UntilDue(MonotonicTime monotonic) const;

  // The schedule after the rotation that is due. However long it is overdue it is one rotation, since the keys between
  // would have sealed nothing. The hours at which keys rotate stay the same, unless the next one would come within half
  // a period: then a whole period begins now, so that the new future key reaches all hosts that share the ring in time.
  RotationSchedule AfterDue(MonotonicTime monotonic) const;
  // The schedule after a rotation that was asked for: a whole period begins now.
  RotationSchedule AfterForced(MonotonicTime monotonic) const;

  // When the current key began to seal by the wall clock of now, in whole seconds, as it is to be stored.
  UnixTime CurrentSince(UnixTime now, MonotonicTime monotonic) const;

 private:
  RotationSchedule(Duration rotate_every, MonotonicTime began) : rotate_every_(rotate_every), began_(began) {}

  Duration rotate_every_;
  MonotonicTime began_;  // of the current key; may lie before the clock's zero
};

// --- Which keys ---

// A ring for a service that has none: AEAD 15, which every client's cookies fit, ids from a random place.
StoredRing MakeFreshRing(UnixTime now, Random& random);

// The future key seals, the current one only opens, a new future key is made and at most `keep` past keys stay.
StoredRing RotateRing(const StoredRing& ring, std::size_t keep, UnixTime current_since, UnixTime now, Random& random);

enum class RevokeRefusal : std::uint8_t { kUnknownId, kAlreadyRevoked };
// Without the key `id`, which is remembered. Revoking the current key promotes the future one; the future key, when it
// was revoked or promoted, is made anew.
Expected<StoredRing, RevokeRefusal> RevokeKey(const StoredRing& ring, KeyId id, UnixTime now, Random& random);

// A new ring with the AEAD of the old one. All old ids are remembered.
StoredRing RevokeAllKeys(const StoredRing& ring, UnixTime now, Random& random);

enum class ImportRefusalReason : std::uint8_t { kCurrentKeyRevoked, kIdHasAnotherKey };
struct ImportRefusal {
  ImportRefusalReason reason;
  KeyId id;
};
struct ImportedRing {
  StoredRing ring;
  std::vector<KeyId> revoked_left_out;  // keys of the import that were revoked here or there
  std::vector<KeyId> no_room_left_out;  // the oldest of our keys, when there were more than a ring holds
};
// Takes over the future and the current key of `imported`. All other keys, ours included, still open cookies until the
// next rotation, which keeps the newest `keep`: importing the wrong file costs no client its cookies.
Expected<ImportedRing, ImportRefusal> ImportRing(const StoredRing& ring, const StoredRing& imported, UnixTime now,
                                                 Random& random);

}  // namespace ntsd
