#include "server/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace ntsd {
namespace {

using ::testing::MatchesRegex;

class Lines {
 public:
  Log::Sink Sink() {
    return [this](std::string_view line) { lines.emplace_back(line); };
  }
  std::vector<std::string> lines;
};

TEST(Log, WritesTextWithTimeLevelAndFields) {
  Lines lines;
  Log log(LogLevel::kInfo, LogFormat::kText, lines.Sink());
  log.Info("listening", {{"address", "0.0.0.0:123"}, {"engine", "io_uring"}});
  ASSERT_EQ(lines.lines.size(), 1U);
  EXPECT_THAT(lines.lines[0],
              MatchesRegex("[0-9-]+T[0-9:]+\\.[0-9]+Z info +listening address=0\\.0\\.0\\.0:123 engine=io_uring"));
}

TEST(Log, WritesOneJsonObjectALine) {
  Lines lines;
  Log log(LogLevel::kInfo, LogFormat::kJson, lines.Sink());
  log.Warning("cannot \"open\"", {{"file", "/a b"}});
  ASSERT_EQ(lines.lines.size(), 1U);
  EXPECT_THAT(lines.lines[0], MatchesRegex("\\{\"time\":\"[^\"]+Z\",\"level\":\"warning\",\"message\":\"cannot "
                                           "\\\\\"open\\\\\"\",\"file\":\"/a b\"\\}"));
}

TEST(Log, LeavesOutWhatIsBelowItsLevel) {
  Lines lines;
  Log log(LogLevel::kWarning, LogFormat::kText, lines.Sink());
  log.Debug("a");
  log.Info("b");
  EXPECT_TRUE(lines.lines.empty());
  log.Warning("c");
  log.Error("d");
  EXPECT_EQ(lines.lines.size(), 2U);
}

TEST(Log, ChangesItsLevelWhileRunning) {
  Lines lines;
  Log log(LogLevel::kError, LogFormat::kText, lines.Sink());
  for (const LogLevel level : {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarning, LogLevel::kError}) {
    log.SetLevel(level);
    EXPECT_EQ(log.level(), level);
    EXPECT_EQ(ParseLogLevel(LogLevelName(level)), level);
  }
  log.SetLevel(LogLevel::kDebug);
  log.Debug("now");
  EXPECT_EQ(lines.lines.size(), 1U);
  EXPECT_EQ(ParseLogLevel("verbose"), std::nullopt);
}

TEST(LogText, NeverLetsAValueForgeALine) {
  for (int c = 0; c < 0x20; ++c) {
    const std::string value = std::string("a") + static_cast<char>(c) + "level=error";
    for (const std::string& line : {LogText(value, {{"name", value}}), LogJson(value, {{"name", value}})}) {
      for (const char octet : line) EXPECT_GE(static_cast<unsigned char>(octet), 0x20) << c;
    }
  }
}

TEST(LogText, QuotesOnlyWhatNeedsIt) {
  EXPECT_EQ(LogText("m", {{"a", "plain"}, {"b", "two words"}, {"c", ""}, {"d", "x=y"}}),
            R"(m a=plain b="two words" c="" d="x=y")");
}

}  // namespace
}  // namespace ntsd
