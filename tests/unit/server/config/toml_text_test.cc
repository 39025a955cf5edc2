#include "server/config/toml_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "server/config/load.h"
#include "tests/unit/server/config/config_text.h"

namespace ntsd {
namespace {

using ::ntsd::testing::Complaints;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(FindBadUtf8, TakesWhatRfc3629Allows) {
  for (const char* const text : {"", "abc", "é", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80",
                                 "\xEF\xBF\xBF", "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF"}) {
    EXPECT_EQ(FindBadUtf8(text), std::nullopt) << text;
  }
}

TEST(FindBadUtf8, FindsWhatIsNone) {
  for (const char* const letter :
       {"\x80", "\xBF", "\xC0\x80", "\xC1\xBF", "\xC3", "\xC3(", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xE2\x82",
        "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF"}) {
    EXPECT_EQ(FindBadUtf8(std::string("aé") + letter + "b"), 3U) << letter;
  }
}

TEST(HiddenText, HasNothingBeyondAsciiAndIsShownAgain) {
  for (const char* const text : {"", "é = 'ü'", "~", "~C3", "~~é~7E", "日本\n𝄞"}) {
    const HiddenText hidden(text);
    EXPECT_TRUE(std::all_of(hidden.text().begin(), hidden.text().end(), [](char c) { return c >= 0; })) << text;
    EXPECT_EQ(ShowLetters(hidden.text()), text);
  }
  EXPECT_EQ(HiddenText("\xEF\xBB\xBF a").text(), " a");
}

TEST(HiddenText, KnowsTheColumnsOfTheOriginal) {
  const HiddenText hidden("é~a\nb日c\n");
  EXPECT_EQ(hidden.text(), "~C3~A9~7Ea\nb~E6~97~A5c\n");
  EXPECT_EQ(hidden.ShownColumn(1, 1), 1U);
  EXPECT_EQ(hidden.ShownColumn(1, 7), 2U) << "~";
  EXPECT_EQ(hidden.ShownColumn(1, 10), 3U) << "a";
  EXPECT_EQ(hidden.ShownColumn(2, 11), 3U) << "c";
  EXPECT_EQ(hidden.ShownColumn(9, 5), 5U) << "no such line";
}

TEST(ParseConfig, TakesLettersBeyondAsciiInStringsAndComments) {
  const LoadResult loaded = ParseConfig(
      "# é\n[[ntp]]\nlisten = ['127.0.0.1:123'] # ü\n[keys]\nfile = \"/var/lib/ntsd/schlüssel~1\"\n", "ntsd.toml", {});
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->config.keys.file, "/var/lib/ntsd/schlüssel~1");
}

TEST(ParseConfig, NamesThePlaceOfALetterBeyondAscii) {
  EXPECT_THAT(Complaints("[[ntp]]\n[log]\nlével = 1\n"), ElementsAre(HasSubstr("ntsd.toml:3:2: not TOML")));
  EXPECT_THAT(Complaints("[log]\nlevel = \"é\" é\n"), ElementsAre(HasSubstr("ntsd.toml:2:13: not TOML")));
  // What toml++ itself does not survive.
  for (const char* const value : {"0é", "0[\"\xEF\xBB\xBB", "1\"é\"", "[1=\"é\"]", "2000-01-01é"}) {
    EXPECT_THAT(Complaints(std::string("[log]\nlevel = ") + value + "\n"), ElementsAre(HasSubstr("ntsd.toml:2:")))
        << value;
  }
}

TEST(ParseConfig, NamesThePlaceOfWhatIsNoUtf8) {
  EXPECT_THAT(Complaints("[log]\nlevel = \"é\xFF\"\n"), ElementsAre("ntsd.toml:2:11: not TOML: expected UTF-8"));
}

}  // namespace
}  // namespace ntsd
