#include "core/keys/key_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "tests/unit/core/keys/ring_builder.h"

namespace ntsd {
namespace {

using testing::FakeRandom;
using testing::KeyWithId;
using testing::RingOf;

#if defined(__has_feature)
#define NTSD_HAS_FEATURE(feature) __has_feature(feature)
#else
#define NTSD_HAS_FEATURE(feature) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || NTSD_HAS_FEATURE(address_sanitizer) || \
    NTSD_HAS_FEATURE(thread_sanitizer)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

std::shared_ptr<const KeySet> SetOf(const StoredRing& ring, std::uint64_t generation = 1, bool lock = false) {
  return KeySet::Make(ring.keys, StoredRing::kFutureCount, generation, lock);
}

TEST(KeySet, TellsStateAndAgeOfEachKey) {
  const auto set = SetOf(RingOf({11, 10, 9, 8}), 77);
  ASSERT_NE(set, nullptr);
  EXPECT_EQ(set->generation(), 77U);
  ASSERT_EQ(set->entries().size(), 4U);
  const KeyState states[] = {KeyState::kFuture, KeyState::kCurrent, KeyState::kPast, KeyState::kPast};
  const std::uint8_t ages[] = {0, 0, 1, 2};
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(set->entries()[i].id, 11 - i);
    EXPECT_EQ(set->entries()[i].state, states[i]);
    EXPECT_EQ(set->entries()[i].age, ages[i]);
  }
  EXPECT_EQ(set->current().id, 10U);
}

TEST(KeySet, WithoutAFutureKeyTheFirstIsTheCurrentOne) {
  const auto set = KeySet::Make(RingOf({10, 9}).keys, 0, 1, false);
  EXPECT_EQ(set->current().id, 10U);
  EXPECT_EQ(set->entries()[1].age, 1U);
}

TEST(KeySet, FindsKeysByIdAlone) {
  const auto set = SetOf(RingOf({11, 10, 9}));
  for (const KeyId id : {11U, 10U, 9U}) EXPECT_EQ(set->Find(id)->id, id);
  for (const KeyId id : {12U, 8U, 0U, 0xFFFFFFFFU}) EXPECT_EQ(set->Find(id), nullptr);
}

TEST(KeySet, TheFingerprintSeesEveryDifferenceAndNothingElse) {
  const StoredRing ring = RingOf({11, 10, 9});
  const std::uint64_t fingerprint = SetOf(ring)->fingerprint();
  StoredRing other = ring;
  other.current_since += std::chrono::hours(1);
  other.keys[0].created += std::chrono::hours(1);
  EXPECT_EQ(SetOf(other, 2)->fingerprint(), fingerprint);

  std::vector<StoredRing> different = {RingOf({12, 10, 9}),
                                       RingOf({11, 10}),
                                       RingOf({11, 10, 9, 8}),
                                       RingOf({11, 9, 10}),
                                       RingOf({11, 10, 9}, {}, AeadId::kAes128GcmSiv),
                                       ring};
  different.back().keys[2] = KeyWithId(9, AeadId::kAesSivCmac256, 1);
  for (const StoredRing& changed : different) EXPECT_NE(SetOf(changed)->fingerprint(), fingerprint);
  // The same keys, but another one seals.
  EXPECT_NE(KeySet::Make(ring.keys, 0, 1, false)->fingerprint(), fingerprint);
}

// Whether the kernel lists `flag` ("lo" locked, "dd" not dumped, "wr" writable) for the mapping that holds `address`.
bool MappingHas(const void* address, const std::string& flag) {
  std::ifstream maps("/proc/self/smaps");
  std::string line;
  bool inside = false;
  while (std::getline(maps, line)) {
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;
    char dash = 0;
    std::istringstream words(line);
    if (words >> std::hex >> begin >> dash >> end && dash == '-') {
      const auto wanted = reinterpret_cast<std::uintptr_t>(address);
      inside = begin <= wanted && wanted < end;
    }
    if (inside && line.starts_with("VmFlags:")) return line.find(" " + flag) != std::string::npos;
  }
  return false;
}

TEST(KeySet, KeysStandInLockedReadOnlyPagesOutsideCoreDumps_R_CK_08) {
  const auto set = SetOf(RingOf({11, 10, 9}), 1, true);
  if (set == nullptr) GTEST_SKIP() << "this machine locks no memory for us";
  const void* const keys = set->entries().data();
  EXPECT_TRUE(MappingHas(keys, "dd"));
  EXPECT_FALSE(MappingHas(keys, "wr"));
  // Sanitizers turn mlock() into nothing.
  if (!kSanitized) {
    EXPECT_TRUE(MappingHas(keys, "lo"));
  }
}

TEST(KeySet, GivesNothingWhenMemoryMustBeLockedAndCannotBe) {
  if (kSanitized) GTEST_SKIP() << "sanitizers turn mlock() into nothing";
  const pid_t child = ::fork();
  if (child == 0) {
    const rlimit none{0, 0};
    if (::setrlimit(RLIMIT_MEMLOCK, &none) != 0) ::_exit(3);
    // Root may lock whatever the limit says.
    if (::geteuid() == 0 && ::setresuid(65534, 65534, 65534) != 0) ::_exit(3);
    if (SetOf(RingOf({11, 10}), 1, true) != nullptr) ::_exit(1);
    ::_exit(SetOf(RingOf({11, 10}), 1, false) != nullptr ? 0 : 2);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(KeySet, TheLargestRingFits) {
  FakeRandom random;
  StoredRing ring = MakeFreshRing(testing::At(0), random);
  while (ring.keys.size() < kKeysPerRingMax) ring = RotateRing(ring, 30, testing::At(0), testing::At(0), random);
  const auto set = SetOf(ring);
  EXPECT_EQ(set->entries().size(), kKeysPerRingMax);
  EXPECT_EQ(set->entries().back().age, 30U);
}

}  // namespace
}  // namespace ntsd
