// What is learned from sampled departures, and how many are sampled.
#include "core/ntp/departure_model.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/support/fakes.h"

namespace ntsd {
namespace {

using std::chrono::microseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr SendPlace kAlone{.is_sealed = false, .group_size = 1, .position = 0};

TEST(DepartureModel, ExpectsNothingUntilItHasLearned) {
  DepartureModel model;
  EXPECT_EQ(model.DelayAt(kAlone), Duration::zero());
  for (std::size_t i = 1; i < kDepartureSamplesMin; ++i) model.Learn(kAlone, microseconds(3));
  EXPECT_EQ(model.DelayAt(kAlone), Duration::zero());
  model.Learn(kAlone, microseconds(3));
  EXPECT_EQ(model.DelayAt(kAlone), microseconds(3));
  model.Reset();
  EXPECT_EQ(model.DelayAt(kAlone), Duration::zero());
}

TEST(DepartureModel, ExpectsTheMiddleWhateverTheOutliersAre) {
  DepartureModel model;
  for (std::size_t i = 0; i < kDepartureWindow; ++i) {
    // Two in five were held up by something, by up to a second.
    const bool held_up = i % 5 < 2;
    model.Learn(kAlone, held_up ? Duration(seconds(1)) / static_cast<int>(i + 1) : nanoseconds(2000 + i));
  }
  EXPECT_GE(model.DelayAt(kAlone), nanoseconds(2000));
  EXPECT_LE(model.DelayAt(kAlone), nanoseconds(2000 + kDepartureWindow));
}

TEST(DepartureModel, MovesByNoMoreThanItsBounds) {
  DepartureModel model;
  for (std::size_t i = 0; i < kDepartureWindow; ++i) model.Learn(kAlone, seconds(1));
  EXPECT_EQ(model.DelayAt(kAlone), kDepartureDelayMax);
  for (std::size_t i = 0; i < kDepartureWindow; ++i) model.Learn(kAlone, -seconds(1));
  EXPECT_EQ(model.DelayAt(kAlone), Duration::zero());
}

TEST(DepartureModel, FollowsAChangeWithinHalfAWindow) {
  DepartureModel model;
  for (std::size_t i = 0; i < kDepartureWindow; ++i) model.Learn(kAlone, microseconds(2));
  for (std::size_t i = 0; i <= kDepartureWindow / 2; ++i) model.Learn(kAlone, microseconds(7));
  EXPECT_EQ(model.DelayAt(kAlone), microseconds(7));
}

TEST(DepartureModel, LearnsEachPlaceByItself) {
  DepartureModel model;
  const auto for_each_place = [](auto&& visit) {
    int number = 1;
    for (const bool is_sealed : {false, true}) {
      for (std::uint8_t size = 1; size <= kSendGroupSizeMax; ++size) {
        for (std::uint8_t position = 0; position < size; ++position) {
          visit(SendPlace{.is_sealed = is_sealed, .group_size = size, .position = position}, nanoseconds(100 * number));
          ++number;
        }
      }
    }
  };
  for_each_place([&](SendPlace place, Duration delay) {
    for (std::size_t i = 0; i < kDepartureSamplesMin; ++i) model.Learn(place, delay);
  });
  for_each_place([&](SendPlace place, Duration delay) { EXPECT_EQ(model.DelayAt(place), delay); });
}

// Answers of one kind at that rate for ten seconds: how many are sampled.
std::size_t SamplesOf(std::int64_t rate, bool is_preferred) {
  testing::FakeRandom random;
  SampleBudget budget;
  const std::int64_t count = 10 * rate;
  std::size_t samples = 0;
  MonotonicTime now(seconds(1000));
  budget.Earn(now);
  for (std::int64_t i = 0; i < count; ++i) {
    now += Duration(seconds(1)) / rate;
    budget.Earn(now);
    samples += budget.Spend(is_preferred, static_cast<std::uint32_t>(random.Next())) ? 1 : 0;
  }
  return samples;
}

TEST(SampleBudget, CostsOneInManyUnderLoadAndSomeASecondElse) {
  EXPECT_NEAR(static_cast<double>(SamplesOf(300'000, false)), 3e6 / 128 + 2560, 60);
  EXPECT_NEAR(static_cast<double>(SamplesOf(1000, false)), 1e4 / 128 + 2560, 40);
  EXPECT_EQ(SamplesOf(100, false), 1000U) << "few answers: all of them";
}

TEST(SampleBudget, KeepsSomeForThoseWhoWillAsk) {
  SampleBudget budget;
  budget.Earn(MonotonicTime(seconds(1)));
  std::size_t ordinary = 0;
  for (int i = 0; i < 2000; ++i) ordinary += budget.Spend(false, 64) ? 1 : 0;
  EXPECT_LT(ordinary, 40U);
  for (int i = 0; i < 15; ++i) EXPECT_TRUE(budget.Spend(true, 64)) << i;
}

TEST(SampleBudget, GivesEveryPlaceInAGroupItsTurn) {
  testing::FakeRandom random;
  SampleBudget budget;
  std::array<std::size_t, kSendGroupSizeMax> by_position{};
  for (std::size_t i = 0; i < 400'000; ++i) {
    const auto dice = static_cast<std::uint32_t>(random.Next());
    by_position[i % kSendGroupSizeMax] += budget.Spend(false, dice) ? 1 : 0;
  }
  for (const std::size_t count : by_position) EXPECT_NEAR(static_cast<double>(count), 4e5 / 128 / 4, 120);
}

}  // namespace
}  // namespace ntsd
