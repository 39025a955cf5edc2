#include "bench/load/stamp_book.h"

#include <gtest/gtest.h>

#include <cmath>

namespace ntsd::load {
namespace {

constexpr UnixTime kStart{std::chrono::seconds(1'767'225'600)};
UnixTime At(int us) { return kStart + std::chrono::microseconds(us); }
NtpTimestamp StampAt(int us) { return NtpTimestamp::FromUnix(At(us)); }
int Us(Duration time) { return static_cast<int>(std::lround(static_cast<double>(time.count()) / 1000)); }

TEST(StampBook, MeasuresBothWaysAndTheOffset) {
  StampBook book(1);
  const std::uint16_t index = book.Begin(0);
  book.Sent(0, At(100));
  book.Answered(index, StampAt(110), StampAt(130), At(134), false);
  const StampQuality quality = book.Finish();
  EXPECT_EQ(Us(quality.receive_error.Summarize().median), 10);
  EXPECT_EQ(Us(quality.transmit_error.Summarize().median), 4);
  EXPECT_EQ(Us(quality.offset_error.Summarize().median), 3) << "half of 10 - 4";
  EXPECT_EQ(quality.incomplete, 0U);
}

TEST(StampBook, TakesStampsInAnyOrderAndToldTwice) {
  StampBook book(1);
  const std::uint16_t index = book.Begin(0);
  book.Answered(index, StampAt(1), StampAt(2), At(3), false);
  book.Sent(0, At(0));
  book.Sent(0, At(0));
  EXPECT_EQ(book.Finish().receive_error.seen(), 1U);
}

TEST(StampBook, CountsWhatIsNotComplete) {
  StampBook book(1);
  book.Begin(0);
  const std::uint16_t second = book.Begin(0);
  book.Sent(0, At(0));
  book.Answered(second, StampAt(1), StampAt(2), At(3), false);
  book.Begin(0);
  book.Withdraw();
  EXPECT_EQ(book.Finish().incomplete, 2U);
}

TEST(StampBook, AServerThatStampsAheadShowsNegative) {
  StampBook book(1);
  const std::uint16_t index = book.Begin(0);
  book.Sent(0, At(0));
  book.Answered(index, StampAt(5), StampAt(20), At(18), false);
  EXPECT_EQ(Us(book.Finish().transmit_error.Summarize().median), -2);
}

TEST(StampBook, InterleavedStampsBelongToTheAnswerBefore) {
  StampBook book(2);
  const std::uint16_t first = book.Begin(1);
  book.Sent(0, At(0));
  book.Answered(first, StampAt(6), StampAt(10), At(14), false);
  const std::uint16_t second = book.Begin(1);
  book.Sent(1, At(1000));
  // The transmit stamp tells when the first answer really left.
  book.Answered(second, StampAt(1006), StampAt(12), At(1014), true);
  const StampQuality quality = book.Finish();
  EXPECT_EQ(quality.interleaved, 1U);
  EXPECT_EQ(Us(quality.transmit_error.Summarize().min), 2) << "14 - 12, not 1014 - 12";
  EXPECT_EQ(Us(quality.offset_error.Summarize().max), 2) << "half of 6 - 2";
}

TEST(StampBook, ForgetsExchangesThatAreTooOld) {
  StampBook book(1);
  for (std::size_t i = 0; i < StampBook::kExchangesMax + 1; ++i) book.Begin(0);
  book.Sent(0, At(0));  // its place has another exchange now
  const StampQuality quality = book.Finish();
  EXPECT_EQ(quality.incomplete, StampBook::kExchangesMax + 1);
}

}  // namespace
}  // namespace ntsd::load
