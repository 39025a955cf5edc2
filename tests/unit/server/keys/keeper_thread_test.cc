#include "server/keys/keeper_thread.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>

#include "server/keys/file_key_source.h"
#include "tests/support/fakes.h"
#include "tests/unit/core/keys/ring_builder.h"
#include "tests/unit/server/keys/temporary_directory.h"

namespace ntsd {
namespace {

using testing::FakeClock;
using testing::FakeRandom;
using testing::RingOf;
using testing::TemporaryDirectory;
using testing::WriteFile;

class KeeperThreadTest : public ::testing::Test {
 protected:
  std::unique_ptr<KeeperThread> Make(std::unique_ptr<KeySource> source) {
    auto keeper = KeyKeeper::Open(std::move(source), {std::chrono::hours(24), 7, false}, clock_, random_,
                                  [](KeyKeeper::Severity, const std::string&) {});
    EXPECT_TRUE(keeper) << keeper.error().text;
    return std::make_unique<KeeperThread>(std::move(*keeper));
  }

  TemporaryDirectory directory_;
  SystemFileOperations files_;
  const std::string path_ = directory_.File("keys");
  const FakeClock clock_;
  FakeRandom random_;
};

TEST_F(KeeperThreadTest, AnswersManyThreadsWhileWorkersRead) {
  const auto thread = Make(std::move(*OwnKeyFile::Open(path_, files_)));
  thread->Start();
  std::atomic<bool> stop{false};
  std::atomic<int> unknown_current{0};
  std::thread worker([&] {
    KeyRing::Reader reader(thread->ring());
    while (!stop.load(std::memory_order_relaxed)) {
      const KeyRing::Pin pin = reader.Acquire();
      if (pin->Find(pin->current().id) == nullptr) unknown_current.fetch_add(1);
    }
  });
  std::atomic<int> rotated{0};
  std::vector<std::thread> askers;
  for (int i = 0; i < 3; ++i) {
    askers.emplace_back([&] {
      for (int j = 0; j < 10; ++j) {
        const auto answer = thread->Ask([](KeyKeeper& keeper) { return keeper.Rotate(); });
        if (answer && *answer) rotated.fetch_add(1);
        EXPECT_FALSE(thread->Status().keys.empty());
      }
    });
  }
  for (std::thread& asker : askers) asker.join();
  stop.store(true);
  worker.join();
  EXPECT_EQ(rotated.load(), 30);
  EXPECT_EQ(unknown_current.load(), 0);
  EXPECT_EQ(thread->Status().generation, 31U);
  // Nobody pins any more, and nobody asks: retired sets go by themselves, and the last answer said so or the next does.
  thread->Stop();
}

TEST_F(KeeperThreadTest, AnswersNothingBeforeStartAndAfterStop) {
  const auto thread = Make(std::move(*OwnKeyFile::Open(path_, files_)));
  const auto ask = [&] { return thread->Ask([](KeyKeeper& keeper) { return keeper.Status().generation; }); };
  EXPECT_EQ(ask(), Unexpected(Unanswered::kStopped));
  thread->Start();
  EXPECT_EQ(ask(), 1U);
  thread->Stop();
  EXPECT_EQ(ask(), Unexpected(Unanswered::kStopped));
  thread->Stop();
}

// A disk that takes its time once Hang() was called, until Release().
class SlowDisk : public SystemFileOperations {
 public:
  ~SlowDisk() override { Release(); }
  void Hang() { hangs_ = true; }
  // True once a sync has begun that does not end.
  bool WaitUntilItHangs() {
    return begun_.get_future().wait_for(std::chrono::seconds(10)) == std::future_status::ready;
  }
  void Release() {
    if (!std::exchange(is_released_, true)) released_.set_value();
  }

  int Sync(int fd) override {
    if (hangs_.exchange(false)) {
      begun_.set_value();
      released_.get_future().wait();
    }
    return SystemFileOperations::Sync(fd);
  }

 private:
  std::atomic<bool> hangs_{false};
  bool is_released_ = false;
  std::promise<void> begun_;
  std::promise<void> released_;
};

TEST_F(KeeperThreadTest, TellsItsStatusWhileTheDiskHangs) {
  SlowDisk disk;
  const auto thread = Make(std::move(*OwnKeyFile::Open(path_, disk)));
  thread->Start();
  disk.Hang();
  auto rotated =
      std::async(std::launch::async, [&] { return thread->Ask([](KeyKeeper& keeper) { return keeper.Rotate(); }); });
  ASSERT_TRUE(disk.WaitUntilItHangs());
  auto status = std::async(std::launch::async, [&] { return thread->Status(); });
  EXPECT_EQ(status.wait_for(std::chrono::seconds(5)), std::future_status::ready);
  disk.Release();
  EXPECT_EQ(status.get().generation, 1U) << "what is not stored is not in force";
  ASSERT_TRUE(rotated.get());
  EXPECT_EQ(thread->Status().generation, 2U);
}

// What had begun comes into force later, and what had not is never done; nobody waits for either.
TEST_F(KeeperThreadTest, NobodyWaitsForADiskThatHangs) {
  SlowDisk disk;
  const auto thread = Make(std::move(*OwnKeyFile::Open(path_, disk)));
  thread->Start();
  const auto rotate = [&](Duration patience) {
    return thread->Ask([](KeyKeeper& keeper) { return keeper.Rotate(); }, patience).error();
  };
  disk.Hang();
  EXPECT_EQ(rotate(std::chrono::milliseconds(300)), Unanswered::kUnderWay);
  ASSERT_TRUE(disk.WaitUntilItHangs());
  EXPECT_EQ(rotate(std::chrono::milliseconds(20)), Unanswered::kNotBegun);
  EXPECT_EQ(thread->Status().generation, 1U);
  disk.Release();
  const auto generation = thread->Ask([](KeyKeeper& keeper) { return keeper.Status().generation; });
  EXPECT_EQ(generation, 2U) << "the first, once it is stored, and not the second";
}

TEST_F(KeeperThreadTest, StopsAtOnceThoughNothingIsDueForHours) {
  const auto thread = Make(std::move(*OwnKeyFile::Open(path_, files_)));
  thread->Start();
  const auto begin = std::chrono::steady_clock::now();
  thread->Stop();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
}

// Woken by the kernel: the keeper itself would look again after ten seconds.
TEST_F(KeeperThreadTest, TakesAFollowedFileSoonAfterItChanged) {
  WriteFile(path_, WriteKeyFile(RingOf({11, 10})));
  const auto thread = Make(std::make_unique<FollowedKeyFile>(path_, files_));
  thread->Start();
  WriteFile(directory_.File("new"), WriteKeyFile(RingOf({12, 11, 10})));
  std::filesystem::rename(directory_.File("new"), path_);
  KeyRing::Reader reader(thread->ring());
  const auto begin = std::chrono::steady_clock::now();
  // Ends: by the deadline.
  while (reader.Acquire()->current().id != 11 && std::chrono::steady_clock::now() - begin < std::chrono::seconds(8)) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_EQ(reader.Acquire()->current().id, 11U);
}

}  // namespace
}  // namespace ntsd
