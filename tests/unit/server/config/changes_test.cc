#include "server/config/changes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/server/config/config_text.h"

namespace ntsd {
namespace {

using ::ntsd::testing::Good;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

TEST(CompareConfigs, NothingChangedIsNothing) {
  const ConfigChanges changes = CompareConfigs(Good("[[ntp]]\n"), Good("[[ntp]]\n"));
  EXPECT_THAT(changes.applied, IsEmpty());
  EXPECT_THAT(changes.needs_restart, IsEmpty());
}

TEST(CompareConfigs, TellsWhatAppliesFromWhatNeedsARestart) {
  const Config running = Good("[[ntp]]\n[[ke]]\n");
  const Config next = Good("[[ntp]]\n[[ke]]\n", {"log.level=debug", "log.format=json", R"(access.deny=["192.0.2.1"])",
                                                 "limits.ke.rate=1", "ke[0].pool-tokens=/t", "ke[0].timeout=1s",
                                                 R"(ke[0].certificates=[{chain="/a",key="/b"}])", "keys.keep=8"});
  const ConfigChanges changes = CompareConfigs(running, next);
  EXPECT_THAT(changes.applied, UnorderedElementsAre("log.level", "access.deny", "limits.ke.rate", "ke[0].pool-tokens",
                                                    "ke[0].certificates"));
  EXPECT_THAT(changes.needs_restart, UnorderedElementsAre("log.format", "ke[0].timeout", "keys.keep"));
}

TEST(CompareConfigs, NamesATableThatCameOrWentOnce) {
  const Config one = Good("[[ntp]]\n");
  const Config two = Good("[[ntp]]\n[[ntp]]\nlisten = [\"127.0.0.1:1\"]\n");
  EXPECT_THAT(CompareConfigs(one, two).needs_restart, ElementsAre("ntp[1]"));
  EXPECT_THAT(CompareConfigs(two, one).needs_restart, ElementsAre("ntp[1]"));
}

TEST(MergeReloadable, AServiceGetsNothingOfATableThatTookItsNumber) {
  constexpr char kOld[] = "[[ke]]\nlisten = [\"127.0.0.1:4460\"]\ncertificates = [{chain=\"/a\",key=\"/b\"}]\n";
  constexpr char kNew[] = "[[ke]]\nlisten = [\"127.0.0.1:4461\"]\ncertificates = [{chain=\"/c\",key=\"/d\"}]\n";
  const Config running = Good(kOld);
  const Config next = Good(std::string(kNew) + kOld);
  EXPECT_EQ(MergeReloadable(running, next), running);
  EXPECT_THAT(CompareConfigs(running, next).applied, IsEmpty());
  EXPECT_THAT(CompareConfigs(running, next).needs_restart,
              UnorderedElementsAre("ke[0].listen", "ke[0].certificates", "ke[1]"));
}

TEST(MergeReloadable, TakesExactlyWhatIsCalledApplied) {
  const Config running = Good("[[ntp]]\n[[ke]]\n");
  const Config next = Good("[[ntp]]\n[[ke]]\n",
                           {"log.level=debug", "log.format=json", "limits.ntp.rate=7", R"(access.deny=["192.0.2.1"])",
                            "ke[0].pool-tokens=/t", R"(ke[0].certificates=[{chain="/a",key="/b"}])", "keys.keep=8"});
  const Config merged = MergeReloadable(running, next);
  // What is left to change is what needs a restart, and nothing else.
  EXPECT_THAT(CompareConfigs(merged, next).applied, IsEmpty());
  EXPECT_THAT(CompareConfigs(merged, next).needs_restart, ElementsAre("keys.keep", "log.format"));
  EXPECT_THAT(CompareConfigs(running, merged).needs_restart, IsEmpty());
}

}  // namespace
}  // namespace ntsd
