// A disk in memory that forgets, when the power fails, whatever was not synced.
//
// What is on it for good: the octets of a file as of its last sync, and the names of the directory as of its last sync.
// A power failure may also have let any of the rest through, so each choice is made by a seed: octets written since may
// be there in part, and of the names changed since, the first ones in their order may be there.
#pragma once

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "server/keys/file_operations.h"
#include "tests/support/fakes.h"

namespace ntsd::testing {

class FakeDisk : public FileOperations {
 public:
  struct PowerFailure {};

  // After so many calls that change something the power fails.
  void FailPowerAfter(int changes) { changes_left_ = changes; }
  int changes() const { return changes_; }
  // The call with that number, counted from one among those that change something, fails with `error`.
  void FailCall(int number, int error) {
    failing_call_ = number;
    failing_error_ = error;
  }

  // What a machine finds that is switched on again.
  void Restart(FakeRandom& random) {
    std::map<std::string, FilePtr> names = durable_names_;
    const std::size_t survivors = random.Below(pending_names_.size() + 1);
    for (std::size_t i = 0; i < survivors; ++i) Apply(names, pending_names_[i]);
    pending_names_.clear();
    names_ = durable_names_ = std::move(names);
    for (auto& [name, file] : names_) {
      if (file->octets != file->durable) {
        // A prefix of the new octets, or the old ones.
        if (random.Below(2) == 0) {
          file->octets.resize(random.Below(file->octets.size() + 1));
        } else {
          file->octets = file->durable;
        }
      }
      file->durable = file->octets;
    }
    descriptors_.clear();
    changes_left_ = -1;
  }

  bool Exists(const std::string& path) const { return names_.count(path) != 0; }
  std::string Octets(const std::string& path) const { return names_.at(path)->octets; }

  int Open(const std::string& path, int flags, mode_t mode) override {
    if ((flags & O_DIRECTORY) != 0) return Add({nullptr, 0});
    const auto found = names_.find(path);
    FilePtr file = found == names_.end() ? nullptr : found->second;
    if (file != nullptr && (flags & O_EXCL) != 0) return Fail(EEXIST);
    if (file == nullptr) {
      if ((flags & O_CREAT) == 0) return Fail(ENOENT);
      if (int error = Change()) return Fail(error);
      file = std::make_shared<File>();
      file->inode = ++inodes_;
      file->mode = mode;
      Rename({path, "", file});
    }
    return Add({file, 0});
  }
  int Stat(int fd, struct stat* status) override { return Describe(descriptors_.at(fd).file, status); }
  int StatPath(const std::string& path, bool /*follow_links*/, struct stat* status) override {
    const auto found = names_.find(path);
    return found == names_.end() ? Fail(ENOENT) : Describe(found->second, status);
  }
  ssize_t Read(int fd, ByteSpan target) override {
    Descriptor& descriptor = descriptors_.at(fd);
    const std::size_t size = std::min(target.size(), descriptor.file->octets.size() - descriptor.position);
    std::copy_n(descriptor.file->octets.begin() + static_cast<std::ptrdiff_t>(descriptor.position), size,
                target.begin());
    descriptor.position += size;
    return static_cast<ssize_t>(size);
  }
  // At most 100 octets at once, so that a file takes several writes.
  ssize_t Write(int fd, ByteView octets) override {
    if (int error = Change()) return Fail(error);
    Descriptor& descriptor = descriptors_.at(fd);
    const std::size_t size = std::min<std::size_t>(octets.size(), 100);
    std::string& target = descriptor.file->octets;
    target.resize(std::max(target.size(), descriptor.position + size));
    std::copy_n(octets.begin(), size, target.begin() + static_cast<std::ptrdiff_t>(descriptor.position));
    descriptor.position += size;
    descriptor.file->modified = ++modifications_;
    return static_cast<ssize_t>(size);
  }
  int ChangeMode(int fd, mode_t mode) override {
    if (int error = Change()) return Fail(error);
    descriptors_.at(fd).file->mode = mode;
    return 0;
  }
  int Sync(int fd) override {
    if (int error = Change()) return Fail(error);
    const FilePtr file = descriptors_.at(fd).file;
    if (file != nullptr) {
      file->durable = file->octets;
      return 0;
    }
    durable_names_ = names_;
    pending_names_.clear();
    return 0;
  }
  int Close(int fd) override { return descriptors_.erase(fd) == 1 ? 0 : Fail(EBADF); }
  int Rename(const std::string& from, const std::string& to) override {
    if (int error = Change()) return Fail(error);
    Rename({to, from, names_.at(from)});
    return 0;
  }
  int Unlink(const std::string& path) override {
    if (names_.count(path) == 0) return Fail(ENOENT);
    if (int error = Change()) return Fail(error);
    Rename({"", path, nullptr});
    return 0;
  }
  int Lock(int /*fd*/) override { return 0; }
  uid_t EffectiveUser() override { return 1000; }

  std::size_t open_descriptors() const { return descriptors_.size(); }

 private:
  struct File {
    std::string octets;
    std::string durable;
    mode_t mode = 0;
    ino_t inode = 0;
    int modified = 0;
  };
  using FilePtr = std::shared_ptr<File>;
  struct Descriptor {
    FilePtr file;  // none: the directory
    std::size_t position;
  };
  struct NameChange {
    std::string appears;
    std::string goes;
    FilePtr file;
  };

  static int Fail(int error) {
    errno = error;
    return -1;
  }
  static void Apply(std::map<std::string, FilePtr>& names, const NameChange& change) {
    if (!change.goes.empty()) names.erase(change.goes);
    if (!change.appears.empty()) names[change.appears] = change.file;
  }
  void Rename(const NameChange& change) {
    Apply(names_, change);
    pending_names_.push_back(change);
  }
  int Add(Descriptor descriptor) {
    descriptors_[++last_descriptor_] = std::move(descriptor);
    return last_descriptor_;
  }
  int Change() {
    if (changes_left_ == 0) throw PowerFailure();
    if (changes_left_ > 0) --changes_left_;
    return ++changes_ == failing_call_ ? failing_error_ : 0;
  }
  int Describe(const FilePtr& file, struct stat* status) const {
    *status = {};
    status->st_mode = S_IFREG | file->mode;
    status->st_uid = 1000;
    status->st_ino = file->inode;
    status->st_size = static_cast<off_t>(file->octets.size());
    status->st_mtim.tv_sec = file->modified;
    status->st_nlink = static_cast<nlink_t>(
        std::count_if(names_.begin(), names_.end(), [&file](const auto& entry) { return entry.second == file; }));
    return 0;
  }

  std::map<std::string, FilePtr> names_;
  std::map<std::string, FilePtr> durable_names_;
  std::vector<NameChange> pending_names_;
  std::map<int, Descriptor> descriptors_;
  int last_descriptor_ = 2;
  ino_t inodes_ = 0;
  int modifications_ = 0;
  int changes_ = 0;
  int changes_left_ = -1;
  int failing_call_ = -1;
  int failing_error_ = 0;
};

}  // namespace ntsd::testing
