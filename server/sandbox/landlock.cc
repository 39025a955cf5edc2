#include "server/sandbox/landlock.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>
#include <system_error>

namespace ntsd {
namespace {

// The kernel's interface, here because the headers of Linux 6.1 end at version 2 of it and libc has no functions for
// it. The numbers are the same on all architectures but alpha.
constexpr long kCreateRuleset = 444;
constexpr long kAddRule = 445;
constexpr long kRestrictSelf = 446;
constexpr unsigned kAskForVersion = 1;
constexpr int kRulePathBeneath = 1;

struct RulesetAttributes {
  std::uint64_t files = 0;
  std::uint64_t network = 0;
  std::uint64_t scopes = 0;
};
struct [[gnu::packed]] PathBeneath {
  std::uint64_t allowed = 0;
  std::int32_t directory = -1;
};

constexpr std::uint64_t kExecute = 1 << 0;
constexpr std::uint64_t kWriteFile = 1 << 1;
constexpr std::uint64_t kReadFile = 1 << 2;
constexpr std::uint64_t kReadDirectory = 1 << 3;
constexpr std::uint64_t kRemoveFile = 1 << 5;
constexpr std::uint64_t kMakeFile = 1 << 8;
constexpr std::uint64_t kTruncate = 1 << 14;

// What each version can forbid: all of it is.
constexpr std::uint64_t FilesOf(int abi) {
  constexpr std::array<int, 5> kBits = {13, 14, 15, 15,
                                        16};  // + moves between directories, truncation, -, device ioctl
  return (std::uint64_t{1} << kBits[static_cast<std::size_t>(std::clamp(abi, 1, 5) - 1)]) - 1;
}
constexpr std::uint64_t NetworkOf(int abi) { return abi >= 4 ? 0b11 : 0; }  // TCP: to bind, to connect
constexpr std::uint64_t ScopesOf(int abi) { return abi >= 6 ? 0b10 : 0; }   // signals

std::uint64_t RightsOf(Reach reach) {
  constexpr std::uint64_t kRead = kReadFile | kReadDirectory;
  switch (reach) {
    case Reach::kRead:
      return kRead;
    case Reach::kRemove:
      return kRead | kRemoveFile;
    case Reach::kWrite:
      return kRead | kRemoveFile | kWriteFile | kMakeFile | kTruncate;
    case Reach::kRun:
      return kRead | kExecute;
  }
  return 0;
}

class OpenFile {
 public:
  explicit OpenFile(int fd) : fd_(fd) {}
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  ~OpenFile() {
    if (fd_ >= 0) close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

std::string ErrorText(const std::string& what) { return what + ": " + std::generic_category().message(errno); }

using Inode = std::pair<dev_t, ino_t>;

// Looking at a file's status is not among the things that Landlock forbids.
std::optional<Inode> InodeOf(const std::filesystem::path& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) return std::nullopt;
  return Inode(status.st_dev, status.st_ino);
}

}  // namespace

int LandlockAbi() {
  const long version = syscall(kCreateRuleset, nullptr, 0, kAskForVersion);
  return version > 0 ? static_cast<int>(version) : 0;
}

Expected<GrantedDirectories, std::string> GrantedDirectories::Restrict(std::span<const DirectoryGrant> grants) {
  const int abi = LandlockAbi();
  if (abi == 0) return Unexpected(std::string("this kernel or container has no Landlock"));
  const RulesetAttributes attributes{.files = FilesOf(abi), .network = NetworkOf(abi), .scopes = ScopesOf(abi)};
  const OpenFile rules(static_cast<int>(syscall(kCreateRuleset, &attributes, sizeof(attributes), 0)));
  if (rules.get() < 0) return Unexpected(ErrorText("Landlock takes no rules"));
  GrantedDirectories granted;
  for (const DirectoryGrant& grant : grants) {
    const OpenFile directory(open(grant.directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (directory.get() < 0) continue;
    const PathBeneath rule{.allowed = RightsOf(grant.reach) & attributes.files, .directory = directory.get()};
    if (syscall(kAddRule, rules.get(), kRulePathBeneath, &rule, 0) != 0) {
      return Unexpected(ErrorText("Landlock takes no rule for " + grant.directory));
    }
    if (const auto inode = InodeOf(grant.directory)) granted.directories_.push_back(*inode);
  }
  if (syscall(kRestrictSelf, rules.get(), 0) != 0) return Unexpected(ErrorText("Landlock cannot be put in force"));
  return granted;
}

bool GrantedDirectories::Excludes(const std::string& path) const {
  std::error_code error;
  std::filesystem::path place = std::filesystem::canonical(path, error);
  if (error) return false;
  // Ends: the root is its own parent.
  while (true) {
    const std::filesystem::path parent = place.parent_path();
    const auto inode = InodeOf(parent);
    if (inode && std::find(directories_.begin(), directories_.end(), *inode) != directories_.end()) return false;
    if (parent == place) return true;
    place = parent;
  }
}

}  // namespace ntsd
