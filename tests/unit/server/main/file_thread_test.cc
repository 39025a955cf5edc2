#include "server/main/file_thread.h"

#include <gtest/gtest.h>

#include <future>
#include <memory>

#include "server/pending.h"
#include "tests/support/fakes.h"

namespace ntsd {
namespace {

constexpr Duration kHours = std::chrono::hours(1);

class FileThreadTest : public ::testing::Test {
 protected:
  // Has a job done that takes until released_ is set, and returns when it has begun.
  void Hang() {
    const auto begun = std::make_shared<std::promise<void>>();
    thread_.Post([begun, wait = released_.get_future().share()](bool) {
      begun->set_value();
      wait.wait();
    });
    begun->get_future().wait();
  }
  std::shared_ptr<Pending<int>> Request(int answer) {
    auto pending = std::make_shared<Pending<int>>();
    thread_.Post([pending, answer](bool is_running) {
      if (!is_running) {
        pending->Refuse();
      } else if (pending->Begin()) {
        pending->Finish(answer);
      }
    });
    return pending;
  }

  testing::FakeClock clock_;
  std::promise<void> released_;
  FileThread thread_{clock_, kHours, [] {}};
};

TEST_F(FileThreadTest, DoesOneJobAfterTheOther) {
  EXPECT_EQ(Request(1)->Wait(kHours), Unexpected(Unanswered::kStopped)) << "before it runs";
  thread_.Start();
  const auto first = Request(2), second = Request(3);
  EXPECT_EQ(second->Wait(kHours), 3);
  EXPECT_EQ(first->Wait(Duration::zero()), 2);
  thread_.Stop();
  EXPECT_EQ(Request(4)->Wait(kHours), Unexpected(Unanswered::kStopped));
}

TEST_F(FileThreadTest, NobodyWaitsForAJobThatHangs) {
  thread_.Start();
  Hang();
  clock_.Advance(std::chrono::seconds(5));
  EXPECT_EQ(thread_.BusyFor(), std::chrono::seconds(5));
  const auto late = Request(1);
  EXPECT_EQ(late->Wait(std::chrono::milliseconds(10)), Unexpected(Unanswered::kNotBegun));
  released_.set_value();
  EXPECT_EQ(Request(2)->Wait(kHours), 2);
  EXPECT_FALSE(late->Begin()) << "nobody waits for it";
  thread_.Stop();
  EXPECT_EQ(thread_.BusyFor(), Duration::zero());
}

TEST_F(FileThreadTest, StoppingRefusesWhatWaits) {
  thread_.Start();
  Hang();
  const auto waiting = Request(1);
  auto stopped = std::async(std::launch::async, [this] { thread_.Stop(); });
  EXPECT_EQ(waiting->Wait(kHours), Unexpected(Unanswered::kStopped));
  released_.set_value();
  stopped.get();
}

TEST(FileThreadLookTest, LooksAgainAndAgain) {
  const testing::FakeClock clock;
  std::promise<void> thrice;
  int count = 0;
  FileThread thread(clock, std::chrono::milliseconds(1), [&] {
    if (++count == 3) thrice.set_value();
  });
  thread.Start();
  thrice.get_future().wait();
}

}  // namespace
}  // namespace ntsd
