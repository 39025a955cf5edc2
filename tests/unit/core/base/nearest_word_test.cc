#include "core/base/nearest_word.h"

#include <gtest/gtest.h>

#include <array>

namespace ntsd {
namespace {

TEST(NearestWord, FindsTheMisspeltAndLeavesTheUnrelated) {
  constexpr std::array<std::string_view, 3> kKeys = {"require-nts", "rotate-every", "keep"};
  EXPECT_EQ(NearestWord("require_nts", kKeys), "require-nts");
  EXPECT_EQ(NearestWord("Keep", kKeys), "keep");
  EXPECT_EQ(NearestWord("rotate-evry", kKeys), "rotate-every");
  EXPECT_EQ(NearestWord("kep", kKeys), "keep");
  EXPECT_EQ(NearestWord("kepe", kKeys), "keep") << "swapped letters are one mistake";
  EXPECT_EQ(NearestWord("listen", kKeys), "");
  EXPECT_EQ(NearestWord("", kKeys), "");
}

TEST(ExplainUnknownWord, SuggestsOneOrNamesAll) {
  constexpr std::array<std::string_view, 2> kCommands = {"status", "drain"};
  EXPECT_EQ(ExplainUnknownWord("command", "statsu", kCommands), "there is no command statsu; did you mean status?");
  EXPECT_EQ(ExplainUnknownWord("command", "x", kCommands), "there is no command x; there is status, drain");
}

}  // namespace
}  // namespace ntsd
