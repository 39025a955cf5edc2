// The memory of departures: each is told once, to whom it belongs, in its own epoch; whatever threads do meanwhile.
#include "core/ntp/interleaved_store.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <thread>
#include <vector>

#include "tests/support/fakes.h"

namespace ntsd {
namespace {

constexpr std::uint64_t kSecond = std::uint64_t{1} << 32;
constexpr std::uint64_t kNoon = 0xED00'3780ULL << 32;

NtpTimestamp Receive(std::uint64_t units) { return InterleavedStore::MarkReceive({kNoon + units}); }
RememberedDeparture Reckoned(NtpTimestamp transmit) { return {.transmit = transmit, .is_measured = false}; }
NtpTimestamp After(NtpTimestamp stamp, std::uint64_t units) { return {stamp.bits + units}; }

TEST(InterleavedStore, TellsADepartureOnce_R_IL_03_04) {
  InterleavedStore store(64);
  const NtpTimestamp receive = Receive(1000);
  ASSERT_TRUE(store.Save(receive, After(receive, 77), {}));
  const NtpTimestamp later = After(receive, 5 * kSecond);
  EXPECT_EQ(store.Take(receive, later, {}), Reckoned(After(receive, 77)));
  EXPECT_FALSE(store.Take(receive, later, {})) << "never twice";
}

TEST(InterleavedStore, KnowsReceiveFromTransmitTimestamps_R_IL_05_09) {
  testing::FakeRandom random;
  for (int i = 0; i < 1000; ++i) {
    const NtpTimestamp stamp{i < 4 ? static_cast<std::uint64_t>(i) : random.Next()};
    const NtpTimestamp receive = InterleavedStore::MarkReceive(stamp);
    const NtpTimestamp transmit = InterleavedStore::MarkTransmit(stamp);
    EXPECT_NE(receive, transmit);
    EXPECT_FALSE(receive.IsUnknown() || transmit.IsUnknown());
    EXPECT_TRUE(InterleavedStore::IsAskedFor(receive, {8}, {9}));
    EXPECT_FALSE(InterleavedStore::IsAskedFor(transmit, {8}, {9}));
    EXPECT_FALSE(InterleavedStore::IsAskedFor(receive, {9}, {9})) << "R-IL-02";
  }
  EXPECT_FALSE(InterleavedStore::IsAskedFor({0}, {8}, {9}));
}

TEST(InterleavedStore, KnowsNothingOfWhatItWasNotTold_R_IL_02) {
  InterleavedStore store(64);
  const NtpTimestamp receive = Receive(1000);
  store.Save(receive, After(receive, 77), {});
  for (std::uint64_t units = 2; units < 2000; units += 2) {
    EXPECT_FALSE(store.Take(After(receive, units), After(receive, kSecond), {}));
    EXPECT_FALSE(store.Take(NtpTimestamp{receive.bits - units}, After(receive, kSecond), {}));
  }
  EXPECT_FALSE(store.Take({0}, receive, {}));
  EXPECT_FALSE(store.Take({2}, receive, {})) << "the mark of a cell that somebody is at work on";
  EXPECT_TRUE(store.Take(receive, After(receive, kSecond), {}));
}

TEST(InterleavedStore, ForgetsWhatIsOfAnotherClock_R_IL_09) {
  InterleavedStore store(64);
  const NtpTimestamp receive = Receive(1000);
  store.Save(receive, After(receive, 77), {.clock_epoch = 4});
  EXPECT_FALSE(store.Take(receive, After(receive, kSecond), {.clock_epoch = 5}));
  EXPECT_FALSE(store.Take(receive, After(receive, kSecond), {.clock_epoch = 4, .is_smeared = true}));
  EXPECT_FALSE(store.Take(receive, receive, {.clock_epoch = 4})) << "no time has passed";
  EXPECT_FALSE(store.Take(receive, NtpTimestamp{receive.bits - kSecond}, {.clock_epoch = 4})) << "in the future";
  EXPECT_TRUE(store.Take(receive, After(receive, kSecond), {.clock_epoch = 4}));
}

TEST(InterleavedStore, HasABoundOfAge) {
  for (const std::uint64_t age_s : {kInterleavedAgeMax_s, kInterleavedAgeMax_s + 1U}) {
    InterleavedStore store(64);
    const NtpTimestamp receive = Receive(1000);
    store.Save(receive, After(receive, 77), {});
    EXPECT_EQ(store.Take(receive, After(receive, age_s * kSecond), {}).has_value(), age_s == kInterleavedAgeMax_s);
  }
}

TEST(InterleavedStore, RemembersNoDepartureThatIsNotSoonAfter) {
  InterleavedStore store(64);
  const NtpTimestamp receive = Receive(1000);
  EXPECT_FALSE(store.Save(receive, After(receive, kSecond), {}));
  EXPECT_FALSE(store.Save(receive, NtpTimestamp{receive.bits - 1}, {}));
  EXPECT_TRUE(store.Save(receive, After(receive, kSecond - 1), {}));
  EXPECT_FALSE(store.Improve(receive, NtpTimestamp{receive.bits - 1}, {}));
  EXPECT_EQ(store.Take(receive, After(receive, kSecond), {}), Reckoned(After(receive, kSecond - 1)));
}

TEST(InterleavedStore, TakesABetterDepartureWhileItIsWaitedFor) {
  InterleavedStore store(64);
  const NtpTimestamp receive = Receive(1000);
  EXPECT_FALSE(store.Improve(receive, After(receive, 99), {}));
  store.Save(receive, After(receive, 77), {});
  EXPECT_TRUE(store.Improve(receive, After(receive, 99), {}));
  const RememberedDeparture measured{.transmit = After(receive, 99), .is_measured = true};
  EXPECT_EQ(store.Take(receive, After(receive, kSecond), {}), measured);
  EXPECT_FALSE(store.Improve(receive, After(receive, 99), {}));
  EXPECT_FALSE(store.Take(receive, After(receive, kSecond), {}));
}

TEST(InterleavedStore, TrustsNoReceiveTimestampThatTwoAnswersHad) {
  InterleavedStore store(64);
  const NtpTimestamp receive = Receive(1000);
  EXPECT_TRUE(store.Save(receive, After(receive, 77), {}));
  EXPECT_FALSE(store.Save(receive, After(receive, 99), {}));
  EXPECT_FALSE(store.Take(receive, After(receive, kSecond), {})) << "whose departure would it be?";
}

TEST(InterleavedStore, IsBoundedAndDropsTheOldest_R_IL_07) {
  InterleavedStore store(kInterleavedCellsPerLine);  // one line
  std::array<NtpTimestamp, kInterleavedCellsPerLine + 2> receives;
  for (std::size_t i = 0; i < receives.size(); ++i) {
    receives[i] = Receive(i * kSecond);
    EXPECT_TRUE(store.Save(receives[i], After(receives[i], i), {}));
  }
  const NtpTimestamp now = Receive(100 * kSecond);
  for (std::size_t i = 0; i < receives.size(); ++i) EXPECT_EQ(store.Take(receives[i], now, {}).has_value(), i >= 2);
}

TEST(InterleavedStore, DropsFirstWhatAClockThatWasSetBackLeftInTheFuture) {
  InterleavedStore store(kInterleavedCellsPerLine);
  const NtpTimestamp future = Receive(3600 * kSecond);
  store.Save(future, After(future, 1), {.clock_epoch = 1});
  for (std::uint64_t i = 1; i <= kInterleavedCellsPerLine; ++i) {
    store.Save(Receive(i * kSecond), After(Receive(i * kSecond), 1), {.clock_epoch = 2});
  }
  const NtpTimestamp now = Receive(7200 * kSecond);
  for (std::uint64_t i = 1; i <= kInterleavedCellsPerLine; ++i) {
    EXPECT_TRUE(store.Take(Receive(i * kSecond), now, {.clock_epoch = 2}));
  }
}

TEST(InterleavedStore, SpreadsOverAllItsLines) {
  InterleavedStore store(1 << 12);
  constexpr std::uint64_t kCount = 1 << 10;
  for (std::uint64_t i = 0; i < kCount; ++i) store.Save(Receive(i * 4000), After(Receive(i * 4000), 1), {});
  std::size_t kept = 0;
  for (std::uint64_t i = 0; i < kCount; ++i) {
    kept += store.Take(Receive(i * 4000), Receive(kSecond), {}).has_value() ? 1 : 0;
  }
  EXPECT_GT(kept, kCount * 99 / 100) << "a quarter full: lines with more than four are rare";
}

// Threads that save, improve and take the same few keys all the time: every departure that comes out must have been
// saved under its key.
TEST(InterleavedStore, ThreadsDoNotMixDepartures) {
  constexpr std::size_t kThreads = 4;
  constexpr std::uint64_t kRounds = 20'000;
  constexpr std::uint64_t kKeys = 16;
  InterleavedStore store(2 * kInterleavedCellsPerLine);
  const NtpTimestamp now = Receive(10 * kSecond);
  std::array<std::atomic<std::uint64_t>, kKeys> taken{};
  std::atomic<bool> mixed{false};
  const auto work = [&](std::size_t thread) {
    testing::FakeRandom random(thread + 1);
    for (std::uint64_t round = 0; round < kRounds; ++round) {
      const std::uint64_t index = random.Below(kKeys);
      const NtpTimestamp receive = Receive(index * 1000 + 2);
      // A departure tells whose it is.
      const NtpTimestamp transmit = After(receive, random.Below(1000) * kKeys + index);
      switch (random.Below(3)) {
        case 0:
          store.Save(receive, transmit, {});
          break;
        case 1:
          store.Improve(receive, transmit, {});
          break;
        default:
          if (const auto departure = store.Take(receive, now, {})) {
            taken[index].fetch_add(1);
            if ((departure->transmit.bits - receive.bits) % kKeys != index) mixed = true;
          }
      }
    }
  };
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < kThreads; ++i) threads.emplace_back(work, i);
  for (std::thread& thread : threads) thread.join();
  EXPECT_FALSE(mixed) << "a departure under a key that is not its own";
  for (const std::atomic<std::uint64_t>& count : taken) EXPECT_GT(count.load(), 0U);
}

// Each key is saved once and tried by all threads at once: exactly one gets it, unless it had to make room.
TEST(InterleavedStore, OneOfManyTakersGetsIt_R_IL_04) {
  constexpr std::size_t kThreads = 4;
  constexpr std::uint64_t kKeys = 4'000;
  InterleavedStore store(1 << 14);
  std::array<std::atomic<int>, kKeys> taken{};
  for (std::uint64_t i = 0; i < kKeys; ++i) store.Save(Receive(i * 2), After(Receive(i * 2), 1), {});
  std::vector<std::thread> threads;
  for (std::size_t thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&] {
      for (std::uint64_t i = 0; i < kKeys; ++i) {
        if (store.Take(Receive(i * 2), Receive(kSecond), {})) taken[i].fetch_add(1);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::uint64_t found = 0;
  for (const std::atomic<int>& count : taken) {
    EXPECT_LE(count.load(), 1);
    found += static_cast<std::uint64_t>(count.load());
  }
  EXPECT_GT(found, kKeys * 98 / 100);
}

// Two threads that save the same key at the same time, again and again: never may both stay, nor one for the other.
TEST(InterleavedStore, TwoThatSaveOneKeyLoseItBoth) {
  constexpr std::uint64_t kRounds = 3'000;
  InterleavedStore store(1 << 12);
  std::array<std::atomic<std::uint64_t>, 2> arrived{};
  std::array<std::vector<bool>, 2> kept{std::vector<bool>(kRounds), std::vector<bool>(kRounds)};
  const auto work = [&](std::size_t self) {
    for (std::uint64_t round = 0; round < kRounds; ++round) {
      arrived[self].store(round + 1);
      // Ends: the other comes to each round, too. Spins, so that both leave at the same moment.
      for (int turn = 0; arrived[1 - self].load() < round + 1; ++turn) {
        if (turn % 10'000 == 9'999) std::this_thread::yield();
      }
      const NtpTimestamp receive = Receive(round * 2);
      kept[self][round] = store.Save(receive, After(receive, self + 1), {});
    }
  };
  std::thread first(work, 0);
  std::thread second(work, 1);
  first.join();
  second.join();
  std::uint64_t stayed = 0;
  for (std::uint64_t round = 0; round < kRounds; ++round) {
    EXPECT_FALSE(kept[0][round] && kept[1][round] && store.Take(Receive(round * 2), Receive(kSecond), {}).has_value());
    stayed += store.Take(Receive(round * 2), Receive(kSecond), {}).has_value() ? 1 : 0;
  }
  EXPECT_EQ(stayed, 0U) << "who sees another's takes both away";
}

}  // namespace
}  // namespace ntsd
