#include "core/ntp/reference_sample.h"

#include <gtest/gtest.h>

#include "core/ntp/chrony_report.h"
#include "tests/support/fake_chrony.h"
#include "tests/support/fakes.h"

namespace ntsd {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ChronyTrackingReply;
using testing::FakeClock;

ClockReading Read(const Clock& clock) { return {clock.Now(), clock.Monotonic()}; }

class ChronySampleTest : public ::testing::Test {
 protected:
  ChronySampleTest() {
    tracking_.reference_id = 0xC0000207;
    tracking_.stratum = 3;
    tracking_.leap = 0;
    tracking_.correction = microseconds(-250);
    tracking_.reference_time = clock_.Now() - seconds(64);
    tracking_.root_delay = milliseconds(12);
    tracking_.root_dispersion = milliseconds(2);
  }
  Expected<ReferenceSample, ReferenceFault> Sample() {
    return SampleFromChrony(ChronyTrackingReply(tracking_, 9), 9, Read(clock_));
  }

  FakeClock clock_;
  ChronyTracking tracking_;
};

TEST_F(ChronySampleTest, MirrorsChronyd_R_NTP_08_10) {
  const auto sample = Sample();
  ASSERT_TRUE(sample);
  EXPECT_TRUE(sample->synchronized);
  EXPECT_EQ(sample->leap, LeapIndicator::kNone);
  EXPECT_EQ(sample->stratum, 3);
  EXPECT_EQ(sample->reference_id, 0xC0000207U);
  EXPECT_EQ(sample->offset, microseconds(-250));
  EXPECT_EQ(sample->root_delay, milliseconds(12));
  EXPECT_EQ(sample->root_dispersion, milliseconds(2) + microseconds(250))
      << "what is still to be corrected is an error";
  EXPECT_EQ(sample->dispersion_rate_ppb, 15'000U);
  EXPECT_EQ(sample->taken.wall, clock_.Now());
  EXPECT_FALSE(sample->knows_of_steps);
}

TEST_F(ChronySampleTest, PutsTheReferenceTimeOnTheSystemClock) {
  tracking_.correction = milliseconds(250);  // the system clock is slow
  EXPECT_EQ(Sample()->reference_time, clock_.Now() - seconds(64) - milliseconds(250));
  EXPECT_EQ(Sample()->source_update, tracking_.reference_time);
  // A system clock that is far behind must not show an update in the future.
  tracking_.correction = seconds(-100);
  EXPECT_EQ(Sample()->reference_time, clock_.Now());
}

TEST_F(ChronySampleTest, BelievesThatItIsNotSynchronized) {
  tracking_.leap = 3;
  EXPECT_FALSE(Sample()->synchronized);
  tracking_.leap = 0;
  for (const int stratum : {0, 16, 17, 65535}) {
    tracking_.stratum = static_cast<std::uint16_t>(stratum);
    EXPECT_FALSE(Sample()->synchronized) << stratum;
  }
  for (const int stratum : {1, 15}) {
    tracking_.stratum = static_cast<std::uint16_t>(stratum);
    EXPECT_TRUE(Sample()->synchronized) << stratum;
  }
  tracking_.leap = 4;
  EXPECT_FALSE(Sample()->synchronized) << "no such leap indicator";
}

TEST_F(ChronySampleTest, PassesLeapSecondsOn) {
  tracking_.leap = 1;
  EXPECT_EQ(Sample()->leap, LeapIndicator::kInsert);
  tracking_.leap = 2;
  EXPECT_EQ(Sample()->leap, LeapIndicator::kDelete);
}

TEST_F(ChronySampleTest, GrowsAsFastAsChronydIsUnsure) {
  tracking_.skew_ppm = 40;
  tracking_.residual_frequency_ppm = -10;
  EXPECT_NEAR(Sample()->dispersion_rate_ppb, 50'000U, 1);
  tracking_.skew_ppm = 1e12;
  EXPECT_EQ(Sample()->dispersion_rate_ppb, 1'000'000'000U);
}

TEST_F(ChronySampleTest, TellsErrorsAsPositive) {
  tracking_.root_delay = milliseconds(-5);
  tracking_.root_dispersion = milliseconds(-5);
  EXPECT_EQ(Sample()->root_delay, Duration::zero());
  EXPECT_EQ(Sample()->root_dispersion, microseconds(250));
}

TEST_F(ChronySampleTest, RefusesWhatIsNoAnswer) {
  const auto reply = ChronyTrackingReply(tracking_, 9);
  EXPECT_EQ(SampleFromChrony(reply, 10, Read(clock_)).error(), ReferenceFault::kMismatched);
  EXPECT_EQ(SampleFromChrony(ByteView(reply).first(103), 9, Read(clock_)).error(), ReferenceFault::kMalformed);
  EXPECT_EQ(SampleFromChrony(ChronyTrackingReply(tracking_, 9, 2), 9, Read(clock_)).error(), ReferenceFault::kRefused);
}

class NtpSampleTest : public ::testing::Test {
 protected:
  static constexpr std::uint64_t kNonce = 0x1122334455667788;

  NtpSampleTest() {
    sent_ = Read(clock_);
    clock_.Advance(microseconds(60));
    header_.mode = NtpMode::kServer;
    header_.stratum = 2;
    header_.reference_id = 0xC0000207;
    header_.reference = NtpTimestamp::FromUnix(sent_.wall - seconds(33));
    header_.root_delay = NtpShort::FromDuration(milliseconds(16));
    header_.root_dispersion = NtpShort::FromDuration(milliseconds(4));
    header_.origin.bits = kNonce;
    SetServerClockAhead(Duration::zero());
  }
  void SetServerClockAhead(Duration by) {
    header_.receive = NtpTimestamp::FromUnix(sent_.wall + microseconds(20) + by);
    header_.transmit = NtpTimestamp::FromUnix(sent_.wall + microseconds(40) + by);
  }
  Expected<ReferenceSample, ReferenceFault> Sample() {
    std::array<std::uint8_t, kNtpHeaderSize> reply{};
    ByteWriter writer(reply);
    header_.Write(writer);
    return SampleFromNtp(reply, kNonce, sent_, Read(clock_));
  }

  FakeClock clock_;
  ClockReading sent_;
  NtpHeader header_;
};

TEST_F(NtpSampleTest, MirrorsTheHeader_R_NTP_08_10) {
  const auto sample = Sample();
  ASSERT_TRUE(sample);
  EXPECT_TRUE(sample->synchronized);
  EXPECT_EQ(sample->stratum, 2);
  EXPECT_EQ(sample->reference_id, 0xC0000207U);
  EXPECT_NEAR(static_cast<double>(sample->offset.count()), 0, 2);
  EXPECT_NEAR(static_cast<double>((sample->root_delay - milliseconds(16)).count()), 0, 15'500) << "16 bits of fraction";
  EXPECT_NEAR(static_cast<double>((sample->root_dispersion - milliseconds(4) - microseconds(30)).count()), 0, 15'500);
  EXPECT_NEAR(static_cast<double>((sample->reference_time - (sent_.wall - seconds(33))).count()), 0, 3);
}

TEST_F(NtpSampleTest, CountsTheOffsetAsAnError) {
  SetServerClockAhead(milliseconds(-700));
  const auto sample = Sample();
  ASSERT_TRUE(sample);
  EXPECT_NEAR(static_cast<double>(sample->offset.count()), -700e6, 2);
  EXPECT_GE(sample->root_dispersion, milliseconds(704));
}

TEST_F(NtpSampleTest, WorksAcrossTheEraBoundary) {
  const UnixTime boundary(seconds((std::int64_t{1} << 32) - kNtpUnixOffset_s));
  clock_ = FakeClock(boundary - microseconds(30));
  sent_ = Read(clock_);
  clock_.Advance(microseconds(60));
  header_.reference = NtpTimestamp::FromUnix(sent_.wall - seconds(33));
  SetServerClockAhead(Duration::zero());
  EXPECT_NEAR(static_cast<double>(Sample()->offset.count()), 0, 2);
  EXPECT_NEAR(static_cast<double>((clock_.Now() - Sample()->reference_time).count()), 33e9 + 60e3, 5);
}

TEST_F(NtpSampleTest, BelievesThatItIsNotSynchronized) {
  header_.leap = LeapIndicator::kUnsynchronized;
  EXPECT_FALSE(Sample()->synchronized);
  header_.leap = LeapIndicator::kNone;
  header_.stratum = 16;
  EXPECT_FALSE(Sample()->synchronized);
  header_.stratum = 0;
  header_.reference_id = 0x494E4954;  // "INIT" is a state, not a kiss
  EXPECT_FALSE(Sample()->synchronized);
}

TEST_F(NtpSampleTest, RefusesEachWayOfBeingNoAnswer) {
  header_.origin.bits ^= 1;
  EXPECT_EQ(Sample().error(), ReferenceFault::kMismatched);
  header_.origin.bits = kNonce;
  header_.mode = NtpMode::kClient;
  EXPECT_EQ(Sample().error(), ReferenceFault::kMalformed);
  header_.mode = NtpMode::kServer;
  header_.version = 3;
  EXPECT_EQ(Sample().error(), ReferenceFault::kMalformed);
  header_.version = 4;
  header_.transmit = {};
  EXPECT_EQ(Sample().error(), ReferenceFault::kMalformed);
  EXPECT_EQ(SampleFromNtp({}, kNonce, sent_, Read(clock_)).error(), ReferenceFault::kMalformed);
}

TEST_F(NtpSampleTest, RefusesKisses) {
  header_.stratum = 0;
  for (const std::uint32_t code : {0x52415445U, 0x44454E59U, 0x52535452U}) {
    header_.reference_id = code;
    EXPECT_EQ(Sample().error(), ReferenceFault::kRefused) << code;
  }
}

TEST_F(NtpSampleTest, RefusesASlowAnswer) {
  clock_.Advance(kPollDelayMax - microseconds(60));
  EXPECT_TRUE(Sample());
  clock_.Advance(Duration(1));
  EXPECT_EQ(Sample().error(), ReferenceFault::kTooSlow);
}

TEST(NtpPollRequest, TellsNothingButTheNonce) {
  const NtpHeader request = NtpPollRequest(77);
  NtpHeader expected;
  expected.transmit.bits = 77;
  EXPECT_EQ(request, expected);
  EXPECT_EQ(request.mode, NtpMode::kClient);
  EXPECT_EQ(request.version, 4);
}

TEST(KernelSample, TakesWhatTheDaemonToldTheKernel) {
  const FakeClock clock;
  KernelClock kernel{.synchronized = true,
                     .leap = LeapIndicator::kInsert,
                     .error_max = milliseconds(17),
                     .error_estimated = microseconds(40),
                     .tai_offset = 37};
  const auto sample = SampleFromKernel(kernel, 2, kKernelReferenceId, clock.Now() - seconds(11), Read(clock));
  EXPECT_TRUE(sample.synchronized);
  EXPECT_TRUE(sample.knows_of_steps);
  EXPECT_EQ(sample.leap, LeapIndicator::kInsert);
  EXPECT_EQ(sample.stratum, 2);
  EXPECT_EQ(sample.reference_id, kKernelReferenceId);
  EXPECT_EQ(sample.root_dispersion, milliseconds(17));
  EXPECT_EQ(sample.root_delay, Duration::zero());
  EXPECT_EQ(sample.reference_time, clock.Now() - seconds(11));
  kernel.synchronized = false;
  EXPECT_FALSE(SampleFromKernel(kernel, 2, kKernelReferenceId, clock.Now(), Read(clock)).synchronized);
}

TEST(LocalSample, IsAlwaysSynchronized_R_NTP_10) {
  const FakeClock clock;
  const auto sample = LocalSample(10, Read(clock));
  EXPECT_TRUE(sample.synchronized);
  EXPECT_EQ(sample.stratum, 10);
  EXPECT_EQ(sample.reference_id, 0x7F7F0101U);
  EXPECT_EQ(sample.reference_time, clock.Now());
}

TEST(ReferenceFault, HasANameEach) {
  for (std::size_t i = 0; i < kReferenceFaultCount; ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      EXPECT_NE(ToString(static_cast<ReferenceFault>(i)), ToString(static_cast<ReferenceFault>(j)));
    }
    EXPECT_NE(ToString(static_cast<ReferenceFault>(i)), "unknown");
  }
}

}  // namespace
}  // namespace ntsd
