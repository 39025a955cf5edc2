#include "core/keys/key_set.h"

#include <new>

#include "core/base/check.h"
#include "core/keys/vault.h"

namespace ntsd {
namespace {

// Which key seals is part of it: two hosts agree only when they seal with the same key.
std::uint64_t Fingerprint(std::span<const MasterKey> keys, std::size_t future_count) {
  Digest digest;
  const auto add_number = [&digest](std::uint32_t number) {
    std::array<std::uint8_t, 4> octets;
    ByteWriter writer(octets);
    writer.WriteU32(number);
    digest.Add(octets);
  };
  add_number(static_cast<std::uint32_t>(future_count));
  for (const MasterKey& key : keys) {
    add_number(key.id);
    add_number(AeadNumber(key.aead));
    // The AEAD tells how many octets follow, so no two rings write the same octets.
    digest.Add(key.key.view());
  }
  const std::array<std::uint8_t, Digest::kSize> octets = digest.Finish();
  return ByteReader(octets).ReadU64();
}

KeyState StateOf(std::size_t index, std::size_t current_index) {
  if (index < current_index) return KeyState::kFuture;
  return index == current_index ? KeyState::kCurrent : KeyState::kPast;
}

void CheckRing(std::span<const MasterKey> keys, std::size_t future_count) {
  CHECK(future_count <= 1);
  CHECK(keys.size() > future_count && keys.size() <= kKeysPerRingMax);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    CHECK(keys[i].aead == AeadId::kAesSivCmac256 || keys[i].aead == AeadId::kAes128GcmSiv);
    CHECK(keys[i].key.size() == AeadKeySize(keys[i].aead));
    for (std::size_t j = 0; j < i; ++j) CHECK(keys[i].id != keys[j].id);
  }
}

}  // namespace

std::shared_ptr<const KeySet> KeySet::Make(std::span<const MasterKey> keys, std::size_t future_count,
                                           std::uint64_t generation, bool lock) {
  CheckRing(keys, future_count);
  const std::shared_ptr<KeySet> set(new KeySet);
  const std::size_t size = keys.size() * sizeof(Entry);
  set->entries_ = static_cast<Entry*>(AllocateGuarded(size));
  if (lock && !IsLocked(set->entries_, size)) return nullptr;
  for (const MasterKey& key : keys) {
    const std::size_t index = set->entry_count_;
    const std::size_t age = index > future_count ? index - future_count : 0;
    new (&set->entries_[index]) Entry{key.id, StateOf(index, future_count), static_cast<std::uint8_t>(age), key.created,
                                      PreparedKey(key.aead, key.key.view())};
    ++set->entry_count_;
  }
  set->current_index_ = future_count;
  set->generation_ = generation;
  set->fingerprint_ = Fingerprint(keys, future_count);
  MakeReadOnly(set->entries_);
  return set;
}

KeySet::~KeySet() {
  if (entries_ == nullptr) return;
  MakeWritable(entries_);
  for (std::size_t i = 0; i < entry_count_; ++i) entries_[i].~Entry();
  FreeGuarded(entries_);
}

}  // namespace ntsd
