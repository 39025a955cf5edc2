#include "core/base/counters.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <thread>

namespace ntsd {
namespace {

TEST(Counters, CountEachForItself) {
  Counters<3> counters;
  counters.Add(0);
  counters.Add(2, 40);
  counters.Add(2, 2);
  EXPECT_EQ(counters.Read(0), 1U);
  EXPECT_EQ(counters.Read(1), 0U);
  EXPECT_EQ(counters.Read(2), 42U);
}

TEST(Counters, OfTwoThreadsShareNoCacheLine) {
  const std::array<Counters<1>, 2> counters{};
  const auto distance = reinterpret_cast<const char*>(&counters[1]) - reinterpret_cast<const char*>(&counters[0]);
  EXPECT_EQ(distance % static_cast<std::ptrdiff_t>(kCacheLineSize), 0);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(&counters[0]) % kCacheLineSize, 0U);
}

TEST(Counters, CanBeReadWhileTheyCount) {
  constexpr std::uint64_t kTotal = 200'000;
  Counters<2> counters;
  std::thread owner([&] {
    for (std::uint64_t i = 0; i < kTotal; ++i) counters.Add(1);
  });
  bool is_monotonic = true;
  std::uint64_t last = 0;
  while (last != kTotal) {  // ends with the owner's last increment
    const std::uint64_t now = counters.Read(1);
    is_monotonic = is_monotonic && now >= last;
    last = now;
    std::this_thread::yield();
  }
  owner.join();
  EXPECT_TRUE(is_monotonic);
  EXPECT_EQ(counters.Read(0), 0U);
}

}  // namespace
}  // namespace ntsd
