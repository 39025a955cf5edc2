// The keeper of the master keys: the only writer of the key ring and of the place where it is stored.
//
// Every change is stored before it is published, so that no key seals a cookie before it is safe on the disk; a change
// that cannot be stored does not happen. Keys rotate by a clock that never steps. A followed source is read again
// whenever it changes; when it is no good, the keys in force stay, and the log says why.
//
// Threads: one (KeeperThread), but Status(), by any. The ring that it gives may be read by all.
// Errors: Open() and requests give values with one line for the operator; Tick() logs each new trouble once.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/clock.h"
#include "core/base/expected.h"
#include "core/base/random.h"
#include "core/keys/key_file.h"
#include "core/keys/key_ring.h"
#include "core/keys/rotation.h"
#include "core/keys/stored_ring.h"
#include "core/keys/vault.h"
#include "server/keys/key_source.h"

namespace ntsd {

struct KeyPolicy {
  Duration rotate_every = std::chrono::hours(24);
  std::size_t keep = 7;
  bool lock_memory = true;
};
// What `keys.keep` may be at most: a ring also holds a future and a current key.
inline constexpr std::size_t kKeysKeptMax = kKeysPerRingMax - 1 - StoredRing::kFutureCount;

enum class KeyRequestProblem : std::uint8_t {
  kFollowed,           // the ring is somebody else's: nothing can be changed here
  kUnknownId,          // no key has that id
  kAlreadyRevoked,     // that key was revoked before
  kBadFile,            // what should be imported is no key file
  kCurrentKeyRevoked,  // its current key was revoked here
  kIdHasAnotherKey,    // one of its ids belongs to another key here
  kNoLockedMemory,     // the kernel does not lock more memory
  kNotStored,          // the change could not be stored, or not for good: the keys in force stay
  kNotLoaded,          // the followed source is no good; the keys in force stay
};
inline constexpr std::size_t kKeyRequestProblemCount = 9;

struct KeyRequestError {
  KeyRequestProblem problem;
  std::string text;
};

struct KeyInfo {
  KeyId id;
  KeyState state;
  std::uint8_t age_index;  // 0 current and future, 1 the one before, 2 …
  AeadId aead;
  Duration age;  // since it was made, by the wall clock; never negative
};

struct KeyStatus {
  std::string source;
  bool followed = false;
  std::uint64_t fingerprint = 0;
  std::uint64_t generation = 0;
  std::vector<KeyInfo> keys;               // newest first
  Duration current_in_use{};               // how long the current key has sealed
  std::optional<Duration> until_rotation;  // nothing when somebody else rotates
  std::size_t revoked_count = 0;
  std::size_t retired_sets = 0;  // still pinned by a worker
  std::string trouble;           // the last thing that went wrong and still does; empty when all is well
};

struct ImportReport {
  KeyFileFormat format;
  std::vector<KeyId> revoked_left_out;
  std::vector<KeyId> no_room_left_out;
};

struct ExportedKeys {
  SecretText text;
  // For chrony only.
  std::vector<KeyId> left_out;
  std::size_t filled_up = 0;
  bool needs_chrony_4_6 = false;
};

class KeyKeeper {
 public:
  enum class Severity : std::uint8_t { kInfo, kWarning, kError };
  // Called by the keeper's thread. Lines never hold key material.
  using LogSink = std::function<void(Severity, std::string)>;

  // Loads the ring, or makes one when our own place has none. `clock` and `random` outlive the keeper.
  static Expected<std::unique_ptr<KeyKeeper>, KeyRequestError> Open(std::unique_ptr<KeySource> source, KeyPolicy policy,
                                                                    const Clock& clock, Random& random, LogSink log);
  KeyKeeper(const KeyKeeper&) = delete;
  KeyKeeper& operator=(const KeyKeeper&) = delete;

  KeyRing& ring() { return *ring_; }
  // Readable when Tick() has something to look at; -1: the time that Tick() gives is enough.
  int WakeDescriptor() const { return source_->ChangeDescriptor(); }
  // Does what is due: rotate, read what changed, wipe retired keys. Returns when to call again at the latest.
  Duration Tick();

  // By any thread. Waits for no disk, however long another request does.
  KeyStatus Status() const;

  // --- Requests of the operator ---

  // Gives the id of the key that seals from now on.
  Expected<KeyId, KeyRequestError> Rotate();
  Expected<KeyId, KeyRequestError> Revoke(KeyId id);
  Expected<KeyId, KeyRequestError> RevokeAll();
  Expected<ImportReport, KeyRequestError> Import(std::string_view text);
  ExportedKeys Export(KeyFileFormat format);
  // Reads a followed source again, changed or not. Does nothing to keys of our own.
  std::optional<KeyRequestError> Reload();

 private:
  // Tells a key from others without holding it.
  using KeyDigest = std::array<std::uint8_t, Digest::kSize>;

  KeyKeeper(std::unique_ptr<KeySource> source, KeyPolicy policy, const Clock& clock, Random& random, LogSink log);

  std::optional<KeyRequestError> Start();
  void CorrectStoredTime();
  std::shared_ptr<const KeySet> MakeSet(const StoredRing& ring);
  RotationSchedule ScheduleOf(const StoredRing& ring) const;
  // Stores, then publishes.
  std::optional<KeyRequestError> Change(StoredRing next, const RotationSchedule& schedule);
  // Puts it in force; the first time it makes the ring.
  void Publish(std::shared_ptr<const KeySet> set, StoredRing next, const RotationSchedule& schedule);
  std::size_t Reclaim();
  std::optional<KeyRequestError> RotateOnTime();
  std::optional<KeyRequestError> Follow();
  // Whether a followed ring, which shares no key with the one in force, holds keys that were in force before that one.
  bool ComesBack(const StoredRing& ring) const;
  void RememberLeft(const StoredRing& ring);
  KeyRequestError Followed() const;
  UnixTime CurrentSince(const RotationSchedule& schedule) const;
  void ReportTrouble(const std::optional<KeyRequestError>& error);

  const std::unique_ptr<KeySource> source_;
  const KeyPolicy policy_;
  const Clock& clock_;
  Random& random_;
  const LogSink log_;

  std::uint64_t generation_ = 0;
  // Of the keys that a followed file held before all of them went at once.
  std::vector<KeyDigest> left_behind_;

  // Guards what follows: the keeper's thread changes it under this mutex, never held while it waits for anything, and
  // reads it without; Status() reads it under this mutex.
  mutable std::mutex status_mutex_;
  std::unique_ptr<KeyRing> ring_;  // of it: which set is in force, and which are retired
  StoredRing stored_;              // what the ring holds, with what only the store needs
  std::optional<RotationSchedule> schedule_;
  std::string trouble_;
};

}  // namespace ntsd
