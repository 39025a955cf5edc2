// The clock of a network card in terms of ours: what is learned of it, and which of its stamps are believed.
#include "core/ntp/card_clock.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <vector>

namespace ntsd {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

const UnixTime kStart{seconds(1'790'000'000)};

// A card whose clock began at another time and runs at another rate.
struct Card {
  double rate = 40e-6;  // by so much the system clock is faster
  Duration set{};       // what somebody has put its clock forward by

  CardTime At(UnixTime time) const {
    const auto elapsed = static_cast<double>((time - kStart).count());
    return {77'000'000'000 + set.count() + std::llround(elapsed / (1 + rate))};
  }
  CardReading Read(UnixTime time, Duration width = nanoseconds(1600)) const {
    return {.before = time - width / 2, .card = At(time), .after = time + width - width / 2};
  }
};

class CardClock : public ::testing::Test {
 protected:
  CardLook Look(Duration width = nanoseconds(1600)) {
    now_ += seconds(1);
    const CardReading reading = card_.Read(now_, width);
    return model_.Learn(std::span(&reading, 1));
  }
  void Learn() {
    for (std::size_t i = 0; i < kCardLooksKept; ++i) ASSERT_EQ(Look(), CardLook::kTaken) << i;
    ASSERT_TRUE(model_.mapping().is_usable);
  }
  // What is made of the stamp of a datagram that came at `came`, and that the kernel saw `lead` later.
  Expected<UnixTime, CardRefusal> Map(UnixTime came, Duration lead = microseconds(30)) const {
    return model_.mapping().Map(card_.At(came), came + lead);
  }

  Card card_;
  CardClockModel model_;
  UnixTime now_ = kStart;
};

TEST_F(CardClock, IsKnownAfterThreeLooks) {
  for (std::size_t i = 1; i < kCardLooksMin; ++i) {
    EXPECT_EQ(Look(), CardLook::kTaken);
    EXPECT_EQ(Map(now_).error(), CardRefusal::kNotMapped) << i;
  }
  EXPECT_EQ(Look(), CardLook::kTaken);
  EXPECT_TRUE(Map(now_));
  EXPECT_EQ(model_.mapping().error, nanoseconds(800)) << "half of what a reading takes";
}

TEST_F(CardClock, TellsTheTimeOfStampsBetweenTheLooks) {
  for (const double rate : {0.0, 40e-6, -300e-6}) {
    SCOPED_TRACE(rate);
    model_ = {};
    card_.rate = rate;
    Learn();
    for (const auto since : {milliseconds(-900), milliseconds(0), milliseconds(400), milliseconds(1300)}) {
      const UnixTime came = now_ + since;
      const auto told = Map(came);
      ASSERT_TRUE(told) << since.count();
      EXPECT_LE(std::chrono::abs(*told - came), nanoseconds(20)) << since.count();
    }
  }
}

TEST_F(CardClock, TakesTheQuickestReadingOfALook) {
  Learn();
  now_ += seconds(1);
  // An interrupt fell into the others, each at another end.
  std::vector<CardReading> readings = {card_.Read(now_, microseconds(19)), card_.Read(now_ + microseconds(30)),
                                       card_.Read(now_ + microseconds(60), microseconds(12))};
  readings[0].before += microseconds(9);
  readings[0].after += microseconds(9);
  EXPECT_EQ(model_.Learn(readings), CardLook::kTaken);
  EXPECT_EQ(model_.mapping().system, now_ + microseconds(30));
}

TEST_F(CardClock, IsGivenUpAfterThreeLooksInVain) {
  for (const bool unread : {true, false}) {
    Learn();
    for (unsigned i = 1; i <= kCardMissesMax; ++i) {
      EXPECT_TRUE(model_.mapping().is_usable) << i;
      if (unread) {
        EXPECT_EQ(model_.Learn({}), CardLook::kUnread);
      } else {
        EXPECT_EQ(Look(kCardReadingWindowMax + nanoseconds(1)), CardLook::kWide);
      }
    }
    EXPECT_FALSE(model_.mapping().is_usable);
    EXPECT_EQ(Map(now_).error(), CardRefusal::kNotMapped);
    now_ += seconds(60);
  }
}

TEST_F(CardClock, OneLookInVainChangesNothing) {
  Learn();
  EXPECT_EQ(Look(milliseconds(3)), CardLook::kWide);
  EXPECT_TRUE(Map(now_));
  EXPECT_EQ(Look(), CardLook::kTaken) << "two seconds after the last";
}

TEST_F(CardClock, RefusesAReadingDuringWhichOurClockWasSetBack) {
  Learn();
  EXPECT_EQ(Look(-microseconds(1)), CardLook::kWide);
}

TEST_F(CardClock, BeginsAnewWhenEitherClockIsSet) {
  for (const Duration by : {Duration(microseconds(20)), Duration(-microseconds(20)), Duration(seconds(37))}) {
    SCOPED_TRACE(by.count());
    now_ += seconds(100);
    model_ = {};
    Learn();
    card_.set += by;
    EXPECT_EQ(Look(), CardLook::kJumped);
    EXPECT_FALSE(model_.mapping().is_usable);
    for (std::size_t i = 1; i < kCardLooksMin; ++i) EXPECT_EQ(Look(), CardLook::kTaken);
    EXPECT_TRUE(model_.mapping().is_usable);
    EXPECT_LE(std::chrono::abs(*Map(now_) - now_), nanoseconds(20));
  }
}

TEST_F(CardClock, FollowsAClockThatIsSlewedGently) {
  Learn();
  for (int i = 0; i < 50; ++i) {
    card_.set += microseconds(5 * (i / 10 % 2));  // 5 ppm for ten seconds, and back
    EXPECT_EQ(Look(), CardLook::kTaken) << i;
  }
}

TEST_F(CardClock, RefusesARateThatNoClockHas) {
  card_.rate = 2 * kCardRateMax;
  EXPECT_EQ(Look(), CardLook::kTaken);
  EXPECT_EQ(Look(), CardLook::kJumped);
  EXPECT_EQ(Look(), CardLook::kJumped);
  EXPECT_FALSE(model_.mapping().is_usable);
}

TEST_F(CardClock, RefusesACardWhoseClockStandsStill) {
  Learn();
  CardReading reading = card_.Read(now_);
  reading.before += seconds(1);
  reading.after += seconds(1);
  EXPECT_EQ(model_.Learn(std::span(&reading, 1)), CardLook::kJumped);
}

TEST_F(CardClock, StampsGrowStaleWhenNobodyLooks) {
  Learn();
  const UnixTime last = now_;
  EXPECT_TRUE(Map(last + kCardMappingAgeMax - milliseconds(1)));
  EXPECT_EQ(Map(last + kCardMappingAgeMax + milliseconds(1)).error(), CardRefusal::kStale);
  EXPECT_EQ(Map(last - kCardMappingAgeMax - milliseconds(1)).error(), CardRefusal::kStale);
}

TEST_F(CardClock, BelievesNoStampThatDisagreesWithTheKernels) {
  Learn();
  EXPECT_TRUE(Map(now_, kCardLeadMax - nanoseconds(100)));
  EXPECT_EQ(Map(now_, kCardLeadMax + nanoseconds(100)).error(), CardRefusal::kDisagrees);
  const Duration after = model_.mapping().error + kCardJumpMax;
  EXPECT_EQ(Map(now_, -after - nanoseconds(100)).error(), CardRefusal::kDisagrees);
  const auto told = Map(now_, -after + nanoseconds(100));
  ASSERT_TRUE(told);
  EXPECT_EQ(*told, now_ - after + nanoseconds(100)) << "never later than the kernel saw it";
}

TEST(CardLookName, NamesEach) {
  for (std::size_t i = 0; i < static_cast<std::size_t>(CardLook::kCount); ++i) {
    EXPECT_NE(CardLookName(static_cast<CardLook>(i)), "unknown");
  }
}

}  // namespace
}  // namespace ntsd
