#include "server/config/values.h"

#include <gtest/gtest.h>

#include <array>
#include <string>

namespace ntsd {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(ParseDuration, TakesEveryUnit) {
  EXPECT_EQ(ParseDuration("24h"), Duration(hours(24)));
  EXPECT_EQ(ParseDuration("5s"), Duration(seconds(5)));
  EXPECT_EQ(ParseDuration("500ms"), Duration(milliseconds(500)));
  EXPECT_EQ(ParseDuration("90m"), Duration(std::chrono::minutes(90)));
  EXPECT_EQ(ParseDuration("30d"), Duration(hours(720)));
  EXPECT_EQ(ParseDuration("7us"), Duration(7000));
  EXPECT_EQ(ParseDuration("7ns"), Duration(7));
  EXPECT_EQ(ParseDuration("0s"), Duration(0));
}

TEST(ParseDuration, RefusesOtherText) {
  for (const char* text : {"", "5", "s", "-5s", "5 s", " 5s", "5s ", "5x", "1.5s", "1h30m", "5S", "0x5s", "+5s",
                           "99999999999999999999s", "9223372036854775807s", "106752d"}) {
    EXPECT_EQ(ParseDuration(text), std::nullopt) << text;
  }
  EXPECT_TRUE(ParseDuration("106751d")) << "the last that fits";
}

TEST(FormatDuration, IsReadBackAsWritten) {
  for (const char* text : {"0s", "1ns", "999us", "500ms", "5s", "61s", "90m", "24h", "48h", "3d", "30d"}) {
    ASSERT_TRUE(ParseDuration(text)) << text;
    EXPECT_EQ(FormatDuration(*ParseDuration(text)), text);
  }
}

TEST(ParseCpuList, TakesRangesInAnyOrder) {
  EXPECT_EQ(ParseCpuList("0"), (std::vector<unsigned>{0}));
  EXPECT_EQ(ParseCpuList("0-3,8"), (std::vector<unsigned>{0, 1, 2, 3, 8}));
  EXPECT_EQ(ParseCpuList("8,0-1"), (std::vector<unsigned>{8, 0, 1}));
  EXPECT_EQ(ParseCpuList("1023"), (std::vector<unsigned>{1023}));
}

TEST(ParseCpuList, RefusesOtherText) {
  for (const char* text : {"", ",", "0,", ",0", "3-0", "0-", "-1", "0-3,2", "0,0", "1024", "0-4294967295", "a", "0 1",
                           "0-1-2", "99999999999"}) {
    EXPECT_EQ(ParseCpuList(text), std::nullopt) << text;
  }
}

TEST(FormatCpuList, IsReadBackAsWritten) {
  for (const char* text : {"0", "0-3,8", "8,0-1", "5,7,9"}) EXPECT_EQ(FormatCpuList(*ParseCpuList(text)), text);
}

TEST(IsNtpServerName, TakesNamesAndAddresses) {
  for (const char* text : {"ntp.example.com", "ntp", "xn--bcher-kva.example", "a-b.c", "ntp.example.com.", "192.0.2.1",
                           "2001:db8::1", "3com.example"}) {
    EXPECT_TRUE(IsNtpServerName(text)) << text;
  }
  EXPECT_TRUE(IsNtpServerName(std::string(49, 'a') + "." + std::string(49, 'b'))) << "99 octets";
}

TEST(IsNtpServerName, RefusesWhatARecordMayNotCarry) {
  for (const char* text : {"", ".", "-a.example", "a-.example", "a..b", "a b", "bücher.example", "fe80::1%eth0",
                           "192.0.2.256", "192.0.2", "[2001:db8::1]", "host:123", "under_score.example"}) {
    EXPECT_FALSE(IsNtpServerName(text)) << text;
  }
  EXPECT_FALSE(IsNtpServerName(std::string(50, 'a') + "." + std::string(49, 'b'))) << "100 octets";
  EXPECT_FALSE(IsNtpServerName(std::string(64, 'a')));
}

TEST(ParseReferenceId, TakesCharactersAndAddresses_R_NTP_10) {
  EXPECT_EQ(ParseReferenceId("GPS"), 0x47505300U);
  EXPECT_EQ(ParseReferenceId("LOCL"), 0x4C4F434CU);
  EXPECT_EQ(ParseReferenceId("192.0.2.1"), 0xC0000201U);
  for (const char* text : {"", "GALIL", "\x01", "é", "::1"}) EXPECT_EQ(ParseReferenceId(text), std::nullopt) << text;
}

TEST(QuoteToml, EscapesWhatTomlMustNotHold) { EXPECT_EQ(QuoteToml("a\"b\\c\nd"), R"("a\"b\\c\u000Ad")"); }

}  // namespace
}  // namespace ntsd
