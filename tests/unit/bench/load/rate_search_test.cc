#include "bench/load/rate_search.h"

#include <gtest/gtest.h>

namespace ntsd::load {
namespace {

// Searches a server that is good up to `limit`; the number of tries.
int Search(RateSearch& search, double limit) {
  int tries = 0;
  while (const auto rate = search.Next()) {
    search.Tell(*rate <= limit);
    if (++tries > 100) break;
  }
  return tries;
}

TEST(RateSearch, FindsEveryLimitWithinItsPrecision) {
  for (double limit = 1000; limit < 1'900'000; limit *= 1.37) {
    RateSearch search(1000, 2'000'000, 0.02);
    EXPECT_LT(Search(search, limit), 25) << limit;
    ASSERT_TRUE(search.found());
    EXPECT_LE(*search.found(), limit);
    EXPECT_GE(*search.found(), limit * 0.98 - 1) << limit;
    EXPECT_FALSE(search.hit_the_ceiling());
  }
}

TEST(RateSearch, SaysWhenTheServerCanDoMoreThanWasAsked) {
  RateSearch search(1000, 5000, 0.02);
  Search(search, 1e9);
  EXPECT_TRUE(search.hit_the_ceiling());
  EXPECT_DOUBLE_EQ(*search.found(), 5000);
}

TEST(RateSearch, LooksBelowTheLeastAndGivesUp) {
  RateSearch slow(1000, 2000, 0.05);
  Search(slow, 30);
  ASSERT_TRUE(slow.found());
  EXPECT_NEAR(*slow.found(), 30, 2);
  RateSearch dead(1000, 2000, 0.05);
  EXPECT_LT(Search(dead, 0), 10);
  EXPECT_FALSE(dead.found());
}

TEST(Spread, IsOfAllValues) {
  const Spread odd = SpreadOf({3, 1, 2});
  EXPECT_DOUBLE_EQ(odd.median, 2);
  EXPECT_DOUBLE_EQ(odd.least, 1);
  EXPECT_DOUBLE_EQ(odd.most, 3);
  EXPECT_DOUBLE_EQ(SpreadOf({1, 2, 3, 10}).median, 2.5);
  EXPECT_DOUBLE_EQ(SpreadOf({}).median, 0);
}

}  // namespace
}  // namespace ntsd::load
