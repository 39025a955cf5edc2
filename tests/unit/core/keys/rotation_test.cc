#include "core/keys/rotation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <set>

#include "tests/unit/core/keys/ring_builder.h"

namespace ntsd {
namespace {

using std::chrono::hours;
using std::chrono::nanoseconds;
using std::chrono::seconds;
using testing::At;
using ::testing::ElementsAre;
using testing::FakeClock;
using testing::FakeRandom;
using testing::Ids;
using ::testing::IsEmpty;
using testing::KeyWithId;
using testing::RingOf;

constexpr Duration kDay = hours(24);

// --- When ---

TEST(RotationSchedule, IsDueAtThePeriodAndNotOneNanosecondBefore) {
  const FakeClock clock;
  const RotationSchedule schedule(kDay, clock.Now(), clock.Now(), clock.Monotonic());
  const MonotonicTime due = clock.Monotonic() + kDay;
  EXPECT_FALSE(schedule.IsDue(due - nanoseconds(1)));
  EXPECT_EQ(schedule.UntilDue(due - nanoseconds(1)), nanoseconds(1));
  EXPECT_TRUE(schedule.IsDue(due));
  EXPECT_EQ(schedule.UntilDue(due), Duration::zero());
  EXPECT_EQ(schedule.UntilDue(due + hours(5)), Duration::zero());
}

TEST(RotationSchedule, CountsTheTimeWhenTheProcessWasDown) {
  const FakeClock clock;
  const RotationSchedule schedule(kDay, clock.Now() - hours(20), clock.Now(), clock.Monotonic());
  EXPECT_EQ(schedule.UntilDue(clock.Monotonic()), hours(4));
  const RotationSchedule overdue(kDay, clock.Now() - hours(25), clock.Now(), clock.Monotonic());
  EXPECT_TRUE(overdue.IsDue(clock.Monotonic()));
}

TEST(RotationSchedule, MakesOneRotationOfManyMissedOnesAndKeepsTheHour) {
  const FakeClock clock;
  for (int missed = 1; missed < 40; ++missed) {
    const RotationSchedule schedule(kDay, clock.Now() - missed * kDay - hours(5), clock.Now(), clock.Monotonic());
    ASSERT_TRUE(schedule.IsDue(clock.Monotonic()));
    const RotationSchedule next = schedule.AfterDue(clock.Monotonic());
    EXPECT_FALSE(next.IsDue(clock.Monotonic()));
    EXPECT_EQ(next.UntilDue(clock.Monotonic()), hours(19));
    EXPECT_EQ(next.CurrentSince(clock.Now(), clock.Monotonic()), clock.Now() - hours(5));
  }
}

TEST(RotationSchedule, NeverRotatesTwiceWithinHalfAPeriod_R_CK_11_15) {
  const FakeClock clock;
  for (int minutes_late = 0; minutes_late < 2 * 24 * 60; ++minutes_late) {
    const Duration late = std::chrono::minutes(minutes_late);
    const RotationSchedule schedule(kDay, clock.Now() - kDay - late, clock.Now(), clock.Monotonic());
    const RotationSchedule next = schedule.AfterDue(clock.Monotonic());
    const Duration past_the_hour = late % kDay;
    EXPECT_EQ(next.UntilDue(clock.Monotonic()), past_the_hour <= hours(12) ? kDay - past_the_hour : kDay);
  }
}

TEST(RotationSchedule, StepsOfTheWallClockNeitherLoseNorMultiplyRotations) {
  for (const Duration step :
       {Duration(hours(-24 * 4000)), Duration(hours(-1)), Duration(hours(1)), Duration(hours(24 * 4000))}) {
    FakeClock clock;
    RotationSchedule schedule(kDay, clock.Now(), clock.Now(), clock.Monotonic());
    int rotations = 0;
    for (int hour = 0; hour < 240; ++hour) {
      clock.Advance(hours(1));
      if (hour % 3 == 0) clock.Step(hour % 2 == 0 ? step : -step);
      if (schedule.IsDue(clock.Monotonic())) {
        ++rotations;
        schedule = schedule.AfterDue(clock.Monotonic());
      }
    }
    EXPECT_EQ(rotations, 10);
  }
}

TEST(RotationSchedule, AWallClockBeforeTheStoredTimeStartsAtAgeZero) {
  const FakeClock clock;
  const RotationSchedule schedule(kDay, clock.Now() + hours(24 * 365 * 50), clock.Now(), clock.Monotonic());
  EXPECT_EQ(schedule.Age(clock.Monotonic()), Duration::zero());
  EXPECT_EQ(schedule.UntilDue(clock.Monotonic()), kDay);
  EXPECT_EQ(schedule.CurrentSince(clock.Now(), clock.Monotonic()), clock.Now());
}

TEST(RotationSchedule, BearsTheLongestAgeThatAFileCanTell) {
  FakeClock clock(UnixTime(seconds(7'258'118'399)));  // the end of 2199
  const RotationSchedule schedule(seconds(1), UnixTime(), clock.Now(), clock.Monotonic());
  ASSERT_TRUE(schedule.IsDue(clock.Monotonic()));
  EXPECT_FALSE(schedule.AfterDue(clock.Monotonic()).IsDue(clock.Monotonic()));
}

TEST(RotationSchedule, AForcedRotationBeginsAWholePeriod) {
  FakeClock clock;
  const RotationSchedule schedule(kDay, clock.Now() - hours(23), clock.Now(), clock.Monotonic());
  EXPECT_EQ(schedule.AfterForced(clock.Monotonic()).UntilDue(clock.Monotonic()), kDay);
}

TEST(RotationSchedule, TheStoredTimeSurvivesRestartsAtAnyMoment) {
  // A restart every 7 h and 13 s for 30 days, with whole seconds stored: 30 rotations, give or take the last one.
  FakeClock clock;
  UnixTime stored = clock.Now();
  int rotations = 0;
  for (int i = 0; i < 103; ++i) {
    clock.Advance(hours(7) + seconds(13) + nanoseconds(999'999'999));
    RotationSchedule schedule(kDay, stored, clock.Now(), clock.Monotonic());
    if (schedule.IsDue(clock.Monotonic())) {
      ++rotations;
      schedule = schedule.AfterDue(clock.Monotonic());
    }
    stored = schedule.CurrentSince(clock.Now(), clock.Monotonic());
  }
  EXPECT_EQ(rotations, 30);
}

// --- Which keys ---

TEST(Rotation, AFreshRingHasACurrentAndAFutureKeyOfAead15) {
  FakeRandom random;
  const StoredRing ring = MakeFreshRing(At(5) + nanoseconds(7), random);
  ASSERT_EQ(ring.keys.size(), 2U);
  EXPECT_FALSE(BrokenRingRule(ring));
  EXPECT_EQ(ring.current().aead, AeadId::kAesSivCmac256);
  EXPECT_EQ(ring.future().aead, AeadId::kAesSivCmac256);
  EXPECT_FALSE(ring.current().key == ring.future().key);
  EXPECT_EQ(ring.future().id, ring.current().id + 1);
  EXPECT_EQ(ring.current_since, At(5));
  EXPECT_EQ(ring.current().created, At(5));
}

TEST(Rotation, TheFutureKeyBecomesCurrentAndTheCurrentOnePast_R_CK_06) {
  FakeRandom random;
  const StoredRing ring = RingOf({11, 10, 9, 8});
  const StoredRing next = RotateRing(ring, 7, At(86400), At(86401), random);
  EXPECT_THAT(Ids(next.keys), ElementsAre(12, 11, 10, 9, 8));
  EXPECT_EQ(next.current(), ring.future());
  EXPECT_EQ(next.past()[0], ring.current());
  EXPECT_EQ(next.current_since, At(86400));
  EXPECT_EQ(next.future().created, At(86401));
  EXPECT_FALSE(BrokenRingRule(next));
}

TEST(Rotation, KeepsExactlySoManyPastKeys_R_CK_07) {
  for (std::size_t keep = 0; keep <= 30; ++keep) {
    FakeRandom random(keep);
    StoredRing ring = MakeFreshRing(At(0), random);
    const KeyId first = ring.current().id;
    for (std::size_t rotation = 1; rotation <= 40; ++rotation) {
      ring = RotateRing(ring, keep, At(0), At(0), random);
      ASSERT_EQ(ring.past().size(), std::min(keep, rotation));
      ASSERT_EQ(ring.Find(first) != nullptr, rotation <= keep) << "keep " << keep << " rotation " << rotation;
      ASSERT_FALSE(BrokenRingRule(ring));
    }
  }
}

TEST(Rotation, NewKeysTakeTheAeadOfTheCurrentOne_R_CK_05) {
  FakeRandom random;
  StoredRing ring = RingOf({11, 10, 9}, {}, AeadId::kAes128GcmSiv);
  for (int i = 0; i < 5; ++i) {
    ring = RotateRing(ring, 3, At(0), At(0), random);
    for (const MasterKey& key : ring.keys) EXPECT_EQ(key.aead, AeadId::kAes128GcmSiv);
  }
  EXPECT_EQ(RevokeAllKeys(ring, At(0), random).current().aead, AeadId::kAes128GcmSiv);
}

TEST(Rotation, IdsRunOnAcrossTheEndOfTheirRange) {
  FakeRandom random;
  StoredRing ring = RingOf({0xFFFFFFFF, 0xFFFFFFFE});
  for (int i = 0; i < 6; ++i) {
    ring = RotateRing(ring, 7, At(0), At(0), random);
    ASSERT_FALSE(BrokenRingRule(ring));
  }
  EXPECT_THAT(Ids(ring.keys), ElementsAre(5, 4, 3, 2, 1, 0, 0xFFFFFFFF, 0xFFFFFFFE));
}

TEST(Rotation, NeverTakesAnIdOfTheRingOrARevokedOne) {
  FakeRandom random;
  // The next would be 12, but that, 16 and 20 are taken in one way or another.
  const StoredRing ring = RingOf({11, 10, 16, 9}, {12, 20});
  const StoredRing next = RotateRing(ring, 7, At(0), At(0), random);
  EXPECT_EQ(next.future().id, 24U);
}

// --- Revoking (R-CK-09) ---

TEST(Revoke, ThePastKeyGoesAtOnceAndIsRemembered_R_CK_09) {
  FakeRandom random;
  const StoredRing ring = RingOf({11, 10, 9, 8}, {3});
  const auto next = RevokeKey(ring, 9, At(99), random);
  ASSERT_TRUE(next);
  EXPECT_THAT(Ids(next->keys), ElementsAre(11, 10, 8));
  EXPECT_THAT(next->revoked, ElementsAre(3, 9));
  EXPECT_EQ(next->current_since, ring.current_since);
}

TEST(Revoke, TheFutureKeyPromotedInPlaceOfTheCurrentOne_R_CK_09) {
  FakeRandom random;
  const StoredRing ring = RingOf({11, 10, 9, 8});
  const auto next = RevokeKey(ring, 10, At(99), random);
  ASSERT_TRUE(next);
  EXPECT_THAT(Ids(next->keys), ElementsAre(12, 11, 9, 8));
  EXPECT_EQ(next->current(), ring.future());
  EXPECT_EQ(next->current_since, At(99));
  EXPECT_THAT(next->revoked, ElementsAre(10));
  EXPECT_FALSE(BrokenRingRule(*next));
}

TEST(Revoke, TheFutureKeyIsMadeAnewWithAnotherId_R_CK_09) {
  FakeRandom random;
  const StoredRing ring = RingOf({11, 10, 9});
  const auto next = RevokeKey(ring, 11, At(99), random);
  ASSERT_TRUE(next);
  EXPECT_THAT(Ids(next->keys), ElementsAre(15, 10, 9));
  EXPECT_FALSE(next->future().key == ring.future().key);
  EXPECT_EQ(next->current_since, ring.current_since);
  EXPECT_FALSE(BrokenRingRule(*next));
}

TEST(Revoke, RefusesIdsThatAreNotThere) {
  FakeRandom random;
  const StoredRing ring = RingOf({11, 10, 9}, {8});
  EXPECT_EQ(RevokeKey(ring, 7, At(0), random).error(), RevokeRefusal::kUnknownId);
  EXPECT_EQ(RevokeKey(ring, 8, At(0), random).error(), RevokeRefusal::kAlreadyRevoked);
}

TEST(Revoke, AllStartsANewRingAndRemembersEveryId_R_CK_09) {
  FakeRandom random;
  const StoredRing ring = RingOf({11, 10, 9}, {3});
  const StoredRing next = RevokeAllKeys(ring, At(99), random);
  EXPECT_EQ(next.keys.size(), 2U);
  EXPECT_THAT(next.revoked, ElementsAre(3, 11, 10, 9));
  EXPECT_EQ(next.current_since, At(99));
  for (const MasterKey& key : next.keys) EXPECT_EQ(ring.Find(key.id), nullptr);
  EXPECT_FALSE(BrokenRingRule(next));
}

TEST(Revoke, ARevokedIdNeverComesBackWhateverHappens) {
  FakeRandom random(42);
  StoredRing ring = MakeFreshRing(At(0), random);
  std::set<KeyId> revoked;
  for (int i = 0; i < 2000; ++i) {
    const std::uint64_t choice = random.Below(12);
    if (choice == 0) {
      for (const KeyId id : Ids(ring.keys)) revoked.insert(id);
      ring = RevokeAllKeys(ring, At(i), random);
    } else if (choice < 4) {
      const KeyId id = ring.keys[random.Below(ring.keys.size())].id;
      revoked.insert(id);
      ring = *RevokeKey(ring, id, At(i), random);
    } else {
      ring = RotateRing(ring, 7, At(i), At(i), random);
    }
    ASSERT_FALSE(BrokenRingRule(ring)) << *BrokenRingRule(ring);
    for (const MasterKey& key : ring.keys) ASSERT_EQ(revoked.count(key.id), 0U);
  }
}

TEST(Revoke, ForgetsTheOldestBeyondTheBound) {
  FakeRandom random;
  std::vector<KeyId> revoked(kRevokedKeysMax);
  std::iota(revoked.begin(), revoked.end(), 1000U);
  const auto next = RevokeKey(RingOf({11, 10, 9}, revoked), 9, At(0), random);
  ASSERT_TRUE(next);
  EXPECT_EQ(next->revoked.size(), kRevokedKeysMax);
  EXPECT_EQ(next->revoked.front(), 1001U);
  EXPECT_EQ(next->revoked.back(), 9U);
}

// --- Importing ---

TEST(Import, TakesOverTheirCurrentKeyAndKeepsAllOfOurs) {
  FakeRandom random;
  const StoredRing ours = RingOf({11, 10, 9, 8});
  StoredRing theirs = RingOf({0x103, 0x102, 0x101, 0x100});
  theirs.current_since = At(-500);
  const auto result = ImportRing(ours, theirs, At(0), random);
  ASSERT_TRUE(result);
  EXPECT_THAT(Ids(result->ring.keys), ElementsAre(0x103, 0x102, 0x101, 0x100, 11, 10, 9, 8));
  EXPECT_EQ(result->ring.current_since, At(-500));
  EXPECT_THAT(result->revoked_left_out, IsEmpty());
  EXPECT_THAT(result->no_room_left_out, IsEmpty());
  EXPECT_FALSE(BrokenRingRule(result->ring));
}

TEST(Import, AnOldBackupOfOurselvesCostsNoKey) {
  FakeRandom random;
  const auto result = ImportRing(RingOf({13, 12, 11, 10, 9}), RingOf({11, 10, 9, 8}), At(0), random);
  ASSERT_TRUE(result);
  EXPECT_THAT(Ids(result->ring.keys), ElementsAre(11, 10, 9, 8, 13, 12));
  const StoredRing next = RotateRing(result->ring, 7, At(0), At(0), random);
  EXPECT_THAT(Ids(next.keys), ElementsAre(16, 11, 10, 9, 8, 13, 12));
}

TEST(Import, ARevokedKeyIsNeverTakenBack) {
  FakeRandom random;
  const StoredRing ours = RingOf({0x1003, 0x1002}, {8, 11});
  const auto result = ImportRing(ours, RingOf({11, 10, 9, 8}), At(0), random);
  ASSERT_TRUE(result);
  // A new future key stands in for theirs.
  EXPECT_THAT(Ids(result->ring.keys), ElementsAre(15, 10, 9, 0x1003, 0x1002));
  EXPECT_THAT(result->revoked_left_out, ElementsAre(11, 8));
  EXPECT_FALSE(BrokenRingRule(result->ring));
}

TEST(Import, RefusesARingWhoseCurrentKeyIsRevoked) {
  FakeRandom random;
  const auto result = ImportRing(RingOf({0x1003, 0x1002}, {10}), RingOf({11, 10, 9, 8}), At(0), random);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().reason, ImportRefusalReason::kCurrentKeyRevoked);
  EXPECT_EQ(result.error().id, 10U);
}

TEST(Import, TheirRevokedIdsAreRevokedHereToo) {
  FakeRandom random;
  const auto result = ImportRing(RingOf({13, 12, 11, 9}, {3}), RingOf({11, 10}, {12, 9}), At(0), random);
  ASSERT_TRUE(result);
  EXPECT_THAT(Ids(result->ring.keys), ElementsAre(11, 10, 13));
  EXPECT_THAT(result->ring.revoked, ElementsAre(3, 12, 9));
  EXPECT_THAT(result->revoked_left_out, ElementsAre(12, 9));
}

TEST(Import, RefusesAnotherKeyUnderAnIdThatWeHave) {
  FakeRandom random;
  StoredRing theirs = RingOf({11, 10, 9, 8});
  theirs.keys[2] = KeyWithId(9, AeadId::kAesSivCmac256, 1);
  const auto result = ImportRing(RingOf({10, 9, 8}), theirs, At(0), random);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().reason, ImportRefusalReason::kIdHasAnotherKey);
  EXPECT_EQ(result.error().id, 9U);
}

TEST(Import, LeavesOutTheOldestOfOursWhenTheRingIsFull) {
  FakeRandom random;
  StoredRing ours = MakeFreshRing(At(0), random);
  while (ours.keys.size() < kKeysPerRingMax) ours = RotateRing(ours, 30, At(0), At(0), random);
  const KeyId oldest = ours.keys.back().id;
  const StoredRing theirs =
      RingOf({11, 10}, {11});  // not one that BrokenRingRule lets in, but one with a revoked future
  const auto result = ImportRing(ours, theirs, At(0), random);
  ASSERT_TRUE(result);
  EXPECT_EQ(result->ring.keys.size(), kKeysPerRingMax);
  EXPECT_EQ(result->ring.current().id, 10U);
  EXPECT_EQ(result->ring.future().id, 15U);
  EXPECT_EQ(result->no_room_left_out.size(), 2U);
  EXPECT_THAT(result->no_room_left_out, ::testing::Contains(oldest));
  EXPECT_FALSE(BrokenRingRule(result->ring));
}

}  // namespace
}  // namespace ntsd
