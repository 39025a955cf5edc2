#include "bench/load/cpu_meter.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace ntsd::load {
namespace {

TEST(CpuMeter, ReadsTheKernelsLines) {
  EXPECT_EQ(ParseSchedstat("123456789 1000 42"), Duration(123456789));
  EXPECT_FALSE(ParseSchedstat(""));
  const std::string stat = "42 (a ) b) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0 1 0 5";
  EXPECT_EQ(ParseStat(stat, 100), std::chrono::seconds(3)) << "names may have brackets and blanks";
  EXPECT_FALSE(ParseStat("42 a S", 100));
  EXPECT_FALSE(ParseStat("42 (a) S 1 2", 100));
}

TEST(CpuMeter, SeesThisProcessWork) {
  const std::optional<Duration> before = ProcessCpuTime(getpid());
  ASSERT_TRUE(before);
  const Duration own_before = ThreadCpuTime();
  // Ends: the thread's clock runs while it works.
  while (ThreadCpuTime() - own_before < std::chrono::milliseconds(30)) {
  }
  const std::optional<Duration> after = ProcessCpuTime(getpid());
  ASSERT_TRUE(after);
  EXPECT_GE(*after - *before, std::chrono::milliseconds(10)) << "a clock tick is 10 ms";
  EXPECT_FALSE(ProcessCpuTime(-1));
}

}  // namespace
}  // namespace ntsd::load
