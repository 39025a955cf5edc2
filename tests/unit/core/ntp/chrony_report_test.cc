#include "core/ntp/chrony_report.h"

#include <gtest/gtest.h>

#include "tests/support/fake_chrony.h"
#include "tests/support/fakes.h"
#include "tests/support/hex.h"

namespace ntsd {
namespace {

using testing::ChronyTrackingReply;
using testing::FakeRandom;
using testing::FromHex;
using testing::ToChronyFloat;

constexpr std::uint32_t kSequence = 0x01020304;

// Recorded from chronyd 4.3, a second after it had synchronized to another one on loopback. `chronyc -c tracking` said:
// 7F000001,127.0.0.1,4,1795269442.438865177,-0.000001438,…,0.003,0.053,0.000005655,0.000000826,1.0,Normal
constexpr std::string_view kRecorded =
    "060200000021000500000000000000000102030400000000000000007f0000017f00000100000000000000000000000000010000"
    "00040000000000006b01a3421a288d19dd3efb4fd6926f3fd4b9e87af6a21d75f2c924cdfad80b85e0bdc015dad7cac904810ce6";

TEST(ChronyTracking, ReadsWhatChronydSends) {
  const auto reply = FromHex(kRecorded);
  ASSERT_EQ(reply.size(), kChronyTrackingSize);
  const auto tracking = ParseChronyTracking(reply, kSequence);
  ASSERT_TRUE(tracking);
  EXPECT_EQ(tracking->reference_id, 0x7F000001U);
  EXPECT_EQ(tracking->stratum, 4);
  EXPECT_EQ(tracking->leap, 0);
  EXPECT_EQ(tracking->reference_time, UnixTime(std::chrono::seconds(1795269442) + Duration(438865177)));
  EXPECT_EQ(tracking->correction, Duration(-1438));
  EXPECT_NEAR(tracking->residual_frequency_ppm, 0.003, 0.0005);
  EXPECT_NEAR(tracking->skew_ppm, 0.053, 0.0005);
  EXPECT_EQ(tracking->root_delay, Duration(5655));
  EXPECT_NEAR(static_cast<double>(tracking->root_dispersion.count()), 804, 3) << "a moment before chronyc asked";
}

TEST(ChronyTracking, AsksAsChronycDoes) {
  const auto request = WriteChronyTrackingRequest(kSequence);
  std::array<std::uint8_t, kChronyTrackingSize> expected{};
  const auto start = FromHex("06010000 0021 0000 01020304");
  std::copy(start.begin(), start.end(), expected.begin());
  EXPECT_EQ(request, expected) << "as large as the reply, or chronyd stays silent";
}

TEST(ChronyTracking, ReadsWhatTheFakeWrites) {
  FakeRandom random(3);
  for (int round = 0; round < 2000; ++round) {
    ChronyTracking tracking;
    tracking.reference_id = static_cast<std::uint32_t>(random.Next());
    tracking.stratum = static_cast<std::uint16_t>(random.Below(16));
    tracking.leap = static_cast<std::uint16_t>(random.Below(4));
    tracking.reference_time = UnixTime(Duration(static_cast<std::int64_t>(random.Below(7'000'000'000'000'000'000))));
    // 25 bits of coefficient: whole nanoseconds up to 8 ms come back exactly.
    tracking.correction = Duration(static_cast<std::int64_t>(random.Below(16'000'000)) - 8'000'000);
    tracking.root_delay = Duration(static_cast<std::int64_t>(random.Below(8'000'000)));
    tracking.root_dispersion = Duration(static_cast<std::int64_t>(random.Below(8'000'000)));
    const auto parsed = ParseChronyTracking(ChronyTrackingReply(tracking, kSequence), kSequence);
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->reference_id, tracking.reference_id);
    EXPECT_EQ(parsed->stratum, tracking.stratum);
    EXPECT_EQ(parsed->leap, tracking.leap);
    EXPECT_EQ(parsed->reference_time, tracking.reference_time);
    EXPECT_EQ(parsed->correction, tracking.correction);
    EXPECT_EQ(parsed->root_delay, tracking.root_delay);
    EXPECT_EQ(parsed->root_dispersion, tracking.root_dispersion);
  }
}

ChronyReportFault FaultOf(ByteView reply) {
  const auto tracking = ParseChronyTracking(reply, kSequence);
  EXPECT_FALSE(tracking);
  return tracking ? ChronyReportFault::kMalformed : tracking.error();
}

TEST(ChronyTracking, RefusesEveryTruncation) {
  const auto reply = FromHex(kRecorded);
  for (std::size_t size = 0; size < reply.size(); ++size) {
    EXPECT_EQ(FaultOf(ByteView(reply).first(size)), ChronyReportFault::kMalformed) << size;
  }
}

TEST(ChronyTracking, RefusesWhatIsNotTheAnswer) {
  const auto with = [](std::size_t index, std::uint8_t value) {
    auto reply = FromHex(kRecorded);
    reply[index] = value;
    return FaultOf(reply);
  };
  EXPECT_EQ(with(1, 1), ChronyReportFault::kMalformed) << "our own request, reflected";
  EXPECT_EQ(with(7, 6), ChronyReportFault::kMalformed) << "another kind of reply";
  EXPECT_EQ(with(5, 34), ChronyReportFault::kMismatched) << "to another command";
  for (std::size_t i = 16; i < 20; ++i) EXPECT_EQ(with(i, 0xEE), ChronyReportFault::kMismatched) << i;
  EXPECT_EQ(with(0, 5), ChronyReportFault::kRefused) << "another version";
  EXPECT_EQ(with(9, 2), ChronyReportFault::kRefused) << "not authorised";
}

TEST(ChronyTracking, TakesNonsenseTimesForNever) {
  auto reply = FromHex(kRecorded);
  reply[64] = 0xFF;  // nanoseconds
  EXPECT_EQ(ParseChronyTracking(reply, kSequence)->reference_time, UnixTime{});
  reply = FromHex(kRecorded);
  reply[57] = 1;  // the high half of the seconds
  EXPECT_EQ(ParseChronyTracking(reply, kSequence)->reference_time, UnixTime{});
}

TEST(ChronyTracking, UnderstandsAChronydWith32BitTime) {
  auto reply = FromHex(kRecorded);
  std::copy_n(FromHex("7fffffff").begin(), 4, reply.begin() + 56);
  EXPECT_EQ(ParseChronyTracking(reply, kSequence)->reference_time,
            UnixTime(std::chrono::seconds(1795269442) + Duration(438865177)));
}

TEST(ChronyFloat, HasTwoSignedParts) {
  EXPECT_EQ(ChronyFloat(0), 0);
  EXPECT_EQ(ChronyFloat(1U << 25 | 1U << 24), -1.0) << "coefficient -2^24, exponent 1";
  EXPECT_EQ(ChronyFloat(2U << 25 | 1U << 23), 1.0);
  EXPECT_EQ(ChronyFloat(0x80000001U), std::ldexp(1, -64 - 25)) << "the smallest";
  EXPECT_EQ(ChronyFloat(0x7EFFFFFFU), std::ldexp((1 << 24) - 1, 63 - 25)) << "the largest";
  for (const double value : {1.0, -1.0, 0.1, -0.000001438, 1e-9, 12345.678, -0.9999999999}) {
    EXPECT_NEAR(ChronyFloat(ToChronyFloat(value)), value, std::abs(value) * 1e-7) << value;
  }
}

TEST(SecondsToDuration, Saturates) {
  EXPECT_EQ(SecondsToDuration(1e-9), Duration(1));
  EXPECT_EQ(SecondsToDuration(-0.25), -std::chrono::milliseconds(250));
  EXPECT_EQ(SecondsToDuration(1e30), SecondsToDuration(1e9));
  EXPECT_EQ(SecondsToDuration(-1e30), SecondsToDuration(-1e9));
}

}  // namespace
}  // namespace ntsd
