#include "tests/conformance/report/report.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace ntsd::conformance {
namespace {

Report Example() {
  Report report;
  report.host = "time.<example>";
  report.results = {
      {{"R-A-01", "RFC 1", Level::kMust, "one"}, Judge(true, "s", "e", "c"), 0.5},
      {{"R-A-02", "RFC 1", Level::kMust, "two & \"more\""}, Judge(false, "s<", "e", "c\x1b"), 0},
      {{"R-A-03", "RFC 1", Level::kShould, "three"}, Judge(false, "s", "e", "c"), 0},
      {{"R-A-04", "RFC 1", Level::kMust, "four"}, Skip("why"), 0},
  };
  return report;
}

TEST(Report, CountsVerdicts) {
  const Report report = Example();
  EXPECT_EQ(report.Count(Verdict::kPass), 1U);
  EXPECT_EQ(report.Count(Verdict::kFail), 1U);
  EXPECT_EQ(report.Count(Verdict::kWarning), 1U);
  EXPECT_EQ(report.Count(Verdict::kSkipped), 1U);
  EXPECT_FALSE(report.AllMustHold());
  Report better = report;
  better.results.erase(better.results.begin() + 1);
  EXPECT_TRUE(better.AllMustHold()) << "a warning is no failure";
}

TEST(Report, JsonHasEveryCheck) {
  const auto json = nlohmann::json::parse(ReportJson(Example()));
  EXPECT_EQ(json["failed"], 1);
  ASSERT_EQ(json["checks"].size(), 4U);
  EXPECT_EQ(json["checks"][1]["verdict"], "fail");
  EXPECT_EQ(json["checks"][1]["expected"], "e");
  EXPECT_EQ(json["checks"][3]["reason"], "why");
  EXPECT_FALSE(json["checks"][3].contains("sent"));
}

TEST(Report, JunitEscapesWhatXmlCannotHold) {
  const std::string xml = ReportJunit(Example());
  EXPECT_NE(xml.find("two &amp; &quot;more&quot;"), std::string::npos);
  EXPECT_NE(xml.find("time.&lt;example&gt;"), std::string::npos);
  EXPECT_NE(xml.find("tests=\"4\" failures=\"1\" errors=\"0\" skipped=\"1\""), std::string::npos);
  EXPECT_EQ(xml.find('\x1b'), std::string::npos);
}

TEST(Report, TextSaysMoreOfWhatIsWrong) {
  const Report report = Example();
  const std::string good = ResultText(report.results[0], {});
  EXPECT_EQ(good.find("expected"), std::string::npos);
  const std::string bad = ResultText(report.results[1], {});
  for (const char* const words : {"fail", "R-A-02", "MUST", "RFC 1", "sent:     s<", "expected: e"}) {
    EXPECT_NE(bad.find(words), std::string::npos) << words;
  }
  EXPECT_NE(SummaryText(report, {}).find("1 passed, 1 failed, 1 warnings, 1 skipped"), std::string::npos);
  EXPECT_EQ(good.find('\x1b'), std::string::npos) << "no colours without a palette";
  EXPECT_NE(ResultText(report.results[0], Palette::ForTerminal()).find('\x1b'), std::string::npos);
}

TEST(List, GivesTheReasonForWhatCannotBeSeen) {
  const Check hidden{"R-A-05", "RFC 1", Level::kMust, "five", nullptr, "it is inside"};
  EXPECT_NE(ListText({&hidden, 1}).find("not visible from outside: it is inside"), std::string::npos);
  const auto json = nlohmann::json::parse(ListJson({&hidden, 1}));
  EXPECT_EQ(json[0]["visible"], false);
}

}  // namespace
}  // namespace ntsd::conformance
