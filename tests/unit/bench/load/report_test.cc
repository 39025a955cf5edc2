#include "bench/load/report.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "bench/load/result_json.h"
#include "bench/load/result_text.h"

namespace ntsd::load {
namespace {

NtpResult SomeNtpResult() {
  NtpResult result;
  result.length = std::chrono::seconds(2);
  for (int i = 0; i < 1000; ++i) {
    result.totals.answers.outcomes.Sent(RequestKind::kGood);
    result.totals.answers.latency.Record(std::chrono::microseconds(40 + i));
  }
  result.totals.answers.outcomes.Count(RequestKind::kGood, AnswerKind::kOk, 990);
  result.totals.answers.outcomes.Settle();
  result.totals.due = 1000;
  result.server_cpu = std::chrono::milliseconds(99);
  return result;
}

SweepResult SomeSweepResult() {
  SweepResult result;
  result.found = {100, 110, 105};
  result.spread = SpreadOf(result.found);
  result.peak_answer_rate = 120;
  result.overload_answers = 0.99;
  for (const double rate : {50.0, 100.0, 200.0}) {
    SweepPoint point;
    point.rate = rate;
    point.answer_rate = std::min(rate, 120.0);
    point.p50 = std::chrono::microseconds(30);
    point.p99 = std::chrono::microseconds(static_cast<int>(rate));
    result.curve.push_back(point);
  }
  return result;
}

TEST(ResultJson, HoldsCountsLatencyAndMachine) {
  HostFacts host;
  host.cpu_model = "a CPU";
  NtpSettings settings;
  const auto json = nlohmann::json::parse(NtpJson(SomeNtpResult(), settings, {.host = "127.0.0.1"}, host));
  EXPECT_EQ(json["kind"], "ntp");
  EXPECT_EQ(json["host"]["cpu"], "a CPU");
  EXPECT_EQ(json["answers"]["kinds"]["ok"], 990);
  EXPECT_EQ(json["answers"]["kinds"]["lost"], 10);
  EXPECT_EQ(json["answers"]["kinds"].size(), kAnswerKindCount) << "every kind, also with nothing in it";
  EXPECT_DOUBLE_EQ(json["loss"], 0.01);
  EXPECT_NEAR(json["server_us_per_answer"].get<double>(), 100, 0.001);
  EXPECT_GT(json["latency"]["p99_us"].get<double>(), 1000);
  EXPECT_EQ(json["settings"]["loop"], "open");
}

TEST(ResultText, SaysWhatMatters) {
  NtpSettings settings;
  settings.rate = 1000;  // 2000 requests, of which 1000 were sent
  const std::string text = NtpText(SomeNtpResult(), settings);
  for (const char* const words :
       {"ok 990 (99.00 %)", "lost 10", "100.00 µs an answer", "p99.9", "the generator was the limit"}) {
    EXPECT_NE(text.find(words), std::string::npos) << words << " in\n" << text;
  }
  EXPECT_EQ(TimeText(Duration(950)), "950 ns");
  EXPECT_EQ(TimeText(-std::chrono::microseconds(15)), "-15.0 µs");
  EXPECT_EQ(CountText(12'345), "12.3 k");
}

TEST(Report, IsOnePageThatNeedsNothingFromElsewhere) {
  const std::string sweep = SweepJson(SomeSweepResult(), {}, {.host = "<evil>"}, {});
  const auto page = MakeReport("Title & more", {{"first", sweep},
                                                {"second", sweep},
                                                {"third", NtpJson(SomeNtpResult(), {}, {}, {})},
                                                {"fourth", KeJson({}, {}, {}, {})}});
  ASSERT_TRUE(page) << page.error();
  for (const char* const words : {"Title &amp; more", "Servers side by side", "Answers against offered load", "<svg",
                                  "Latency by percentile", "Time by phase", "99.0 %", "105"}) {
    EXPECT_NE(page->find(words), std::string::npos) << words;
  }
  for (const char* const words : {"http:", "https:", "<script", "src=", "nan", "<evil>"}) {
    EXPECT_EQ(page->find(words), std::string::npos) << words;
  }
}

TEST(Report, RefusesWhatIsNoResult) {
  for (const char* const json : {"", "{}", "[1]", "{\"kind\": 3}", "not JSON"}) {
    const auto page = MakeReport("t", {{"file", json}});
    ASSERT_FALSE(page) << json;
    EXPECT_NE(page.error().find("file"), std::string::npos);
  }
}

TEST(Report, SurvivesResultsOfOtherVersions) {
  const auto page = MakeReport("t", {{"a", R"({"kind":"sweep","curve":[{"rate":"x"},7,{}],"generator_limits":[3]})"},
                                     {"b", R"({"kind":"ntp","latency":{"percentiles":[[1],[2,3],"x"]}})"},
                                     {"c", R"({"kind":"ke","endings":{"honest":3}})"},
                                     {"d", R"({"kind":"something new"})"}});
  EXPECT_TRUE(page);
}

}  // namespace
}  // namespace ntsd::load
