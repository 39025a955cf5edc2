// kill -9 at every system call of the store, with a real process and a real file: no key that sealed a cookie is lost.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

#include "server/keys/file_key_source.h"
#include "server/keys/key_keeper.h"
#include "tests/support/fakes.h"
#include "tests/unit/server/keys/temporary_directory.h"

namespace ntsd {
namespace {

using testing::FakeClock;
using testing::FakeRandom;
using testing::TemporaryDirectory;

// Kills its own process before a given call, or, when a write is due, after half of it.
class DeadlyFileOperations : public SystemFileOperations {
 public:
  explicit DeadlyFileOperations(int calls) : calls_left_(calls) {}
  void BeforeDeath(std::function<void()> last_act) { last_act_ = std::move(last_act); }

  int Open(const std::string& path, int flags, mode_t mode) override {
    MaybeDie();
    return SystemFileOperations::Open(path, flags, mode);
  }
  ssize_t Write(int fd, ByteView octets) override {
    if (calls_left_ == 1) SystemFileOperations::Write(fd, octets.first(octets.size() / 2));
    MaybeDie();
    // In pieces, so that there is something between them.
    return SystemFileOperations::Write(fd, octets.first(std::min<std::size_t>(octets.size(), 200)));
  }
  int ChangeMode(int fd, mode_t mode) override {
    MaybeDie();
    return SystemFileOperations::ChangeMode(fd, mode);
  }
  int Sync(int fd) override {
    MaybeDie();
    return SystemFileOperations::Sync(fd);
  }
  int Close(int fd) override {
    MaybeDie();
    return SystemFileOperations::Close(fd);
  }
  int Rename(const std::string& from, const std::string& to) override {
    MaybeDie();
    return SystemFileOperations::Rename(from, to);
  }
  int Unlink(const std::string& path) override {
    MaybeDie();
    return SystemFileOperations::Unlink(path);
  }

 private:
  void MaybeDie() {
    if (--calls_left_ != 0) return;
    if (last_act_) last_act_();
    ::kill(::getpid(), SIGKILL);
  }
  int calls_left_;
  std::function<void()> last_act_;
};

// What the child tells, in memory that outlives it: every id that could have sealed a cookie, in order.
struct Sealed {
  volatile int count;
  volatile KeyId ids[64];
  void Add(KeyId id) {
    ids[count] = id;
    count = count + 1;
  }
};

constexpr std::size_t kKeep = 30;

// Starts a keeper and rotates some times, until the process is killed.
void RunChild(const std::string& path, int calls, std::uint64_t seed, Sealed* sealed) {
  DeadlyFileOperations files(calls);
  const FakeClock clock;
  FakeRandom random(seed);
  auto source = OwnKeyFile::Open(path, files);
  if (!source) ::_exit(2);
  auto keeper = KeyKeeper::Open(std::move(*source), {std::chrono::hours(24), kKeep, false}, clock, random,
                                [](KeyKeeper::Severity, const std::string&) {});
  if (!keeper) ::_exit(3);
  KeyRing::Reader worker((*keeper)->ring());
  const auto seal = [&] { sealed->Add(worker.Acquire()->current().id); };
  // Workers seal while the keeper works on the disk.
  files.BeforeDeath(seal);
  seal();
  for (int i = 0; i < 2; ++i) {
    if (!(*keeper)->Rotate()) ::_exit(4);
    seal();
  }
  ::_exit(0);
}

TEST(Kill, AtNoSystemCallIsAKeyLostThatSealedACookie_R_CK_10) {
  void* const memory = ::mmap(nullptr, sizeof(Sealed), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  auto* const sealed = static_cast<Sealed*>(memory);
  int kills = 0;
  bool survived = false;
  // Ends: some dozen calls make a start and two rotations.
  for (int calls = 1; calls < 200 && !survived; ++calls) {
    const TemporaryDirectory directory;
    const std::string path = directory.File("keys");
    sealed->count = 0;
    // Twice in a row on the same file: the second one starts from what the first one left.
    for (int life = 0; life < 2; ++life) {
      const pid_t child = ::fork();
      ASSERT_GE(child, 0);
      if (child == 0) RunChild(path, calls, static_cast<std::uint64_t>(1000 * calls + life), sealed);
      int status = 0;
      ASSERT_EQ(::waitpid(child, &status, 0), child);
      survived = WIFEXITED(status) && WEXITSTATUS(status) == 0;
      if (!survived) {
        ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << "call " << calls << " status " << status;
        ++kills;
      }
    }
    // The next process finds a whole ring with every key that sealed, or nothing if none ever did.
    SystemFileOperations files;
    auto source = OwnKeyFile::Open(path, files);
    ASSERT_TRUE(source);
    const auto ring = (*source)->Load();
    if (!ring) {
      ASSERT_EQ(ring.error().problem, KeySourceProblem::kMissing) << "call " << calls << ": " << ring.error().text;
      ASSERT_EQ(sealed->count, 0) << "call " << calls;
      continue;
    }
    for (int i = 0; i < sealed->count; ++i) {
      ASSERT_NE(ring->Find(sealed->ids[i]), nullptr) << "call " << calls << " lost key " << i;
    }
    ASSERT_FALSE((*source)->Store(*ring)) << "call " << calls;
  }
  EXPECT_TRUE(survived);
  EXPECT_GT(kills, 40);
  ::munmap(memory, sizeof(Sealed));
}

}  // namespace
}  // namespace ntsd
