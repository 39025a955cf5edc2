#include "server/keys/key_store.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <system_error>

namespace ntsd {
namespace {

ByteView Octets(std::string_view text) {
  return ByteView(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
}

std::string DirectoryOf(const std::string& path) {
  const std::string directory = std::filesystem::path(path).parent_path().string();
  return directory.empty() ? "." : directory;
}

// A descriptor that goes when the scope does.
class ScopedDescriptor {
 public:
  ScopedDescriptor(FileOperations& files, int fd) : files_(files), fd_(fd) {}
  ScopedDescriptor(const ScopedDescriptor&) = delete;
  ScopedDescriptor& operator=(const ScopedDescriptor&) = delete;
  ~ScopedDescriptor() {
    if (fd_ >= 0) files_.Close(fd_);
  }
  int get() const { return fd_; }

 private:
  FileOperations& files_;
  const int fd_;
};

}  // namespace

KeyStore::~KeyStore() {
  if (lock_fd_ >= 0) files_.Close(lock_fd_);
}

bool KeyStore::Identity::operator==(const Identity& other) const {
  return device == other.device && inode == other.inode && size == other.size &&
         modified.tv_sec == other.modified.tv_sec && modified.tv_nsec == other.modified.tv_nsec;
}

KeyStore::Identity KeyStore::IdentityOf(const struct stat& status) {
  return {status.st_dev, status.st_ino, status.st_size, status.st_mtim};
}

KeyStore::TextDigest KeyStore::DigestOf(std::string_view text) {
  Digest digest;
  digest.Add(Octets(text));
  return digest.Finish();
}

KeySourceError KeyStore::Failure(KeySourceProblem problem, std::string_view what, int error) const {
  return {problem, fmt::format("cannot {} {}: {}", what, path_, std::generic_category().message(error))};
}

std::optional<KeySourceError> KeyStore::Lock() {
  const std::string beside = path_ + ".lock";
  lock_fd_ = files_.Open(beside, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
  if (lock_fd_ < 0) return Failure(KeySourceProblem::kCannotWrite, "create the lock file of", errno);
  if (files_.Lock(lock_fd_) == 0) return std::nullopt;
  const int error = errno;
  files_.Close(lock_fd_);
  lock_fd_ = -1;
  if (error != EWOULDBLOCK) return Failure(KeySourceProblem::kCannotWrite, "lock", error);
  return KeySourceError{KeySourceProblem::kHeldByAnother,
                        fmt::format("{} is kept by another process, which would overwrite our keys: "
                                    "let this one follow the file, or give it a file of its own",
                                    path_)};
}

bool KeyStore::IsKeptByAnother() {
  const ScopedDescriptor lock(files_, files_.Open(path_ + ".lock", O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0));
  return lock.get() >= 0 && files_.Lock(lock.get()) != 0 && errno == EWOULDBLOCK;
}

// Only what belongs to the right user and is closed to others is read: what others can write, they can choose.
std::optional<KeySourceError> KeyStore::Distrust(const struct stat& status) const {
  if (!S_ISREG(status.st_mode)) {
    return KeySourceError{KeySourceProblem::kNotAFile, fmt::format("{} is not an ordinary file", path_)};
  }
  const bool ours = ownership_ == KeyFileOwnership::kOurs;
  if (ours && status.st_uid != files_.EffectiveUser()) {
    return KeySourceError{KeySourceProblem::kWrongOwner,
                          fmt::format("{} belongs to user {}, but we are user {}: chown it", path_, status.st_uid,
                                      files_.EffectiveUser())};
  }
  const mode_t forbidden = ours ? S_IRWXG | S_IRWXO : S_IWGRP | S_IRWXO;
  if ((status.st_mode & forbidden) != 0) {
    return KeySourceError{KeySourceProblem::kTooOpen,
                          fmt::format("{} has mode {:04o}, which opens the keys to others: chmod it to {}", path_,
                                      status.st_mode & 07777U, ours ? "0600" : "0600 or 0640")};
  }
  return std::nullopt;
}

Expected<KeyStore::Text, KeySourceError> KeyStore::Read() {
  // Whatever comes of it, this file was looked at: LooksChanged() asks for the next one.
  seen_ = Look();
  seen_digest_.reset();
  const bool ours = ownership_ == KeyFileOwnership::kOurs;
  // Without waiting: a pipe may stand there.
  const ScopedDescriptor fd(files_, files_.Open(path_, O_RDONLY | O_NONBLOCK | (ours ? O_NOFOLLOW : 0), 0));
  if (fd.get() < 0) {
    const int error = errno;
    if (error == ENOENT) {
      return Unexpected(KeySourceError{KeySourceProblem::kMissing, fmt::format("{} does not exist", path_)});
    }
    if (error == ELOOP) {
      return Unexpected(
          KeySourceError{KeySourceProblem::kNotAFile,
                         fmt::format("{} is a link: name the file itself, so that it can be replaced", path_)});
    }
    return Unexpected(Failure(KeySourceProblem::kUnreadable, "open", error));
  }
  struct stat status {};
  if (files_.Stat(fd.get(), &status) != 0) return Unexpected(Failure(KeySourceProblem::kUnreadable, "look at", errno));
  if (auto error = Distrust(status)) return Unexpected(std::move(*error));

  // One octet more than allowed, so that a file that is too large shows.
  SecretText text(kKeyFileSizeMax + 1, '\0');
  std::size_t size = 0;
  // Ends: every turn reads at least one octet of a bounded number.
  while (size < text.size()) {
    const ByteSpan rest(reinterpret_cast<std::uint8_t*>(text.data()) + size, text.size() - size);
    const ssize_t got = files_.Read(fd.get(), rest);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Unexpected(Failure(KeySourceProblem::kUnreadable, "read", errno));
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  text.resize(size);
  seen_ = IdentityOf(status);
  seen_digest_ = DigestOf(text);
  const UnixTime written(std::chrono::seconds(status.st_mtim.tv_sec) +
                         std::chrono::nanoseconds(status.st_mtim.tv_nsec));
  return Text{std::move(text), written};
}

KeyStore::Identity KeyStore::Look() {
  struct stat status {};
  if (files_.StatPath(path_, ownership_ == KeyFileOwnership::kTheirs, &status) != 0) return {};
  return IdentityOf(status);
}

void KeyStore::Disown() { seen_digest_.reset(); }

bool KeyStore::LooksChanged() { return !(Look() == seen_); }

std::optional<KeySourceError> KeyStore::CheckUnchanged() {
  const Identity now = Look();
  // Nothing there cannot be overwritten: somebody removed the file, and it comes back.
  if (now.size < 0 || (seen_digest_ && now == seen_)) return std::nullopt;
  const std::optional<TextDigest> before = seen_digest_;
  const Identity seen_before = seen_;
  const Expected<Text, KeySourceError> text = Read();
  if (text && before && seen_digest_ == before) return std::nullopt;
  seen_ = seen_before;
  seen_digest_ = before;
  return KeySourceError{
      KeySourceProblem::kChangedByOthers,
      fmt::format("{} was changed by somebody else and is not overwritten: move it away, and import it "
                  "if its keys are wanted",
                  path_)};
}

bool KeyStore::WriteAll(int fd, ByteView octets) {
  // Ends: every turn writes at least one octet or fails.
  while (!octets.empty()) {
    const ssize_t written = files_.Write(fd, octets);
    if (written < 0 && errno == EINTR) continue;
    if (written == 0) errno = EIO;
    if (written <= 0) return false;
    octets = octets.subspan(static_cast<std::size_t>(written));
  }
  return true;
}

bool KeyStore::WriteBeside(const std::string& beside, std::string_view text, Identity* identity) {
  // A process that was killed may have left one.
  if (files_.Unlink(beside) != 0 && errno != ENOENT) return false;
  const ScopedDescriptor fd(files_, files_.Open(beside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
  if (fd.get() < 0) return false;
  struct stat status {};
  const bool written = files_.ChangeMode(fd.get(), 0600) == 0 && WriteAll(fd.get(), Octets(text)) &&
                       files_.Sync(fd.get()) == 0 && files_.Stat(fd.get(), &status) == 0;
  *identity = IdentityOf(status);
  return written;
}

bool KeyStore::SyncDirectory() {
  const ScopedDescriptor fd(files_, files_.Open(DirectoryOf(path_), O_RDONLY | O_DIRECTORY, 0));
  return fd.get() >= 0 && files_.Sync(fd.get()) == 0;
}

void KeyStore::OverwriteOld(int fd) {
  struct stat status {};
  // Another name for it is somebody's copy, which is not ours to spoil.
  if (fd < 0 || files_.Stat(fd, &status) != 0 || status.st_nlink != 0) return;
  const std::string zeros(static_cast<std::size_t>(std::min<off_t>(status.st_size, kKeyFileSizeMax)), '\0');
  if (WriteAll(fd, Octets(zeros))) files_.Sync(fd);
}

std::optional<KeySourceError> KeyStore::Replace(std::string_view text) {
  if (auto error = CheckUnchanged()) return error;
  const std::string beside = path_ + ".new";
  Identity identity;
  if (!WriteBeside(beside, text, &identity)) {
    const int error = errno;
    files_.Unlink(beside);
    return Failure(KeySourceProblem::kCannotWrite, "write", error);
  }
  const ScopedDescriptor old(files_, files_.Open(path_, O_WRONLY | O_NOFOLLOW | O_NONBLOCK, 0));
  if (files_.Rename(beside, path_) != 0) {
    const int error = errno;
    files_.Unlink(beside);
    return Failure(KeySourceProblem::kCannotWrite, "replace", error);
  }
  seen_ = identity;
  seen_digest_ = DigestOf(text);
  if (!SyncDirectory()) return Failure(KeySourceProblem::kNotSynced, "sync the directory of", errno);
  OverwriteOld(old.get());
  return std::nullopt;
}

}  // namespace ntsd
