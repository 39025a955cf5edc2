#include "bench/load/flight_table.h"

#include <gtest/gtest.h>

#include <set>

namespace ntsd::load {
namespace {

using Found = FlightTable::Found;

TEST(FlightTable, FindsEveryRequestByItsStamps) {
  FlightTable table(64, 0x1234);
  std::set<std::uint64_t> stamps;
  for (int i = 0; i < 64; ++i) {
    const Flight& flight = table.Begin();
    const FlightTable::Match basic = table.Find(table.TransmitOf(flight));
    ASSERT_EQ(basic.found, Found::kFlight);
    EXPECT_EQ(basic.flight, &flight);
    EXPECT_FALSE(basic.is_interleaved);
    const FlightTable::Match interleaved = table.Find(table.ReceiveOf(flight));
    ASSERT_EQ(interleaved.found, Found::kFlight);
    EXPECT_EQ(interleaved.flight, &flight);
    EXPECT_TRUE(interleaved.is_interleaved);
    stamps.insert(table.TransmitOf(flight).bits);
    stamps.insert(table.ReceiveOf(flight).bits);
  }
  EXPECT_EQ(stamps.size(), 128U);
  EXPECT_FALSE(stamps.contains(0)) << "zero means unknown";
  EXPECT_EQ(table.open_count(), 64U);
}

TEST(FlightTable, KnowsNothingOfStampsThatItDidNotMake) {
  FlightTable table(64, 0x123456789ABCDEF0);
  FlightTable other(64, 0xFEDCBA9876543210);
  const Flight& flight = other.Begin();
  EXPECT_EQ(table.Find(other.TransmitOf(flight)).found, Found::kNothing) << "nothing was sent yet";
  for (int i = 0; i < 10; ++i) table.Begin();
  EXPECT_EQ(table.Find(other.TransmitOf(flight)).found, Found::kNothing) << "another secret";
  EXPECT_EQ(table.Find({0}).found, Found::kNothing);
  EXPECT_EQ(table.Find({~std::uint64_t{0}}).found, Found::kNothing);
}

TEST(FlightTable, RemembersThatAStampWasItsOwnWhenThePlaceIsTakenAgain) {
  FlightTable table(16, 0x123456789ABCDEF0);
  const NtpTimestamp first = table.TransmitOf(table.Begin());
  for (int i = 0; i < 15; ++i) table.Begin();
  EXPECT_EQ(table.Find(first).found, Found::kFlight);
  table.Begin();
  EXPECT_EQ(table.Find(first).found, Found::kTooOld);
  EXPECT_EQ(table.open_count(), 16U) << "the first was given up";
}

TEST(FlightTable, LeavesOutTheNumberThatWouldBecomeAnUnknownStamp) {
  // Under the secret 9 the fourth request's receive timestamp would be zero.
  FlightTable table(16, 9);
  for (int i = 0; i < 8; ++i) {
    const Flight& flight = table.Begin();
    EXPECT_NE(flight.number, 4U);
    EXPECT_FALSE(table.TransmitOf(flight).IsUnknown());
    EXPECT_FALSE(table.ReceiveOf(flight).IsUnknown());
  }
}

TEST(FlightTable, ClosesAnsweredAndWithdrawnRequestsOnce) {
  FlightTable table(16, 3);
  Flight& answered = table.Begin();
  Flight& withdrawn = table.Begin();
  table.Answer(answered);
  table.Answer(answered);
  table.Withdraw(withdrawn);
  EXPECT_EQ(table.open_count(), 0U);
  EXPECT_EQ(answered.state, FlightState::kAnswered);
  EXPECT_EQ(table.Find(table.TransmitOf(answered)).flight, &answered) << "a second answer is recognized";
}

TEST(FlightTable, GivesUpWhatIsTooOldAndNothingElse) {
  FlightTable table(16, 3);
  Flight* flights[4];
  for (int i = 0; i < 4; ++i) {
    flights[i] = &table.Begin();
    flights[i]->intended_ns = i * 100;
  }
  table.Answer(*flights[0]);
  table.GiveUp(200);
  EXPECT_EQ(flights[0]->state, FlightState::kAnswered);
  EXPECT_EQ(flights[1]->state, FlightState::kGivenUp);
  EXPECT_EQ(flights[2]->state, FlightState::kOpen) << "the border belongs to the young";
  EXPECT_EQ(table.open_count(), 2U);
  table.GiveUp(1000);
  EXPECT_EQ(table.open_count(), 0U);
}

}  // namespace
}  // namespace ntsd::load
