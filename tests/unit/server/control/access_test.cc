#include "server/control/access.h"

#include <gtest/gtest.h>

namespace ntsd {
namespace {

TEST(AccessOf, RootAndOurUserMayChange) {
  EXPECT_EQ(AccessOf({0, {0}}, 100, 200), ControlAccess::kChange);
  EXPECT_EQ(AccessOf({100, {100}}, 100, 200), ControlAccess::kChange);
  EXPECT_EQ(AccessOf({0, {}}, 100, std::nullopt), ControlAccess::kChange);
}

TEST(AccessOf, TheGroupMayRead) {
  EXPECT_EQ(AccessOf({101, {200}}, 100, 200), ControlAccess::kRead);
  EXPECT_EQ(AccessOf({101, {7, 200}}, 100, 200), ControlAccess::kRead) << "as a further group too";
}

TEST(AccessOf, OthersMayNothing) {
  EXPECT_EQ(AccessOf({101, {7}}, 100, 200), ControlAccess::kNone);
  EXPECT_EQ(AccessOf({101, {}}, 100, 200), ControlAccess::kNone);
  EXPECT_EQ(AccessOf({101, {200}}, 100, std::nullopt), ControlAccess::kNone) << "without a group nobody reads";
  EXPECT_EQ(AccessOf({101, {0}}, 100, 200), ControlAccess::kNone) << "the group root is not the user root";
}

}  // namespace
}  // namespace ntsd
