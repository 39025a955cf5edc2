#include "core/base/escape.h"

#include <gtest/gtest.h>

namespace ntsd {
namespace {

TEST(EscapeMarkup, TakesWhatReadsAsMarkupAndControlCharacters) {
  EXPECT_EQ(EscapeMarkup("<a href=\"x\">&"), "&lt;a href=&quot;x&quot;&gt;&amp;");
  EXPECT_EQ(EscapeMarkup("two\nlines\x1b\x01"), "two\nlines  ");
  EXPECT_EQ(EscapeMarkup("zwölf"), "zwölf");
}

}  // namespace
}  // namespace ntsd
