#include "server/config/toml_letters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/server/config/config_text.h"

namespace ntsd {
namespace {

using ::ntsd::testing::Complaints;
using ::testing::ElementsAre;

TEST(FindLetterBeyondAscii, AllowsThemInStringsAndComments) {
  for (const char* const text : {
           "",
           "a = 1\n",
           "# é\n",
           "a = 1 # é",
           "a = \"é\"\n",
           "a = 'é'\n",
           "a = \"\\\"é\"\n",
           "a = '\\' # é\n",
           "a = \"\"\"x\né\"\"\"\n",
           "a = '''\né'''\n",
           "a = \"\"\"é\"\"\"\"\"\n",
           "a = \"\" # é\n",
           "\xEF\xBB\xBF a = 1\n",
           "\xEF\xBB\xBF'é' = 1\n",
           "a.'é' = [ 'é', {'é' = \"é\"},\n\t'é' ]\n'é' = 1",
       }) {
    EXPECT_EQ(FindLetterBeyondAscii(text), std::nullopt) << text;
  }
}

TEST(FindLetterBeyondAscii, FindsThemElsewhere) {
  EXPECT_EQ(FindLetterBeyondAscii("é = 1"), 0U);
  EXPECT_EQ(FindLetterBeyondAscii("a = é"), 4U);
  EXPECT_EQ(FindLetterBeyondAscii("a = \"x\" é"), 8U);
  EXPECT_EQ(FindLetterBeyondAscii("# x\né"), 4U);
  EXPECT_EQ(FindLetterBeyondAscii("a = \"x\né"), 7U);
  EXPECT_EQ(FindLetterBeyondAscii("a = '''x''' é"), 12U);
  EXPECT_EQ(FindLetterBeyondAscii("a = '\\' é"), 8U);
  EXPECT_EQ(FindLetterBeyondAscii("a\xEF\xBB\xBF"), 1U);
  EXPECT_EQ(FindLetterBeyondAscii("a = 0\"é\""), 6U) << "no string begins there";
  EXPECT_EQ(FindLetterBeyondAscii("a = 'x' 'é'"), 9U);
}

TEST(ParseConfig, NamesThePlaceOfALetterBeyondAscii) {
  EXPECT_THAT(Complaints("[[ntp]]\n[log]\nlével = 1\n"),
              ElementsAre("ntsd.toml:3:2: not TOML: expected characters of ASCII outside of strings and comments"));
}

}  // namespace
}  // namespace ntsd
