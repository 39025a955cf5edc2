#include "core/ntp/leap_file.h"

#include <gtest/gtest.h>

#include <string>

namespace ntsd {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

// The last lines of the list of 2016, cut down. The hash is by an independent program (Python's hashlib).
constexpr std::string_view kList =
    "# A comment, and an empty line:\n"
    "\n"
    "#$ 3676924800\n"
    "#@ 3707596800\n"
    "3550089600 35 # 1 Jul 2012\n"
    "3644697600\t36\t# 1 Jul 2015\n"
    "3692217600 37 # 1 Jan 2017\n"
    "#h 604b25d3 19368243 a2485049 28514edf 2f9817c8\n";

const UnixTime k2015(seconds(1'435'708'800));
const UnixTime k2017(seconds(1'483'228'800));

std::string Replaced(std::string_view from, std::string_view to) {
  std::string text(kList);
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

LeapFileFault FaultOf(std::string_view text) {
  const auto table = ParseLeapFile(text);
  EXPECT_FALSE(table);
  return table ? LeapFileFault::kTooLarge : table.error();
}

TEST(LeapFile, ReadsWhatIersPublishes) {
  const auto table = ParseLeapFile(kList);
  ASSERT_TRUE(table) << ToString(table.error());
  ASSERT_EQ(table->entries.size(), 3U);
  EXPECT_EQ(table->entries[1].at, k2015);
  EXPECT_EQ(table->entries[2].at, k2017);
  EXPECT_EQ(table->entries[2].tai_offset, 37);
  EXPECT_EQ(table->updated, UnixTime(seconds(3'676'924'800 - kNtpUnixOffset_s)));
  EXPECT_EQ(table->expires, UnixTime(seconds(3'707'596'800 - kNtpUnixOffset_s)));
}

TEST(LeapFile, ReadsWindowsLineEndsAndNoLastNewline) {
  std::string text;
  for (const char c : kList) text += c == '\n' ? std::string("\r\n") : std::string(1, c);
  EXPECT_TRUE(ParseLeapFile(text));
  EXPECT_TRUE(ParseLeapFile(kList.substr(0, kList.size() - 1)));
}

TEST(LeapFile, RefusesEachMissingPart) {
  EXPECT_EQ(FaultOf(Replaced("#$ 3676924800\n", "")), LeapFileFault::kNoUpdateTime);
  EXPECT_EQ(FaultOf(Replaced("#@ 3707596800\n", "")), LeapFileFault::kNoExpiry);
  EXPECT_EQ(FaultOf(Replaced("#h", "# h")), LeapFileFault::kNoHash);
  EXPECT_EQ(FaultOf("#$ 1\n#@ 2\n#h 0 0 0 0 0\n"), LeapFileFault::kNoLeapSeconds);
  EXPECT_EQ(FaultOf(""), LeapFileFault::kNoUpdateTime);
}

TEST(LeapFile, RefusesMalformedLines) {
  for (const char* line : {"3692217600\n", "3692217600 x\n", "x 37\n", "3692217600 37 38\n", "-3692217600 37\n",
                           "36922176000 37\n", "3692217600 65536\n", "3692217600 -1\n"}) {
    EXPECT_EQ(FaultOf(Replaced("3692217600 37 # 1 Jan 2017\n", line)), LeapFileFault::kMalformedLine) << line;
  }
  EXPECT_EQ(FaultOf(Replaced("#$ 3676924800", "#$ soon")), LeapFileFault::kMalformedLine);
  EXPECT_EQ(FaultOf(Replaced(" 2f9817c8", "")), LeapFileFault::kMalformedLine) << "a short hash";
  EXPECT_EQ(FaultOf(Replaced(" 2f9817c8", " 2f9817c8f")), LeapFileFault::kMalformedLine);
}

TEST(LeapFile, RefusesImpossibleTables) {
  EXPECT_EQ(FaultOf(Replaced("3692217600 37", "3692217601 37")), LeapFileFault::kNotAtMonthEnd);
  EXPECT_EQ(FaultOf(Replaced("3692217600 37", "3692217600 38")), LeapFileFault::kNotInOrder);
  EXPECT_EQ(FaultOf(Replaced("3692217600 37", "3644697600 37")), LeapFileFault::kNotInOrder);
}

TEST(LeapFile, RefusesEveryAlteredDigit) {
  int altered = 0;
  for (std::size_t i = 0; i < kList.size(); ++i) {
    const std::size_t line_start = kList.rfind('\n', i) + 1;
    const std::size_t comment = kList.find('#', line_start);
    const bool is_data =
        comment > i || (kList[line_start] == '#' && (kList[line_start + 1] == '$' || kList[line_start + 1] == '@'));
    if (!is_data || kList[i] < '0' || kList[i] > '9') continue;
    std::string text(kList);
    text[i] = text[i] == '9' ? '8' : static_cast<char>(text[i] + 1);
    EXPECT_FALSE(ParseLeapFile(text)) << text.substr(line_start, 20);
    ++altered;
  }
  EXPECT_EQ(altered, 20 + 3 * 12);
}

TEST(LeapFile, RefusesWhatIsTooLarge) {
  std::string text(kList);
  text.append(kLeapFileSizeMax - text.size(), '#');
  EXPECT_TRUE(ParseLeapFile(text));
  text += '#';
  EXPECT_EQ(FaultOf(text), LeapFileFault::kTooLarge);
}

TEST(LeapTable, KnowsTheNextLeapSecondUntilTheNoonAfterIt) {
  const auto table = ParseLeapFile(kList);
  ASSERT_TRUE(table);
  const LeapSecond next{.at = k2017, .change = 1, .passed = false, .known_in_time = true};
  EXPECT_EQ(table->NearestTo(k2015 + hours(12)), next);
  EXPECT_EQ(table->NearestTo(k2017 + hours(12) - Duration(1)), next);
  EXPECT_EQ(table->NearestTo(k2017 + hours(12)), LeapSecond{});
  EXPECT_EQ(table->NearestTo(k2015 + hours(12) - Duration(1)).at, k2015);
  EXPECT_EQ(table->NearestTo(k2015 - hours(100'000)).at, k2015) << "the first entry is no leap second";
}

TEST(LeapTable, KnowsDeletedSeconds) {
  LeapTable table;
  table.entries = {{UnixTime{}, 10}, {k2017, 9}};
  EXPECT_EQ(table.NearestTo(k2017 - hours(1)).change, -1);
}

TEST(LeapTable, Expires) {
  const auto table = ParseLeapFile(kList);
  ASSERT_TRUE(table);
  EXPECT_FALSE(table->IsExpired(table->expires - Duration(1)));
  EXPECT_TRUE(table->IsExpired(table->expires));
}

}  // namespace
}  // namespace ntsd
