#include "core/base/pinned.h"

#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <thread>
#include <vector>

namespace ntsd {
namespace {

// Knows how many of its kind are alive, and is spoilt when it is destroyed.
class Witness {
 public:
  Witness(int value, std::atomic<int>& alive) : value_(value), check_(~value), alive_(&alive) { ++alive; }
  Witness(const Witness&) = delete;
  Witness& operator=(const Witness&) = delete;
  ~Witness() {
    value_ = check_ = 0;
    --*alive_;
  }
  int value() const { return value_; }
  bool is_whole() const { return check_ == ~value_; }

 private:
  int value_;
  int check_;
  std::atomic<int>* alive_;
};

using Handle = Pinned<Witness, 8>;

class PinnedTest : public ::testing::Test {
 protected:
  std::shared_ptr<const Witness> Make(int value) { return std::make_shared<const Witness>(value, alive_); }

  std::atomic<int> alive_{0};
  Handle handle_{Make(1)};
};

TEST_F(PinnedTest, AReaderSeesWhatIsInForce) {
  Handle::Reader reader(handle_);
  EXPECT_EQ(reader.Acquire()->value(), 1);
  handle_.Publish(Make(2));
  EXPECT_EQ((*reader.Acquire()).value(), 2);
  EXPECT_EQ(handle_.Current()->value(), 2);
}

TEST_F(PinnedTest, LetsGoOfWhatNobodyPinsAtOnce) {
  Handle::Reader reader(handle_);
  handle_.Publish(Make(2));
  EXPECT_EQ(alive_, 1);
  EXPECT_EQ(handle_.Reclaim(), 0U);
}

TEST_F(PinnedTest, KeepsWhatIsPinnedAndOnlyThat) {
  Handle::Reader reader(handle_);
  {
    const auto pin = reader.Acquire();
    handle_.Publish(Make(2));
    handle_.Publish(Make(3));
    EXPECT_EQ(alive_, 2);
    EXPECT_EQ(handle_.Reclaim(), 1U);
    EXPECT_EQ(pin->value(), 1);
    EXPECT_TRUE(pin->is_whole());
  }
  EXPECT_EQ(handle_.Reclaim(), 0U);
  EXPECT_EQ(alive_, 1);
}

TEST_F(PinnedTest, ReadersThatGoGiveTheirPlaceBack) {
  for (int i = 0; i < 100; ++i) {
    Handle::Reader reader(handle_);
    EXPECT_EQ(reader.Acquire()->value(), 1);
  }
}

TEST_F(PinnedTest, NobodyEverUsesWhatIsBeingDestroyed) {
  std::atomic<bool> stop{false};
  std::atomic<int> spoilt{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      Handle::Reader reader(handle_);
      int last = 0;
      while (!stop) {
        const auto pin = reader.Acquire();
        // Never an older one than before, either.
        if (!pin->is_whole() || pin->value() < last) ++spoilt;
        last = pin->value();
      }
    });
  }
  for (int i = 2; i < 5'000; ++i) handle_.Publish(Make(i));
  stop = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(spoilt, 0);
  EXPECT_EQ(handle_.Reclaim(), 0U);
  EXPECT_EQ(alive_, 1);
}

}  // namespace
}  // namespace ntsd
