#include "server/reference/kernel_source.h"

#include <gtest/gtest.h>

#include "tests/support/fakes.h"

namespace ntsd {
namespace {

using std::chrono::microseconds;
using std::chrono::seconds;

timex Figures(int status = STA_PLL) {
  timex figures{};
  figures.status = status;
  figures.maxerror = 12'000;
  figures.esterror = 300;
  figures.tai = 37;
  return figures;
}

TEST(KernelClock, PutsAdjtimexInOurWords) {
  const KernelClock kernel = ReadKernelClock(TIME_OK, Figures());
  EXPECT_TRUE(kernel.synchronized);
  EXPECT_EQ(kernel.leap, LeapIndicator::kNone);
  EXPECT_EQ(kernel.error_max, microseconds(12'000));
  EXPECT_EQ(kernel.error_estimated, microseconds(300));
  EXPECT_EQ(kernel.tai_offset, 37);
}

TEST(KernelClock, IsUnsynchronizedInEitherWay) {
  EXPECT_FALSE(ReadKernelClock(TIME_ERROR, Figures()).synchronized);
  EXPECT_FALSE(ReadKernelClock(TIME_OK, Figures(STA_PLL | STA_UNSYNC)).synchronized);
}

TEST(KernelClock, KnowsLeapSecondsByItsState) {
  EXPECT_EQ(ReadKernelClock(TIME_INS, Figures(STA_INS)).leap, LeapIndicator::kInsert);
  EXPECT_EQ(ReadKernelClock(TIME_OOP, Figures(STA_INS)).leap, LeapIndicator::kInsert);
  EXPECT_EQ(ReadKernelClock(TIME_DEL, Figures(STA_DEL)).leap, LeapIndicator::kDelete);
  EXPECT_EQ(ReadKernelClock(TIME_WAIT, Figures(STA_INS)).leap, LeapIndicator::kNone) << "over; the flag stays set";
}

class KernelSourceTest : public ::testing::Test {
 protected:
  testing::FakeClock clock_;
  timex figures_ = Figures();
  int state_ = TIME_OK;
  KernelSource source_{4, 0x47505300, clock_, [this](timex* figures) {
                         EXPECT_EQ(figures->modes, 0U) << "never sets anything";
                         *figures = figures_;
                         return state_;
                       }};
};

TEST_F(KernelSourceTest, DatesTheUpdateToWhenTheErrorFell) {
  EXPECT_EQ(source_.Poll()->reference_time, clock_.Now());
  const UnixTime first = clock_.Now();
  for (int i = 0; i < 5; ++i) {
    clock_.Advance(seconds(1));
    figures_.maxerror += 500;  // as the kernel does by itself
    EXPECT_EQ(source_.Poll()->reference_time, first);
  }
  clock_.Advance(seconds(1));
  figures_.maxerror = 11'000;
  EXPECT_EQ(source_.Poll()->reference_time, clock_.Now());
}

TEST_F(KernelSourceTest, GivesWhatIsConfigured) {
  const auto sample = source_.Poll();
  ASSERT_TRUE(sample);
  EXPECT_EQ(sample->stratum, 4);
  EXPECT_EQ(sample->reference_id, 0x47505300U);
  EXPECT_EQ(sample->root_dispersion, microseconds(12'000));
}

TEST_F(KernelSourceTest, SaysWhenTheKernelDoesNot) {
  state_ = -1;
  EXPECT_EQ(source_.Poll().error(), ReferenceFault::kSystem);
}

}  // namespace
}  // namespace ntsd
