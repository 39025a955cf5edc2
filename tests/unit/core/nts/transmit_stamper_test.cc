// Transmit timestamps follow what the kernel tells of real departures.
#include "core/nts/transmit_stamper.h"

#include <gtest/gtest.h>

namespace ntsd {
namespace {

using std::chrono::microseconds;
using std::chrono::seconds;

// What asking for a departure delays it by.
constexpr Duration kAskingDelay(1000);
constexpr UnixTime kNoon{seconds(1'767'225'600)};

class Stamper : public ::testing::Test {
 protected:
  // One answer alone, sent at `second` seconds after noon, when samples are there for the asking.
  TransmitStamper::Stamp Next(int second, std::uint32_t epoch = 0, bool is_sealed = false) {
    wall_ = kNoon + seconds(second);
    stamper.Begin(wall_, MonotonicTime(seconds(100 + second)), epoch, 1, is_sealed);
    return stamper.Next(0, std::nullopt, false);
  }
  // The same, and the kernel says that it left `delay` after the clock was read.
  void NextLeaves(int second, Duration delay) {
    const TransmitStamper::Stamp stamp = Next(second);
    ASSERT_NE(stamp.sample, 0U);
    stamper.Learn(stamp.sample, wall_ + delay);
  }
  std::uint64_t Samples(TransmitCounters::Sample what) const { return stamper.counters().samples.Read(what); }

  UnixTime wall_;
  TransmitStamper stamper;
};

TEST_F(Stamper, StampsAheadByWhatItHasLearned) {
  int second = 0;
  for (std::size_t i = 0; i < kDepartureSamplesMin; ++i) {
    const auto unlearned = Next(++second);
    ASSERT_NE(unlearned.sample, 0U);
    EXPECT_EQ(unlearned.departure, wall_);
    stamper.Learn(unlearned.sample, wall_ + kAskingDelay + microseconds(3));
  }
  const auto learned = Next(++second);
  ASSERT_NE(learned.sample, 0U);
  EXPECT_EQ(learned.departure, wall_ + microseconds(3) + kAskingDelay);
  const auto sealed = Next(++second, 0, /*is_sealed=*/true);
  EXPECT_EQ(sealed.departure, wall_) << "sealing is another matter";
  // Who is not asked leaves earlier.
  stamper.Begin(wall_, MonotonicTime(seconds(100 + second)), 0, 1, false);
  TransmitStamper::Stamp unasked{.departure = {}, .sample = 1};
  for (int i = 0; i < 1000 && unasked.sample != 0; ++i) {
    stamper.Begin(wall_, MonotonicTime(seconds(100 + second)), 0, 1, false);
    unasked = stamper.Next(0, std::nullopt, false);
  }
  ASSERT_EQ(unasked.sample, 0U);
  EXPECT_EQ(unasked.departure, wall_ + microseconds(3));
}

TEST_F(Stamper, CountsHowWrongItWas) {
  NextLeaves(1, kAskingDelay + microseconds(3));
  EXPECT_EQ(stamper.counters().errors.Read(5), 1U) << "above 2 and up to 5 µs";
  EXPECT_EQ(stamper.counters().error_ns.Read(0), 4000U);
  for (int second = 2; second < 5; ++second) NextLeaves(second, kAskingDelay + microseconds(3));
  const std::uint64_t before = stamper.counters().errors.Read(3);
  NextLeaves(5, kAskingDelay + microseconds(2));
  EXPECT_EQ(stamper.counters().errors.Read(3), before + 1) << "early or late, 1 µs is an error of 1 µs";
}

TEST_F(Stamper, BelievesNoImpossibleDeparture) {
  const auto before = Next(1);
  EXPECT_FALSE(stamper.Learn(before.sample, wall_ - microseconds(1)));
  const auto late = Next(2);
  EXPECT_FALSE(stamper.Learn(late.sample, wall_ + seconds(2)));
  EXPECT_FALSE(stamper.Learn(0, wall_));
  EXPECT_FALSE(stamper.Learn(999, wall_));
  EXPECT_EQ(Samples(TransmitCounters::kImpossible), 4U);
  const auto good = Next(3);
  stamper.Learn(good.sample, wall_ + microseconds(1));
  stamper.Learn(good.sample, wall_ + microseconds(1));
  EXPECT_EQ(Samples(TransmitCounters::kImpossible), 5U) << "told twice";
  EXPECT_EQ(Samples(TransmitCounters::kTold), 6U);
  EXPECT_EQ(stamper.counters().error_ns.Read(0), 1000U);
}

TEST_F(Stamper, AsksForNothingWhenItShallNot) {
  stamper.ForgoSamples();
  for (int second = 1; second < 100; ++second) EXPECT_EQ(Next(second).sample, 0U);
  EXPECT_EQ(Samples(TransmitCounters::kAsked), 0U);
}

TEST_F(Stamper, ForgetsAllWhenTheClockIsSet) {
  int second = 0;
  for (std::size_t i = 0; i < kDepartureSamplesMin; ++i) NextLeaves(++second, microseconds(3));
  const auto under_way = Next(++second);
  const auto in_new_epoch = Next(++second, 1);
  EXPECT_EQ(in_new_epoch.departure, wall_);
  EXPECT_FALSE(stamper.Learn(under_way.sample, wall_));
  EXPECT_EQ(Samples(TransmitCounters::kImpossible), 1U) << "it was stamped by another clock";
}

TEST_F(Stamper, NamesWhoseDepartureItWas) {
  const NtpTimestamp receive{0xED00'0001'0000'0001};
  stamper.Begin(kNoon, MonotonicTime(seconds(100)), 7, 2, false);
  const auto first = stamper.Next(0, receive, true);
  const auto second = stamper.Next(0, std::nullopt, false);
  const auto measured = stamper.Learn(first.sample, kNoon + microseconds(2));
  ASSERT_TRUE(measured);
  EXPECT_EQ(measured->receive, receive);
  EXPECT_EQ(measured->context, (InterleavedContext{.clock_epoch = 7, .is_smeared = true}));
  EXPECT_FALSE(stamper.Learn(second.sample, kNoon + microseconds(4))) << "nobody will ask";
}

}  // namespace
}  // namespace ntsd
