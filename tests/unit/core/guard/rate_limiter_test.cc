#include "core/guard/rate_limiter.h"

#include <gtest/gtest.h>

#include <limits>
#include <map>
#include <vector>

#include "tests/support/fakes.h"

namespace ntsd {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;
using testing::FakeRandom;

// The documented defaults of [limits.ntp], without a share for the excess unless a test wants one.
RateLimits Limits(double leak = 0, double kod = 0) {
  return {.rate = 2, .burst = 64, .prefixes = {}, .leak = leak, .kod = kod};
}

class RateLimiterTest : public ::testing::Test {
 protected:
  RateVerdict Ask(const RatePolicy& policy, const IpAddress& source, MonotonicTime now) {
    std::uint64_t hash = 0;
    RateVerdict verdict{};
    limiter_->Prepare(policy, std::span(&source, 1), std::span(&hash, 1));
    limiter_->Decide(policy, std::span(&hash, 1), now, random_, std::span(&verdict, 1));
    return verdict;
  }
  std::size_t CountWithin(const RatePolicy& policy, const IpAddress& source, MonotonicTime now, std::size_t count) {
    std::size_t within = 0;
    for (std::size_t i = 0; i < count; ++i) within += Ask(policy, source, now) == RateVerdict::kWithin ? 1 : 0;
    return within;
  }
  void MakeLimiter(std::size_t cell_count) { limiter_ = std::make_unique<RateLimiter>(cell_count, random_); }

  FakeRandom random_{42};
  std::unique_ptr<RateLimiter> limiter_ = std::make_unique<RateLimiter>(1024, random_);
  RatePolicy policy_ = RatePolicy::Make(Limits()).value();
  IpAddress source_ = IpAddress::V4(0xC0000201);
  MonotonicTime start_{seconds(1'000'000)};
};

TEST_F(RateLimiterTest, PassesABurstAndNotOneMore) {
  EXPECT_EQ(CountWithin(policy_, source_, start_, 64), 64U);
  EXPECT_EQ(Ask(policy_, source_, start_), RateVerdict::kDropped);
}

TEST_F(RateLimiterTest, GivesTokensBackAtTheRateAndNeverMoreThanABurst) {
  CountWithin(policy_, source_, start_, 64);
  EXPECT_EQ(CountWithin(policy_, source_, start_ + milliseconds(499), 10), 0U);
  EXPECT_EQ(CountWithin(policy_, source_, start_ + milliseconds(500), 10), 1U);
  EXPECT_EQ(CountWithin(policy_, source_, start_ + milliseconds(5'500), 100), 10U);
  EXPECT_EQ(CountWithin(policy_, source_, start_ + seconds(86'400), 100), 64U);
}

TEST_F(RateLimiterTest, RefusedPacketsDoNotPostponeTheRefill) {
  CountWithin(policy_, source_, start_, 64);
  std::size_t within = 0;
  // A thousand a second for ten seconds: exactly the twenty tokens that come back.
  for (int ms = 1; ms <= 10'000; ++ms) within += CountWithin(policy_, source_, start_ + milliseconds(ms), 1);
  EXPECT_EQ(within, 20U);
}

TEST_F(RateLimiterTest, LeakAndKodTakeTheirShareOfTheExcessOnly) {
  const RatePolicy policy = RatePolicy::Make(Limits(0.25, 0.0625)).value();
  std::map<RateVerdict, int> count;
  for (int i = 0; i < 64 + 100'000; ++i) ++count[Ask(policy, source_, start_)];
  EXPECT_EQ(count[RateVerdict::kWithin], 64);
  // Five standard deviations.
  EXPECT_NEAR(count[RateVerdict::kLeaked], 25'000, 700);
  EXPECT_NEAR(count[RateVerdict::kRate], 6'250, 390);
  EXPECT_NEAR(count[RateVerdict::kDropped], 68'750, 740);
}

TEST_F(RateLimiterTest, WholeSharesLeaveNothingToChance) {
  CountWithin(policy_, source_, start_, 64);
  for (const auto& [limits, verdict] :
       {std::pair{Limits(1, 0), RateVerdict::kLeaked}, std::pair{Limits(0, 1), RateVerdict::kRate},
        std::pair{Limits(0, 0), RateVerdict::kDropped}}) {
    const RatePolicy policy = RatePolicy::Make(limits).value();
    for (int i = 0; i < 1'000; ++i) ASSERT_EQ(Ask(policy, source_, start_), verdict);
  }
}

TEST_F(RateLimiterTest, CountsByPrefix) {
  CountWithin(policy_, source_, start_, 64);
  EXPECT_EQ(Ask(policy_, IpAddress::V4(0xC0000202), start_), RateVerdict::kWithin);

  const IpAddress v6 = IpAddress::Parse("2001:db8:0:1::1").value();
  CountWithin(policy_, v6, start_, 64);
  EXPECT_EQ(Ask(policy_, IpAddress::Parse("2001:db8:0:1:ffff:ffff:ffff:ffff").value(), start_), RateVerdict::kDropped);
  EXPECT_EQ(Ask(policy_, IpAddress::Parse("2001:db8:0:2::1").value(), start_), RateVerdict::kWithin);
}

TEST_F(RateLimiterTest, CountsByThePrefixLengthsOfThePolicy) {
  RateLimits wide = Limits();
  wide.prefixes = {.v4 = 24, .v6 = 48};
  const RatePolicy policy = RatePolicy::Make(wide).value();
  CountWithin(policy, source_, start_, 64);
  EXPECT_EQ(Ask(policy, IpAddress::V4(0xC00002FF), start_), RateVerdict::kDropped);
  EXPECT_EQ(Ask(policy, IpAddress::V4(0xC0000300), start_), RateVerdict::kWithin);
  CountWithin(policy, IpAddress::Parse("2001:db8::1").value(), start_, 64);
  EXPECT_EQ(Ask(policy, IpAddress::Parse("2001:db8:0:ffff::1").value(), start_), RateVerdict::kDropped);
  EXPECT_EQ(Ask(policy, IpAddress::Parse("2001:db8:1::1").value(), start_), RateVerdict::kWithin);
}

TEST_F(RateLimiterTest, EqualOctetsOfBothFamiliesAreDifferentNetworks) {
  CountWithin(policy_, source_, start_, 64);
  EXPECT_EQ(Ask(policy_, IpAddress::Parse("c000:201::").value(), start_), RateVerdict::kWithin);
}

TEST_F(RateLimiterTest, ABatchCountsEachOfItsPackets) {
  const std::vector<IpAddress> sources(kBatchSizeMax, source_);
  std::vector<std::uint64_t> hashes(sources.size());
  std::vector<RateVerdict> verdicts(sources.size());
  limiter_->Prepare(policy_, sources, hashes);
  CountWithin(policy_, source_, start_, 60);
  limiter_->Decide(policy_, hashes, start_, random_, verdicts);
  for (std::size_t i = 0; i < verdicts.size(); ++i) {
    EXPECT_EQ(verdicts[i], i < 4 ? RateVerdict::kWithin : RateVerdict::kDropped) << i;
  }
}

TEST_F(RateLimiterTest, AThreadWhoseClockIsBehindDoesNotForgetADebt) {
  CountWithin(policy_, source_, start_, 64);
  for (const auto lag : {nanoseconds(4'000), nanoseconds(milliseconds(1)), nanoseconds(seconds(10))}) {
    EXPECT_EQ(Ask(policy_, source_, start_ - lag), RateVerdict::kDropped) << lag.count();
  }
}

TEST_F(RateLimiterTest, AStricterPolicyKeepsTheDebtsOfTheOldOne) {
  RateLimits deep = Limits();
  deep.burst = 1'000;
  const RatePolicy before = RatePolicy::Make(deep).value();
  CountWithin(before, source_, start_, 1'000);  // 500 s in debt
  RatePolicy after = RatePolicy::Make(Limits()).value();
  after.Succeed(before);
  EXPECT_EQ(Ask(after, source_, start_), RateVerdict::kDropped);
  EXPECT_EQ(Ask(after, source_, start_ + seconds(400)), RateVerdict::kDropped);
  EXPECT_EQ(CountWithin(after, source_, start_ + seconds(500), 100), 64U);
}

TEST_F(RateLimiterTest, AMoreGenerousPolicyHelpsAtOnce) {
  CountWithin(policy_, source_, start_, 64);
  RateLimits generous = Limits();
  generous.burst = 100;
  RatePolicy after = RatePolicy::Make(generous).value();
  after.Succeed(policy_);
  EXPECT_EQ(CountWithin(after, source_, start_, 100), 36U);
}

TEST_F(RateLimiterTest, SweepingForgetsNobodyInDebtAndCountsThem) {
  CountWithin(policy_, source_, start_, 64);
  for (std::uint32_t i = 0; i < 100; ++i) Ask(policy_, IpAddress::V4(0x0A000000 + i), start_);
  EXPECT_EQ(limiter_->Sweep(policy_, start_ + milliseconds(100)), 101U);
  EXPECT_EQ(limiter_->Sweep(policy_, start_ + milliseconds(600)), 1U);
  EXPECT_EQ(CountWithin(policy_, source_, start_ + milliseconds(600), 10), 1U);
  EXPECT_EQ(limiter_->Sweep(policy_, start_ + seconds(33)), 0U);
}

// 40 bits of time pass in 48.5 days. Around that moment nobody is refused for what a cell held 48 days ago, when the
// table was swept as often as the header asks for; nor on account of cells that were never used.
TEST_F(RateLimiterTest, TimeInACellComesRoundWithoutHarm) {
  constexpr std::int64_t kRound_s = std::int64_t{1} << 22;
  for (const std::int64_t offset_s : {-33, -16, 0, 1'000}) {
    MakeLimiter(64);
    const MonotonicTime first{seconds(kRound_s + offset_s)};
    // A flood that leaves every cell in full debt.
    for (std::uint32_t i = 0; i < 64 * 1'000; ++i) Ask(policy_, IpAddress::V4(i % 1'000), first);
    ASSERT_EQ(limiter_->Sweep(policy_, first), 64U);
    limiter_->Sweep(policy_, first + seconds(20 * 86'400));
    // From inside the time in which an old cell would look like one in debt, so that nobody has replaced it before.
    for (int s = -20; s <= 100; ++s) {
      const IpAddress stranger = IpAddress::V4(0xC0000000 + static_cast<std::uint32_t>(s));
      ASSERT_EQ(CountWithin(policy_, stranger, first + seconds(kRound_s + s), 8), 8U) << offset_s << " " << s;
    }
  }
}

TEST_F(RateLimiterTest, TheTimeOfTheMachinesStartIsAsGoodAsAnyOther) {
  for (const std::int64_t uptime_s : {0, 1, 31, 32, 33}) {
    MakeLimiter(8);
    EXPECT_EQ(CountWithin(policy_, source_, MonotonicTime(seconds(uptime_s)), 65), 64U) << uptime_s;
  }
}

TEST(RatePolicy, RefusesWhatItCannotKeep) {
  const auto error = [](auto change) -> std::optional<RateLimitsError> {
    RateLimits limits = Limits(0.25, 0.0625);
    change(limits);
    const auto policy = RatePolicy::Make(limits);
    if (policy) return std::nullopt;
    return policy.error();
  };
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(error([](RateLimits&) {}), std::nullopt);
  EXPECT_EQ(error([](RateLimits& l) { l.rate = kRateMax; }), std::nullopt);
  EXPECT_EQ(error([](RateLimits& l) { l.rate = kRateMax * 1.01; }), RateLimitsError::kRate);
  EXPECT_EQ(error([](RateLimits& l) { l.rate = -1; }), RateLimitsError::kRate);
  EXPECT_EQ(error([&](RateLimits& l) { l.rate = nan; }), RateLimitsError::kRate);
  EXPECT_EQ(error([](RateLimits& l) { l.rate = kRateMin / 2; }), RateLimitsError::kRate);
  EXPECT_EQ(error([](RateLimits& l) { l.burst = 0; }), RateLimitsError::kBurst);
  EXPECT_EQ(error([](RateLimits& l) { l.burst = 2 * kRefillTimeMax_s; }), std::nullopt);
  EXPECT_EQ(error([](RateLimits& l) { l.burst = 2 * kRefillTimeMax_s + 1; }), RateLimitsError::kBurst);
  EXPECT_EQ(error([](RateLimits& l) { l.prefixes = {0, 0}; }), std::nullopt);
  EXPECT_EQ(error([](RateLimits& l) { l.prefixes.v4 = 33; }), RateLimitsError::kPrefixLength);
  EXPECT_EQ(error([](RateLimits& l) { l.prefixes.v6 = 129; }), RateLimitsError::kPrefixLength);
  EXPECT_EQ(error([](RateLimits& l) { l.leak = 0.9375; }), std::nullopt);
  EXPECT_EQ(error([](RateLimits& l) { l.leak = 0.94; }), RateLimitsError::kShare);
  EXPECT_EQ(error([](RateLimits& l) { l.leak = -0.1; }), RateLimitsError::kShare);
  EXPECT_EQ(error([&](RateLimits& l) { l.kod = nan; }), RateLimitsError::kShare);
}

TEST(RatePolicy, ZeroMeansNoLimit) {
  EXPECT_FALSE(RatePolicy::Make({}).value().limited());
  EXPECT_TRUE(RatePolicy::Make(Limits()).value().limited());
}

// Admitted over any stretch of time: at most the burst and what the rate brings, for every rate that may be set.
TEST(RatePolicy, NeverAdmitsMoreThanTheRateAndHardlyLess) {
  FakeRandom random(3);
  for (const double rate : {kRateMin, 0.2, 1.0, 2.0, 3.0, 7.7, 100.0, 999.0, kRateMax}) {
    RateLimits limits = Limits();
    limits.rate = rate;
    limits.burst = 5;
    const RatePolicy policy = RatePolicy::Make(limits).value();
    RateLimiter limiter(8, random);
    const IpAddress source = IpAddress::V4(1);
    std::uint64_t hash = 0;
    limiter.Prepare(policy, std::span(&source, 1), std::span(&hash, 1));
    const auto step = Duration(static_cast<std::int64_t>(0.1e9 / rate));
    MonotonicTime now{seconds(12'345)};
    int within = 0;
    for (int i = 0; i <= 10'000; ++i, now += step) {
      RateVerdict verdict{};
      limiter.Decide(policy, std::span(&hash, 1), now, random, std::span(&verdict, 1));
      within += verdict == RateVerdict::kWithin ? 1 : 0;
    }
    EXPECT_LE(within, 5 + 1'000) << rate;
    EXPECT_GE(within, 0.96 * 1'000) << rate;
  }
}

}  // namespace
}  // namespace ntsd
