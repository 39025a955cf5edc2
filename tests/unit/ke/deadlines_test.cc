#include "ke/deadlines.h"

#include <gtest/gtest.h>

#include <map>

#include "tests/support/fakes.h"

namespace ntsd::ke {
namespace {

using std::chrono::seconds;

const MonotonicTime kStart{seconds(100)};

TEST(Deadlines, GivesOutWhatIsDueAndNothingElse) {
  Deadlines deadlines(4, 2);
  EXPECT_FALSE(deadlines.Next().has_value());
  EXPECT_FALSE(deadlines.TakeDue(kStart).has_value());
  deadlines.Set(0, 0, kStart + seconds(5));
  deadlines.Set(1, 1, kStart + seconds(1));
  deadlines.Set(2, 0, kStart + seconds(6));
  EXPECT_EQ(deadlines.Next(), kStart + seconds(1));
  EXPECT_EQ(deadlines.First(0), 0U);
  EXPECT_FALSE(deadlines.TakeDue(kStart).has_value());
  EXPECT_EQ(deadlines.TakeDue(kStart + seconds(1)), 1U);
  EXPECT_FALSE(deadlines.First(1).has_value());
  EXPECT_EQ(deadlines.TakeDue(kStart + seconds(9)), 0U);
  EXPECT_EQ(deadlines.TakeDue(kStart + seconds(9)), 2U);
  EXPECT_FALSE(deadlines.TakeDue(kStart + seconds(9)).has_value());
}

TEST(Deadlines, SettingAgainMovesBetweenQueues) {
  Deadlines deadlines(3, 2);
  for (const std::size_t item : {0U, 1U, 2U}) deadlines.Set(item, 0, kStart + seconds(1));
  deadlines.Set(1, 1, kStart + seconds(7));
  EXPECT_EQ(deadlines.TakeDue(kStart + seconds(1)), 0U);
  EXPECT_EQ(deadlines.TakeDue(kStart + seconds(1)), 2U);
  EXPECT_EQ(deadlines.Next(), kStart + seconds(7));
  deadlines.Remove(1);
  deadlines.Remove(1);
  EXPECT_FALSE(deadlines.Next().has_value());
}

// Against a map that looks at everything.
TEST(Deadlines, AgreesWithASlowerOne) {
  constexpr std::size_t kItems = 16;
  constexpr std::size_t kQueues = 3;
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE(seed);
    testing::FakeRandom random(seed);
    Deadlines deadlines(kItems, kQueues);
    std::map<std::size_t, MonotonicTime> slow;
    MonotonicTime now = kStart;
    for (int step = 0; step < 200; ++step) {
      const std::size_t item = random.Below(kItems);
      const std::size_t queue = random.Below(kQueues);
      switch (random.Below(3)) {
        case 0:
          slow[item] = now + seconds(queue * 3 + 1);
          deadlines.Set(item, queue, slow[item]);
          break;
        case 1:
          slow.erase(item);
          deadlines.Remove(item);
          break;
        default:
          now += seconds(random.Below(3));
          break;
      }
      while (const auto due = deadlines.TakeDue(now)) {
        ASSERT_EQ(slow.count(*due), 1U);
        ASSERT_LE(slow[*due], now);
        slow.erase(*due);
      }
      std::optional<MonotonicTime> next;
      for (const auto& [other, deadline] : slow) {
        ASSERT_GT(deadline, now);
        if (!next.has_value() || deadline < *next) next = deadline;
      }
      ASSERT_EQ(deadlines.Next(), next);
    }
  }
}

}  // namespace
}  // namespace ntsd::ke
