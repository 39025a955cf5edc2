#include "tests/conformance/check.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/conformance/checks/checks.h"

namespace ntsd::conformance {
namespace {

TEST(Verdict, OnlyAMustCanFail) {
  EXPECT_EQ(VerdictOf(Level::kMust, Outcome::kBroken), Verdict::kFail);
  for (const Level level : {Level::kShould, Level::kMay, Level::kRecommended}) {
    EXPECT_EQ(VerdictOf(level, Outcome::kBroken), Verdict::kWarning);
  }
  for (const Level level : {Level::kMust, Level::kShould, Level::kMay, Level::kRecommended}) {
    EXPECT_EQ(VerdictOf(level, Outcome::kHolds), Verdict::kPass);
    EXPECT_EQ(VerdictOf(level, Outcome::kSkipped), Verdict::kSkipped);
  }
}

TEST(Selection, TakesWholeSectionsAndSingleChecks) {
  const auto selects = [](std::string_view id, std::vector<std::string> selections) {
    return IsSelected(id, selections);
  };
  EXPECT_TRUE(selects("R-KE-05", {}));
  EXPECT_TRUE(selects("R-KE-05", {"R-KE"}));
  EXPECT_TRUE(selects("R-KE-05", {"R-NTP", "R-KE-05"}));
  EXPECT_FALSE(selects("R-KE-05", {"R-K"}));
  EXPECT_FALSE(selects("R-KE-05", {"R-KE-05-1"}));
  EXPECT_FALSE(selects("R-KE-05", {"R-KE-06"}));
  EXPECT_FALSE(selects("R-EF-05", {"R-E"}));
}

TEST(AllChecks, EachHasAnIdOfItsOwnWordsAndAFunctionOrAReason) {
  const std::vector<Check> checks = AllChecks();
  EXPECT_EQ(checks.size(), 218U);
  std::set<std::string_view> ids;
  for (const Check& check : checks) {
    EXPECT_TRUE(ids.insert(check.id).second) << check.id;
    EXPECT_FALSE(check.title.empty()) << check.id;
    EXPECT_FALSE(check.section.empty()) << check.id;
    EXPECT_NE(check.run == nullptr, check.reason.empty()) << check.id;
  }
}

TEST(AllChecks, StandInTheOrderOfTheirIds) {
  const std::vector<Check> checks = AllChecks();
  for (std::size_t i = 1; i < checks.size(); ++i) {
    const auto section = [](const Check& check) { return check.id.substr(0, check.id.rfind('-')); };
    if (section(checks[i - 1]) != section(checks[i])) continue;
    EXPECT_LT(checks[i - 1].id, checks[i].id);
  }
}

TEST(Needs, TellNtsKeFromPlainNtp) {
  for (const std::string_view id : {"R-TLS-01", "R-KE-44", "R-EX-05", "R-POOL-09", "R-V5-08", "R-CK-04"}) {
    EXPECT_TRUE(NeedsNtsKe(id)) << id;
    EXPECT_FALSE(NeedsPlainNtp(id)) << id;
  }
  for (const std::string_view id : {"R-NTP-01", "R-NTP-13", "R-NTP-23", "R-IL-01", "R-LEAP-05", "R-EF-10"}) {
    EXPECT_TRUE(NeedsPlainNtp(id)) << id;
    EXPECT_FALSE(NeedsNtsKe(id)) << id;
  }
  for (const std::string_view id : {"R-NTP-03", "R-NTP-14", "R-NTP-19", "R-EF-05", "R-EF-15", "R-NTS-01"}) {
    EXPECT_FALSE(NeedsPlainNtp(id) || NeedsNtsKe(id)) << id;
  }
}

}  // namespace
}  // namespace ntsd::conformance
