// Rings in files: one that we keep ourselves (`keys.source = "generate"`), and one that somebody else writes
// (`keys.source = "follow"`): another ntsd, chronyd, or whatever distributes keys to a fleet.
//
// Threads and errors: as in key_source.h. Open them as the user who will write the file.
#pragma once

#include <memory>
#include <string>

#include "server/keys/directory_watch.h"
#include "server/keys/file_operations.h"
#include "server/keys/key_source.h"
#include "server/keys/key_store.h"

namespace ntsd {

// Of our own format only: a file of chrony's is imported, or followed.
class OwnKeyFile final : public KeySource {
 public:
  // Takes the lock; fails when another process has it.
  static Expected<std::unique_ptr<KeySource>, KeySourceError> Open(const std::string& path, FileOperations& files);

  bool IsFollowed() const override { return false; }
  std::string Name() const override { return store_.path(); }
  Expected<StoredRing, KeySourceError> Load() override;
  std::optional<KeySourceError> Store(const StoredRing& ring) override;
  bool HasChanged() override { return false; }
  int ChangeDescriptor() const override { return -1; }

 private:
  OwnKeyFile(const std::string& path, FileOperations& files) : store_(path, KeyFileOwnership::kOurs, files) {}

  KeyStore store_;
};

// Of either format. Never written.
class FollowedKeyFile final : public KeySource {
 public:
  FollowedKeyFile(const std::string& path, FileOperations& files);

  bool IsFollowed() const override { return true; }
  std::string Name() const override { return store_.path(); }
  Expected<StoredRing, KeySourceError> Load() override;
  std::optional<KeySourceError> Store(const StoredRing& ring) override;
  // By the watch, and by the file's name, size and times, for file systems that tell nothing.
  bool HasChanged() override;
  int ChangeDescriptor() const override { return watch_.Descriptor(); }

 private:
  KeyStore store_;
  DirectoryWatch watch_;
};

}  // namespace ntsd
