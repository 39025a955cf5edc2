#include "server/ntsctl/text.h"

#include <gtest/gtest.h>

#include <limits>

namespace ntsd {
namespace {

TEST(FormatSeconds, TakesTheUnitThatSuits) {
  EXPECT_EQ(FormatSeconds(0), "0 s");
  EXPECT_EQ(FormatSeconds(1.5), "1.500 s");
  EXPECT_EQ(FormatSeconds(-0.0123), "-12.30 ms");
  EXPECT_EQ(FormatSeconds(123.4e-6), "123.4 us");
  EXPECT_EQ(FormatSeconds(12e-9), "12.00 ns");
  EXPECT_EQ(FormatSeconds(0.9999), "1.000 s") << "never 1000 of the smaller unit";
  EXPECT_EQ(FormatSeconds(1e-12), "0 s");
  EXPECT_EQ(FormatSeconds(86400), "86400.0 s");
  EXPECT_EQ(FormatSeconds(std::numeric_limits<double>::quiet_NaN()), "unknown");
}

TEST(FormatOffset, AlwaysHasASign) {
  EXPECT_EQ(FormatOffset(1e-3), "+1.000 ms");
  EXPECT_EQ(FormatOffset(-1e-3), "-1.000 ms");
  EXPECT_EQ(FormatOffset(0), "+0 s");
}

TEST(FormatAge, SaysTwoUnitsAtMost) {
  EXPECT_EQ(FormatAge(0), "0 s");
  EXPECT_EQ(FormatAge(59.4), "59 s");
  EXPECT_EQ(FormatAge(60), "1 min");
  EXPECT_EQ(FormatAge(3599), "59 min 59 s");
  EXPECT_EQ(FormatAge(3601), "1 h") << "seconds are noise beside hours";
  EXPECT_EQ(FormatAge(86400 * 3 + 3600 * 4 + 59), "3 d 4 h");
  EXPECT_EQ(FormatAge(-5), "0 s");
  EXPECT_EQ(FormatAge(1e300), "unknown");
}

TEST(FormatDate, IsUtc) {
  EXPECT_EQ(FormatDate(0), "1970-01-01 00:00:00 UTC");
  EXPECT_EQ(FormatDate(2'085'978'496), "2036-02-07 06:28:16 UTC");
  EXPECT_EQ(FormatDate(253'402'300'799), "9999-12-31 23:59:59 UTC");
  EXPECT_EQ(FormatDate(253'402'300'800), "unknown");
  EXPECT_EQ(FormatDate(-1), "unknown");
}

TEST(FormatDays, SaysHowFar) {
  EXPECT_EQ(FormatDays(86400 * 61, 0), "in 61 days");
  EXPECT_EQ(FormatDays(86400, 0), "in 1 day");
  EXPECT_EQ(FormatDays(86399, 0), "in less than a day");
  EXPECT_EQ(FormatDays(0, 5), "a moment ago");
  EXPECT_EQ(FormatDays(0, 3 * 86400), "3 days ago");
}

TEST(ReferenceIdText, DependsOnTheStratum) {
  EXPECT_EQ(ReferenceIdText(1, 0x47505300), "GPS");
  EXPECT_EQ(ReferenceIdText(2, 0xC0000201), "192.0.2.1");
  EXPECT_EQ(ReferenceIdText(1, 0x1B5B3041), "\\x1b[0A") << "nothing that a terminal obeys";
}

TEST(Printable, KeepsNamesAndEscapesControls) {
  EXPECT_EQ(Printable("CN=bücher.example"), "CN=bücher.example");
  EXPECT_EQ(Printable("a\x1b[2Jb\n"), "a\\x1b[2Jb\\x0a");
}

TEST(Palette, IsSilentWithoutATerminal) {
  EXPECT_EQ(Palette::None().Bad("x"), "x");
  EXPECT_EQ(Palette::ForTerminal().Bad("x"), "\x1b[31mx\x1b[0m");
}

}  // namespace
}  // namespace ntsd
