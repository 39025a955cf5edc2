#include "server/keys/key_keeper.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/base/check.h"

namespace ntsd {
namespace {

// How long at most until the next look at the clock and at a followed file: timers of the kernel stand still while the
// machine is suspended, and not every file system tells of changes.
constexpr Duration kTickMax = std::chrono::seconds(10);
// How soon to look again for workers that still pin retired keys: a batch takes microseconds.
constexpr Duration kReclaimPause = std::chrono::milliseconds(1);
// How long to wait before a rotation is tried again that could not be stored.
constexpr Duration kRetryPause = std::chrono::seconds(10);

bool SharesAnyKey(const StoredRing& a, const StoredRing& b) {
  return std::any_of(a.keys.begin(), a.keys.end(), [&b](const MasterKey& key) {
    const MasterKey* const other = b.Find(key.id);
    return other != nullptr && other->key == key.key;
  });
}

std::array<std::uint8_t, Digest::kSize> DigestOf(const MasterKey& key) {
  Digest digest;
  digest.Add(key.key.view());
  return digest.Finish();
}

bool SameKeys(const StoredRing& a, const StoredRing& b) {
  return std::equal(
      a.keys.begin(), a.keys.end(), b.keys.begin(), b.keys.end(),
      [](const MasterKey& x, const MasterKey& y) { return x.id == y.id && x.aead == y.aead && x.key == y.key; });
}

KeyRequestError Describe(const ImportRefusal& refusal) {
  switch (refusal.reason) {
    case ImportRefusalReason::kCurrentKeyRevoked:
      return {KeyRequestProblem::kCurrentKeyRevoked,
              fmt::format("the current key of this file, {:08x}, was revoked and is not taken back", refusal.id)};
    case ImportRefusalReason::kIdHasAnotherKey:
      break;
  }
  return {KeyRequestProblem::kIdHasAnotherKey,
          fmt::format("id {:08x} of this file belongs to another key here, whose cookies could no longer be opened",
                      refusal.id)};
}

KeyRequestError Describe(RevokeRefusal refusal, KeyId id) {
  if (refusal == RevokeRefusal::kAlreadyRevoked) {
    return {KeyRequestProblem::kAlreadyRevoked, fmt::format("key {:08x} was revoked before", id)};
  }
  return {KeyRequestProblem::kUnknownId, fmt::format("no key has the id {:08x}", id)};
}

}  // namespace

KeyKeeper::KeyKeeper(std::unique_ptr<KeySource> source, KeyPolicy policy, const Clock& clock, Random& random,
                     LogSink log)
    : source_(std::move(source)), policy_(policy), clock_(clock), random_(random), log_(std::move(log)) {
  CHECK(policy_.keep <= kKeysKeptMax);
}

Expected<std::unique_ptr<KeyKeeper>, KeyRequestError> KeyKeeper::Open(std::unique_ptr<KeySource> source,
                                                                      KeyPolicy policy, const Clock& clock,
                                                                      Random& random, LogSink log) {
  std::unique_ptr<KeyKeeper> keeper(new KeyKeeper(std::move(source), policy, clock, random, std::move(log)));
  if (auto error = keeper->Start()) return Unexpected(std::move(*error));
  return keeper;
}

// --- The clockwork ---

std::optional<KeyRequestError> KeyKeeper::Start() {
  Expected<StoredRing, KeySourceError> loaded = source_->Load();
  if (!loaded) {
    if (source_->IsFollowed() || loaded.error().problem != KeySourceProblem::kMissing) {
      return KeyRequestError{KeyRequestProblem::kNotLoaded, std::move(loaded.error().text)};
    }
    StoredRing fresh = MakeFreshRing(clock_.Now(), random_);
    const RotationSchedule schedule = ScheduleOf(fresh);
    if (auto error = Change(std::move(fresh), schedule)) return error;
    log_(Severity::kInfo,
         fmt::format("{} did not exist: made new keys, {:08x} seals", source_->Name(), stored_.current().id));
    return std::nullopt;
  }
  std::shared_ptr<const KeySet> set = MakeSet(*loaded);
  if (set == nullptr) return KeyRequestError{KeyRequestProblem::kNoLockedMemory, "cannot lock the pages of the keys"};
  const RotationSchedule schedule = ScheduleOf(*loaded);
  Publish(std::move(set), std::move(*loaded), schedule);
  log_(Severity::kInfo,
       fmt::format("{}: {} keys, {:08x} seals", source_->Name(), stored_.keys.size(), stored_.current().id));
  CorrectStoredTime();
  return std::nullopt;
}

// A stored time that lies ahead of the wall clock would start at age zero at every restart, and a process that restarts
// often would never rotate.
void KeyKeeper::CorrectStoredTime() {
  if (source_->IsFollowed() || stored_.current_since <= clock_.Now()) return;
  log_(Severity::kWarning,
       fmt::format("{} is newer than the clock of this machine: the age of the keys starts at zero", source_->Name()));
  StoredRing corrected = stored_;
  corrected.current_since = CurrentSince(*schedule_);
  ReportTrouble(Change(std::move(corrected), *schedule_));
}

Duration KeyKeeper::Tick() {
  if (source_->IsFollowed()) {
    // What is wrong with it may also end without a change that shows, like a lack of descriptors.
    if (source_->HasChanged() || !trouble_.empty()) ReportTrouble(Follow());
  } else if (schedule_->IsDue(clock_.Monotonic())) {
    ReportTrouble(RotateOnTime());
  }
  if (Reclaim() > 0) return kReclaimPause;
  if (source_->IsFollowed()) return kTickMax;
  const Duration until_due = schedule_->UntilDue(clock_.Monotonic());
  return std::min(kTickMax, until_due > Duration::zero() ? until_due : kRetryPause);
}

std::size_t KeyKeeper::Reclaim() {
  const std::lock_guard lock(status_mutex_);
  return ring_->Reclaim();
}

std::optional<KeyRequestError> KeyKeeper::RotateOnTime() {
  const RotationSchedule schedule = schedule_->AfterDue(clock_.Monotonic());
  if (auto error = Change(RotateRing(stored_, policy_.keep, CurrentSince(schedule), clock_.Now(), random_), schedule)) {
    return error;
  }
  log_(Severity::kInfo, fmt::format("rotated the keys on time: {:08x} seals", stored_.current().id));
  return std::nullopt;
}

std::optional<KeyRequestError> KeyKeeper::Follow() {
  Expected<StoredRing, KeySourceError> loaded = source_->Load();
  if (!loaded) {
    return KeyRequestError{KeyRequestProblem::kNotLoaded,
                           loaded.error().text + "; the keys that were read before stay in force"};
  }
  if (SameKeys(*loaded, stored_)) return std::nullopt;
  const bool all_went = !SharesAnyKey(*loaded, stored_);
  if (all_went && ComesBack(*loaded)) {
    return KeyRequestError{KeyRequestProblem::kNotLoaded,
                           fmt::format("{} holds keys again that it had lost: two programs overwrite it in turn, or an "
                                       "old copy was put back; the keys in force stay. Let one program write it, and "
                                       "restart this one if these keys are the right ones",
                                       source_->Name())};
  }
  std::shared_ptr<const KeySet> set = MakeSet(*loaded);
  if (set == nullptr) return KeyRequestError{KeyRequestProblem::kNoLockedMemory, "cannot lock the pages of the keys"};
  if (all_went) {
    RememberLeft(stored_);
    log_(Severity::kWarning,
         fmt::format("{} holds none of the keys that it held before: either they were all revoked, or two programs "
                     "overwrite this file in turn, and clients of the other's keys must repeat NTS-KE",
                     source_->Name()));
  }
  const RotationSchedule schedule = ScheduleOf(*loaded);
  Publish(std::move(set), std::move(*loaded), schedule);
  log_(Severity::kInfo, fmt::format("read {} again: {:08x} seals", source_->Name(), stored_.current().id));
  return std::nullopt;
}

bool KeyKeeper::ComesBack(const StoredRing& ring) const {
  return std::any_of(ring.keys.begin(), ring.keys.end(), [this](const MasterKey& key) {
    return std::find(left_behind_.begin(), left_behind_.end(), DigestOf(key)) != left_behind_.end();
  });
}

void KeyKeeper::RememberLeft(const StoredRing& ring) {
  for (const MasterKey& key : ring.keys) left_behind_.push_back(DigestOf(key));
  if (left_behind_.size() <= kRevokedKeysMax) return;
  left_behind_.erase(left_behind_.begin(),
                     left_behind_.end() - static_cast<std::ptrdiff_t>(std::size_t{kRevokedKeysMax}));
}

// Each new trouble is logged once, and so is its end.
void KeyKeeper::ReportTrouble(const std::optional<KeyRequestError>& error) {
  const std::string trouble = error ? error->text : std::string();
  if (trouble == trouble_) return;
  if (error) {
    log_(Severity::kError, trouble);
  } else {
    log_(Severity::kInfo, fmt::format("{}: all is well again", source_->Name()));
  }
  const std::lock_guard lock(status_mutex_);
  trouble_ = trouble;
}

// --- Changing the ring ---

RotationSchedule KeyKeeper::ScheduleOf(const StoredRing& ring) const {
  return {policy_.rotate_every, ring.current_since, clock_.Now(), clock_.Monotonic()};
}

UnixTime KeyKeeper::CurrentSince(const RotationSchedule& schedule) const {
  return schedule.CurrentSince(clock_.Now(), clock_.Monotonic());
}

std::shared_ptr<const KeySet> KeyKeeper::MakeSet(const StoredRing& ring) {
  return KeySet::Make(ring.keys, StoredRing::kFutureCount, ++generation_, policy_.lock_memory);
}

std::optional<KeyRequestError> KeyKeeper::Change(StoredRing next, const RotationSchedule& schedule) {
  // First what may fail without a trace, then the disk, and what workers see last.
  std::shared_ptr<const KeySet> set = MakeSet(next);
  if (set == nullptr) {
    return KeyRequestError{KeyRequestProblem::kNoLockedMemory,
                           "cannot lock the pages of the keys: raise LimitMEMLOCK, or set process.lock-memory = false"};
  }
  if (auto error = source_->Store(next)) {
    return KeyRequestError{
        KeyRequestProblem::kNotStored,
        error->text + (error->problem == KeySourceProblem::kNotSynced
                           ? "; the keys in force stay, but the file holds the new ones, which a restart would take"
                           : "; the keys in force stay as they are")};
  }
  Publish(std::move(set), std::move(next), schedule);
  // Whatever was in the way of an earlier change is not there any more.
  ReportTrouble(std::nullopt);
  return std::nullopt;
}

void KeyKeeper::Publish(std::shared_ptr<const KeySet> set, StoredRing next, const RotationSchedule& schedule) {
  const std::lock_guard lock(status_mutex_);
  if (ring_ == nullptr) {
    ring_ = std::make_unique<KeyRing>(std::move(set));
  } else {
    ring_->Publish(std::move(set));
  }
  stored_ = std::move(next);
  schedule_ = schedule;
}

// --- Requests ---

KeyRequestError KeyKeeper::Followed() const {
  return {KeyRequestProblem::kFollowed,
          fmt::format("the keys follow {}: change them where that file is written", source_->Name())};
}

Expected<KeyId, KeyRequestError> KeyKeeper::Rotate() {
  if (source_->IsFollowed()) return Unexpected(Followed());
  const RotationSchedule schedule = schedule_->AfterForced(clock_.Monotonic());
  if (auto error = Change(RotateRing(stored_, policy_.keep, CurrentSince(schedule), clock_.Now(), random_), schedule)) {
    return Unexpected(std::move(*error));
  }
  log_(Severity::kInfo, fmt::format("rotated the keys on request: {:08x} seals", stored_.current().id));
  return stored_.current().id;
}

Expected<KeyId, KeyRequestError> KeyKeeper::Revoke(KeyId id) {
  if (source_->IsFollowed()) return Unexpected(Followed());
  Expected<StoredRing, RevokeRefusal> next = RevokeKey(stored_, id, clock_.Now(), random_);
  if (!next) return Unexpected(Describe(next.error(), id));
  const bool current_goes = stored_.current().id == id;
  // Only a new current key begins a new period. The stored time follows the wall clock as it is now.
  const RotationSchedule schedule = current_goes ? schedule_->AfterForced(clock_.Monotonic()) : *schedule_;
  next->current_since = CurrentSince(schedule);
  if (auto error = Change(std::move(*next), schedule)) return Unexpected(std::move(*error));
  log_(Severity::kWarning, fmt::format("revoked key {:08x}: {:08x} seals", id, stored_.current().id));
  return stored_.current().id;
}

Expected<KeyId, KeyRequestError> KeyKeeper::RevokeAll() {
  if (source_->IsFollowed()) return Unexpected(Followed());
  StoredRing next = RevokeAllKeys(stored_, clock_.Now(), random_);
  const RotationSchedule schedule = schedule_->AfterForced(clock_.Monotonic());
  if (auto error = Change(std::move(next), schedule)) return Unexpected(std::move(*error));
  log_(Severity::kWarning, fmt::format("revoked all keys: {:08x} seals", stored_.current().id));
  return stored_.current().id;
}

Expected<ImportReport, KeyRequestError> KeyKeeper::Import(std::string_view text) {
  if (source_->IsFollowed()) return Unexpected(Followed());
  const Expected<ParsedKeyFile, KeyFileError> parsed = ParseKeyFile(text, clock_.Now());
  if (!parsed) return Unexpected(KeyRequestError{KeyRequestProblem::kBadFile, DescribeKeyFileError(parsed.error())});
  Expected<ImportedRing, ImportRefusal> imported = ImportRing(stored_, parsed->ring, clock_.Now(), random_);
  if (!imported) return Unexpected(Describe(imported.error()));
  const RotationSchedule schedule = ScheduleOf(imported->ring);
  imported->ring.current_since = CurrentSince(schedule);
  if (auto error = Change(std::move(imported->ring), schedule)) return Unexpected(std::move(*error));
  log_(Severity::kInfo,
       fmt::format("imported keys: {:08x} seals, {} keys open", stored_.current().id, stored_.keys.size()));
  return ImportReport{parsed->format, std::move(imported->revoked_left_out), std::move(imported->no_room_left_out)};
}

ExportedKeys KeyKeeper::Export(KeyFileFormat format) {
  if (format == KeyFileFormat::kNtsd) return {WriteKeyFile(stored_), {}, 0, false};
  ChronyExport chrony = WriteChronyKeys(stored_, schedule_->Age(clock_.Monotonic()), random_);
  return {std::move(chrony.text), std::move(chrony.left_out), chrony.filled_up, chrony.needs_chrony_4_6};
}

std::optional<KeyRequestError> KeyKeeper::Reload() {
  if (!source_->IsFollowed()) return std::nullopt;
  std::optional<KeyRequestError> error = Follow();
  ReportTrouble(error);
  return error;
}

KeyStatus KeyKeeper::Status() const {
  const std::lock_guard lock(status_mutex_);
  const std::shared_ptr<const KeySet> set = ring_->Current();
  KeyStatus status;
  status.source = source_->Name();
  status.followed = source_->IsFollowed();
  status.fingerprint = set->fingerprint();
  status.generation = set->generation();
  for (const KeySet::Entry& entry : set->entries()) {
    status.keys.push_back(
        {entry.id, entry.state, entry.age, entry.key.aead(), std::max(Duration::zero(), clock_.Now() - entry.created)});
  }
  status.current_in_use = schedule_->Age(clock_.Monotonic());
  if (!status.followed) status.until_rotation = schedule_->UntilDue(clock_.Monotonic());
  status.revoked_count = stored_.revoked.size();
  status.retired_sets = ring_->RetiredCount();
  status.trouble = trouble_;
  return status;
}

}  // namespace ntsd
