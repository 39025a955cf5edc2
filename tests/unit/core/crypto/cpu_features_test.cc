#include "core/crypto/cpu_features.h"

#include <gtest/gtest.h>

namespace ntsd {
namespace {

// As AMD's Zen 4 answers on Linux.
constexpr CpuFeatures kComplete{
    .leaf1_ecx = 0xFEFA3203, .leaf7_ebx = 0xF1BF97A9, .leaf7_ecx = 0x00405FCE, .xcr0 = 0x2E7};

TEST(CpuFeatures, FindsEverythingOnACompleteCpu) {
  EXPECT_TRUE(kComplete.HasAesNi());
  EXPECT_TRUE(kComplete.HasVaes256());
  EXPECT_TRUE(kComplete.HasVaes512());
}

TEST(CpuFeatures, FindsNothingOnAnOldCpu) {
  EXPECT_FALSE(CpuFeatures{}.HasAesNi());
  EXPECT_FALSE(CpuFeatures{}.HasVaes256());
  EXPECT_FALSE(CpuFeatures{}.HasVaes512());
}

// Clouds hide single bits, so each is looked at.
TEST(CpuFeatures, NeedsEveryPart) {
  const auto without = [](std::uint32_t CpuFeatures::*leaf, unsigned bit) {
    CpuFeatures features = kComplete;
    features.*leaf &= ~(std::uint32_t{1} << bit);
    return features;
  };
  for (const unsigned bit : {1U, 9U, 19U, 25U}) EXPECT_FALSE(without(&CpuFeatures::leaf1_ecx, bit).HasAesNi()) << bit;
  for (const unsigned bit : {1U, 9U, 19U, 25U, 27U, 28U}) {
    EXPECT_FALSE(without(&CpuFeatures::leaf1_ecx, bit).HasVaes256()) << bit;
    EXPECT_FALSE(without(&CpuFeatures::leaf1_ecx, bit).HasVaes512()) << bit;
  }
  for (const unsigned bit : {9U, 10U}) {
    EXPECT_TRUE(without(&CpuFeatures::leaf7_ecx, bit).HasAesNi()) << bit;
    EXPECT_FALSE(without(&CpuFeatures::leaf7_ecx, bit).HasVaes256()) << bit;
    EXPECT_FALSE(without(&CpuFeatures::leaf7_ecx, bit).HasVaes512()) << bit;
  }
  EXPECT_FALSE(without(&CpuFeatures::leaf7_ebx, 5).HasVaes256());
  for (const unsigned bit : {16U, 17U, 30U, 31U}) {
    EXPECT_TRUE(without(&CpuFeatures::leaf7_ebx, bit).HasVaes256()) << bit;
    EXPECT_FALSE(without(&CpuFeatures::leaf7_ebx, bit).HasVaes512()) << bit;
  }
}

// A kernel that does not save wide registers makes them unusable, whatever the CPU says.
TEST(CpuFeatures, NeedsTheKernelToSaveTheRegisters) {
  CpuFeatures features = kComplete;
  features.xcr0 = 0x3;
  EXPECT_TRUE(features.HasAesNi());
  EXPECT_FALSE(features.HasVaes256());
  features.xcr0 = 0x7;
  EXPECT_TRUE(features.HasVaes256());
  EXPECT_FALSE(features.HasVaes512());
  for (const unsigned bit : {5U, 6U, 7U}) {
    features.xcr0 = 0xE7 & ~(std::uint64_t{1} << bit);
    EXPECT_FALSE(features.HasVaes512()) << bit;
  }
}

}  // namespace
}  // namespace ntsd
