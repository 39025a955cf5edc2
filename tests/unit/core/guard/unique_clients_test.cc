#include "core/guard/unique_clients.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/fakes.h"

namespace ntsd {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using testing::FakeRandom;

UniqueClientCount Estimate(const UniqueClients& sketch, MonotonicTime now) {
  const UniqueClients* const sketches[] = {&sketch};
  return EstimateUniqueClients(sketches, now);
}

TEST(UniqueClients, EstimatesWithinFiveStandardErrorsFromNoneToMillions) {
  const MonotonicTime now(hours(10));
  for (const std::uint64_t count : {0U, 1U, 2U, 10U, 100U, 1'000U, 4'096U, 20'000U, 100'000U, 2'000'000U}) {
    FakeRandom random(count + 1);
    UniqueClients sketch;
    for (std::uint64_t i = 0; i < count; ++i) {
      const std::uint64_t hash = random.Next();
      sketch.Add(std::span(&hash, 1), now);
    }
    const auto error = std::max(1.0, 5 * 1.04 / 64 * static_cast<double>(count));
    EXPECT_NEAR(static_cast<double>(Estimate(sketch, now).this_hour), static_cast<double>(count), error);
  }
}

TEST(UniqueClients, CountsTheSameClientOnce) {
  UniqueClients sketch;
  const MonotonicTime now(hours(10));
  for (int i = 0; i < 1'000; ++i) {
    const std::uint64_t hashes[] = {0x0123'4567'89AB'CDEF, 0xFEDC'BA98'7654'3210};
    sketch.Add(hashes, now);
  }
  EXPECT_EQ(Estimate(sketch, now).this_hour, 2U);
}

TEST(UniqueClients, MergesWorkersWithoutCountingTwice) {
  UniqueClients a;
  UniqueClients b;
  const MonotonicTime now(hours(10));
  FakeRandom random(5);
  for (int i = 0; i < 9'000; ++i) {
    const std::uint64_t hash = random.Next();
    if (i < 6'000) a.Add(std::span(&hash, 1), now);
    if (i >= 3'000) b.Add(std::span(&hash, 1), now);
  }
  const UniqueClients* const sketches[] = {&a, &b};
  EXPECT_NEAR(static_cast<double>(EstimateUniqueClients(sketches, now).this_hour), 9'000, 5 * 0.01625 * 9'000);
}

TEST(UniqueClients, ForgetsAfterTwoHours) {
  UniqueClients sketch;
  const std::uint64_t hash = 77;
  sketch.Add(std::span(&hash, 1), MonotonicTime(hours(10) + minutes(59)));
  EXPECT_EQ(Estimate(sketch, MonotonicTime(hours(10) + minutes(59))).this_hour, 1U);
  // Whether or not anybody came since.
  for (const bool somebody_came : {false, true}) {
    const std::uint64_t other = 0xF000'0000'0000'0001;
    if (somebody_came) sketch.Add(std::span(&other, 1), MonotonicTime(hours(11)));
    const UniqueClientCount next = Estimate(sketch, MonotonicTime(hours(11)));
    EXPECT_EQ(next.this_hour, somebody_came ? 1U : 0U);
    EXPECT_EQ(next.last_hour, 1U);
  }
  sketch.Add(std::span(&hash, 1), MonotonicTime(hours(12)));
  EXPECT_EQ(Estimate(sketch, MonotonicTime(hours(12))).this_hour, 1U);
  EXPECT_EQ(Estimate(sketch, MonotonicTime(hours(13))).last_hour, 1U);
  EXPECT_EQ(Estimate(sketch, MonotonicTime(hours(14))).last_hour, 0U);
}

}  // namespace
}  // namespace ntsd
