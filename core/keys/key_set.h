// The master keys that seal and open cookies, as one immutable set (RFC 8915 §6).
//
// Threads: never changes once it is made; KeyRing publishes it.
// Memory: the keys stand alone in read-only pages between guard pages, left out of core dumps, locked as far as the
//         machine allows, and are wiped when the set goes. libsodium is initialised on first use; nobody calls it
//         before.
// Errors: Make() gives nullptr when `lock` was asked for and the kernel does not lock the pages (RLIMIT_MEMLOCK).
//         With lock = false it is tried all the same, and a refusal is no error.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/base/secret.h"
#include "core/base/time.h"
#include "core/crypto/prepared_key.h"
#include "core/limits.h"

namespace ntsd {

using KeyId = std::uint32_t;

// A master key as it is stored and travels: what a key file holds.
struct MasterKey {
  KeyId id = 0;
  AeadId aead = AeadId::kAesSivCmac256;  // 15 or 30: the AEAD that seals cookies
  Secret<kAeadKeySizeMax> key;           // AeadKeySize(aead) octets
  UnixTime created{};

  friend bool operator==(const MasterKey&, const MasterKey&) = default;
};

// What a key does now: the future key only opens (another node may be ahead of us), the current one seals and opens,
// past ones open.
enum class KeyState : std::uint8_t { kFuture, kCurrent, kPast };

class KeySet {
 public:
  struct Entry {
    KeyId id;
    KeyState state;
    std::uint8_t age;  // 0 current, 1 the one before, 2 …; 0 for the future key
    UnixTime created;
    PreparedKey key;
  };

  // `keys` stand newest first: `future_count` (0 or 1) future keys, the current key, then past ones; at least the
  // current one, at most kKeysPerRingMax, ids all different. `generation` tells sets apart.
  static std::shared_ptr<const KeySet> Make(std::span<const MasterKey> keys, std::size_t future_count,
                                            std::uint64_t generation, bool lock);
  KeySet(const KeySet&) = delete;
  KeySet& operator=(const KeySet&) = delete;
  ~KeySet();

  std::uint64_t generation() const { return generation_; }
  std::span<const Entry> entries() const { return {entries_, entry_count_}; }
  const Entry& current() const { return entries_[current_index_]; }
  // The key with that id, or nullptr: no trial decryption.
  const Entry* Find(KeyId id) const {
    for (const Entry& entry : entries()) {
      if (entry.id == id) return &entry;
    }
    return nullptr;
  }
  // A hash over ids, AEADs and keys of the whole ring and which one seals, to compare hosts; tells nothing about the
  // keys.
  std::uint64_t fingerprint() const { return fingerprint_; }

 private:
  KeySet() = default;

  Entry* entries_ = nullptr;  // in guarded memory, read only after Make()
  std::size_t entry_count_ = 0;
  std::size_t current_index_ = 0;
  std::uint64_t generation_ = 0;
  std::uint64_t fingerprint_ = 0;
};

}  // namespace ntsd
