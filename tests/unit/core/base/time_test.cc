#include "core/base/time.h"

#include <gtest/gtest.h>

#include "tests/support/fakes.h"

namespace ntsd {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

UnixTime At(std::int64_t unix_seconds, std::int64_t ns = 0) {
  return UnixTime(seconds(unix_seconds) + nanoseconds(ns));
}

constexpr std::int64_t kEra1 = (std::int64_t{1} << 32) - kNtpUnixOffset_s;  // 2036-02-07T06:28:16Z

TEST(NtpTimestamp, KnownTimes) {
  EXPECT_EQ(NtpTimestamp::FromUnix(At(0)).bits, 0x83AA7E8000000000U);
  EXPECT_EQ(NtpTimestamp::FromUnix(At(1'767'225'600)).bits, 0xED00378000000000U) << "2026-01-01";
  EXPECT_EQ(NtpTimestamp::FromUnix(At(kEra1 - 1)).bits, 0xFFFFFFFF00000000U) << "2036-02-07T06:28:15Z";
  EXPECT_EQ(NtpTimestamp::FromUnix(At(kEra1, 1)).bits, 4U) << "a nanosecond into era 1";
  EXPECT_EQ(NtpTimestamp::FromUnix(At(kEra1 + 1)).bits, 0x0000000100000000U);
  // 2038-01-19T03:14:08Z: where 32-bit Unix time ends.
  EXPECT_EQ(NtpTimestamp::FromUnix(At(std::int64_t{1} << 31)).bits, 0x03AA7E8000000000U);
}

TEST(NtpTimestamp, FractionsAreBinaryAndRoundedDown) {
  EXPECT_EQ(NtpTimestamp::FromUnix(At(0, 500'000'000)).bits & 0xFFFFFFFF, 0x80000000U);
  EXPECT_EQ(NtpTimestamp::FromUnix(At(0, 250'000'000)).bits & 0xFFFFFFFF, 0x40000000U);
  EXPECT_EQ(NtpTimestamp::FromUnix(At(0, 1)).bits & 0xFFFFFFFF, 4U);
  EXPECT_EQ(NtpTimestamp::FromUnix(At(0, 999'999'999)).bits & 0xFFFFFFFF, 0xFFFFFFFBU);
}

TEST(NtpTimestamp, ARealTimeIsNeverUnknown) {  // R-NTP-18
  EXPECT_EQ(NtpTimestamp::FromUnix(At(kEra1)).bits, 1U) << "the very start of era 1 would encode as zero";
  EXPECT_FALSE(NtpTimestamp::FromUnix(At(kEra1)).IsUnknown());
  EXPECT_FALSE(NtpTimestamp::FromUnix(At(-kNtpUnixOffset_s)).IsUnknown()) << "1900";
  EXPECT_TRUE(NtpTimestamp{}.IsUnknown());
}

TEST(NtpTimestamp, ComesBackToTheNanosecondAroundAnyPivot) {
  testing::FakeRandom random(11);
  // 1950 to 2160: eras 0 and 1, with pivots up to 2230 (UnixTime ends in 2262).
  for (std::int64_t year = -20; year < 190; ++year) {
    for (int i = 0; i < 100; ++i) {
      const UnixTime time = At(year * 31'556'952 + static_cast<std::int64_t>(random.Below(31'556'952)),
                               static_cast<std::int64_t>(random.Below(1'000'000'000)));
      // Within 68 years of the pivot.
      const auto away = static_cast<std::int64_t>(random.Below(4'200'000'000)) - 2'100'000'000;
      const UnixTime pivot = time + seconds(away) + nanoseconds(random.Below(1'000'000'000));
      const UnixTime back = NtpTimestamp::FromUnix(time).ToUnix(pivot);
      // Both ends were rounded down to 233 ps.
      ASSERT_LE(std::chrono::abs(back - time), nanoseconds(1)) << time.time_since_epoch().count() << ' ' << away;
    }
  }
}

TEST(NtpTimestamp, ComesBackExactlyAroundItself) {
  for (std::int64_t ns = 0; ns < 1'000'000'000; ns += 1'234'567) {
    const UnixTime time = At(1'767'225'600, ns);
    EXPECT_EQ(NtpTimestamp::FromUnix(time).ToUnix(At(1'767'225'600)), time);
  }
}

TEST(Difference, IsRightAcrossTheEraBoundary) {
  for (const Duration apart :
       {Duration(nanoseconds(1000)), Duration(milliseconds(5)), Duration(hours(24 * 365 * 60))}) {
    const UnixTime before = At(kEra1) - apart / 2;
    const UnixTime after = before + apart;
    const NtpTimestamp early = NtpTimestamp::FromUnix(before);
    const NtpTimestamp late = NtpTimestamp::FromUnix(after);
    EXPECT_LE(std::chrono::abs(Difference(late, early) - apart), nanoseconds(1));
    EXPECT_LE(std::chrono::abs(Difference(early, late) + apart), nanoseconds(1));
  }
}

TEST(Difference, OfEqualTimesIsZero) {
  EXPECT_EQ(Difference(NtpTimestamp{0x123456789ABCDEF0}, NtpTimestamp{0x123456789ABCDEF0}), Duration::zero());
}

TEST(NtpShort, RoundsUpSinceItBoundsAnError) {
  EXPECT_EQ(NtpShort::FromDuration(nanoseconds(0)).bits, 0U);
  EXPECT_EQ(NtpShort::FromDuration(nanoseconds(1)).bits, 1U);
  EXPECT_EQ(NtpShort::FromDuration(nanoseconds(15'258)).bits, 1U);
  EXPECT_EQ(NtpShort::FromDuration(nanoseconds(15'259)).bits, 2U);
  EXPECT_EQ(NtpShort::FromDuration(seconds(1)).bits, 0x10000U);
  EXPECT_EQ(NtpShort::FromDuration(milliseconds(500)).bits, 0x8000U);
  EXPECT_EQ(NtpShort::FromDuration(nanoseconds(999'999'999)).bits, 0x10000U) << "the carry reaches the seconds";
}

TEST(NtpShort, NeverTellsLessThanTheTruth) {
  testing::FakeRandom random(5);
  for (int i = 0; i < 100'000; ++i) {
    const Duration error(static_cast<std::int64_t>(random.Below(20'000'000'000)));
    const Duration told = NtpShort::FromDuration(error).ToDuration();
    ASSERT_GE(told + nanoseconds(1), error) << "ToDuration rounds down";
    ASSERT_LE(told, error + nanoseconds(15'259));
  }
}

TEST(NtpShort, Saturates) {
  EXPECT_EQ(NtpShort::FromDuration(seconds(65'535)).bits, 0xFFFF0000U);
  EXPECT_EQ(NtpShort::FromDuration(seconds(65'535) + nanoseconds(999'999'999)).bits, 0xFFFFFFFFU);
  EXPECT_EQ(NtpShort::FromDuration(seconds(65'536)).bits, 0xFFFFFFFFU);
  EXPECT_EQ(NtpShort::FromDuration(Duration::max()).bits, 0xFFFFFFFFU);
  EXPECT_EQ(NtpShort::FromDuration(nanoseconds(-1)).bits, 0U);
  EXPECT_EQ(NtpShort::FromDuration(Duration::min()).bits, 0U);
}

TEST(NtpShort, EveryHighBitPatternComesBack) {
  for (std::uint64_t bits = 0; bits <= 0xFFFFFFFF; bits += 0xFFFF1) {
    const NtpShort value{static_cast<std::uint32_t>(bits)};
    ASSERT_EQ(NtpShort::FromDuration(value.ToDuration()).bits, value.bits) << bits;
  }
}

}  // namespace
}  // namespace ntsd
