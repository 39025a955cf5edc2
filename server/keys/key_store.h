// A key file on the disk: read with suspicion, replaced as a whole or not at all.
//
// Replacing writes a file beside it, syncs it, renames it over the old one and syncs the directory: whenever the
// process or the machine stops, the old file or the new one is there, complete. Then the old file's octets are
// overwritten, so that expired keys do not lie about where the file system writes in place (RFC 8915 §6).
//
// Threads: one. Memory: text stands in guarded memory.
// Errors: values with one line that names the file. A file that somebody else wrote is never replaced.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/expected.h"
#include "core/base/time.h"
#include "core/keys/key_file.h"
#include "server/keys/file_operations.h"
#include "server/keys/key_source.h"

namespace ntsd {

// Whose file it is decides how much we distrust it.
enum class KeyFileOwnership : std::uint8_t {
  kOurs,    // no link, owned by our user, for nobody else to read
  kTheirs,  // may be a link, and its group may read it; nobody but the owner may write it
};

class KeyStore {
 public:
  struct Text {
    SecretText text;
    UnixTime written;  // the file's own time
  };

  KeyStore(std::string path, KeyFileOwnership ownership, FileOperations& files)
      : path_(std::move(path)), ownership_(ownership), files_(files) {}
  KeyStore(const KeyStore&) = delete;
  KeyStore& operator=(const KeyStore&) = delete;
  ~KeyStore();

  const std::string& path() const { return path_; }

  // Makes sure, by a lock on a file beside it that lasts as long as this object, that no other process keeps this file.
  std::optional<KeySourceError> Lock();
  // True when another process holds that lock: an ntsd keeps this file. False also when we may not look.
  bool IsKeptByAnother();

  Expected<Text, KeySourceError> Read();
  // True when the file is not the one that Read() saw or Replace() wrote last, judged by its name, size and times.
  bool LooksChanged();
  // What Read() gave was not ours: Replace() refuses to overwrite it.
  void Disown();
  // Refuses when the file's octets are not those that Read() or Replace() saw last. After kNotSynced the new file is in
  // place, after any other error the old one.
  std::optional<KeySourceError> Replace(std::string_view text);

 private:
  // What tells one file from another without reading it.
  struct Identity {
    dev_t device = 0;
    ino_t inode = 0;
    off_t size = -1;  // -1: there is no file
    timespec modified{};
    bool operator==(const Identity& other) const;
  };
  using TextDigest = std::array<std::uint8_t, Digest::kSize>;

  static Identity IdentityOf(const struct stat& status);
  static TextDigest DigestOf(std::string_view text);
  Identity Look();
  std::optional<KeySourceError> Distrust(const struct stat& status) const;
  std::optional<KeySourceError> CheckUnchanged();
  // Writes and syncs the file beside. False, with errno as the failing call left it.
  bool WriteBeside(const std::string& beside, std::string_view text, Identity* identity);
  bool WriteAll(int fd, ByteView octets);
  bool SyncDirectory();
  // Best effort, after the new file is in place: `fd` is the old one's, or -1.
  void OverwriteOld(int fd);
  KeySourceError Failure(KeySourceProblem problem, std::string_view what, int error) const;

  const std::string path_;
  const KeyFileOwnership ownership_;
  FileOperations& files_;
  int lock_fd_ = -1;
  // The file that Read() or Replace() saw last, and its octets when they may be replaced.
  Identity seen_;
  std::optional<TextDigest> seen_digest_;
};

}  // namespace ntsd
