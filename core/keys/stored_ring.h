// A ring as it is stored: what rotation changes, a key file holds, and a key set is made of.
//
// Threads: a value. Memory: the keys stand in guarded memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "core/base/time.h"
#include "core/keys/key_set.h"
#include "core/keys/vault.h"

namespace ntsd {

using MasterKeys = std::vector<MasterKey, GuardedAllocator<MasterKey>>;

struct StoredRing {
  static constexpr std::size_t kFutureCount = 1;

  MasterKeys keys;             // newest first: the future key, the current one, then past ones; at least two
  UnixTime current_since{};    // when the current key began to seal
  std::vector<KeyId> revoked;  // oldest first; ids of this list never come back into the ring

  const MasterKey& future() const { return keys[0]; }
  const MasterKey& current() const { return keys[kFutureCount]; }
  std::span<const MasterKey> past() const { return std::span(keys).subspan(kFutureCount + 1); }
  const MasterKey* Find(KeyId id) const;
  bool IsRevoked(KeyId id) const;

  friend bool operator==(const StoredRing&, const StoredRing&) = default;
};

// chrony finds a key by the low two bits of its id, so consecutive keys differ by one there, modulo four. Rings keep to
// it from the start, because then they can be exported at any time.
inline constexpr KeyId kChronySlotCount = 4;
constexpr bool FollowsInChrony(KeyId earlier, KeyId later) { return (later - earlier) % kChronySlotCount == 1; }

// What is wrong with a ring that came from outside, as the rule that it breaks; nothing if it may be used.
std::optional<std::string_view> BrokenRingRule(const StoredRing& ring);

}  // namespace ntsd
