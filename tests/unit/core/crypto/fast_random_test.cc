#include "core/crypto/fast_random.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <new>
#include <set>
#include <vector>

namespace ntsd {
namespace {

using Octets = std::vector<std::uint8_t>;

Octets Take(FastRandom& random, std::size_t size) {
  Octets octets(size);
  random.Fill(octets);
  return octets;
}

// R-AEAD-04
TEST(FastRandom, NeverRepeatsANonce) {
  FastRandom random, other;
  std::set<std::array<std::uint8_t, 16>> seen;
  for (int i = 0; i < 50'000; ++i) {
    for (FastRandom* source : {&random, &other}) {
      std::array<std::uint8_t, 16> nonce;
      source->Fill(nonce);
      EXPECT_TRUE(seen.insert(nonce).second) << i;
    }
  }
}

TEST(FastRandom, FillsEverySizeWhole) {
  FastRandom random;
  for (const std::size_t size : {0U, 1U, 3U, 31U, 32U, 4063U, 4064U, 4065U, 4096U, 10'000U, 200'000U}) {
    const Octets first = Take(random, size);
    const Octets second = Take(random, size);
    // Sixteen octets that agree or are all zero do not happen by chance.
    std::size_t equal_count = 0, zero_count = 0;
    for (std::size_t i = 0; i < size; ++i) {
      equal_count = first[i] == second[i] ? equal_count + 1 : 0;
      zero_count = first[i] == 0 ? zero_count + 1 : 0;
      ASSERT_LT(equal_count, 16U) << size << " at " << i;
      ASSERT_LT(zero_count, 16U) << size << " at " << i;
    }
  }
}

TEST(FastRandom, HasNoFavouriteBits) {
  FastRandom random;
  const Octets octets = Take(random, 1 << 20);
  std::array<int, 256> counts{};
  for (const std::uint8_t octet : octets) ++counts[octet];
  // 4,096 of each value are expected; the deviation is 64, and ten of them never happen.
  for (const int count : counts) EXPECT_NEAR(count, 4096, 640);
}

// Finds `needle` in the octets of an object.
bool Contains(const Octets& memory, const Octets& needle) {
  return std::search(memory.begin(), memory.end(), needle.begin(), needle.end()) != memory.end();
}

TEST(FastRandom, ForgetsWhatItGave) {
  FastRandom random;
  for (int i = 0; i < 300; ++i) {  // goes through a refill
    const Octets given = Take(random, 16);
    const auto* const start = reinterpret_cast<const std::uint8_t*>(&random);
    EXPECT_FALSE(Contains(Octets(start, start + sizeof(random)), given)) << i;
  }
}

TEST(FastRandom, WipesItselfOnDestruction) {
  alignas(FastRandom) std::array<std::uint8_t, sizeof(FastRandom)> memory{};
  auto* const random = new (memory.data()) FastRandom;
  Take(*random, 100);
  const auto is_set = [&memory] {
    return std::count_if(memory.begin(), memory.end(), [](std::uint8_t octet) { return octet != 0; });
  };
  ASSERT_GT(is_set(), 3000);
  random->~FastRandom();
  EXPECT_LT(is_set(), 40) << "only counters and the table of virtual functions may stay";
}

TEST(FastRandom, GivesAChildOfForkOtherOctets) {
  FastRandom random;
  Take(random, 16);
  int channel[2];
  ASSERT_EQ(pipe(channel), 0);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  Octets own = Take(random, 16);
  if (child == 0) {
    const bool written = write(channel[1], own.data(), own.size()) == static_cast<ssize_t>(own.size());
    _exit(written ? 0 : 1);
  }
  Octets theirs(16);
  EXPECT_EQ(read(channel[0], theirs.data(), theirs.size()), 16);
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_NE(own, theirs);
  close(channel[0]);
  close(channel[1]);
}

}  // namespace
}  // namespace ntsd
