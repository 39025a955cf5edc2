#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/server/config/config_text.h"

namespace ntsd {
namespace {

using ::ntsd::testing::Complaints;
using ::ntsd::testing::Good;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(Override, ReplacesWhatTheFileSays) {
  EXPECT_EQ(Good("[[ntp]]\n[log]\nlevel = \"error\"\n", {"log.level=debug"}).log.level, LogLevel::kDebug);
}

TEST(Override, AddsWhatTheFileDoesNotSay) { EXPECT_EQ(Good("[[ntp]]\n", {"limits.ntp.rate=0"}).limits.ntp.rate, 0); }

TEST(Override, TheLastOneWins) { EXPECT_EQ(Good("[[ntp]]\n", {"keys.keep=3", "keys.keep=4"}).keys.keep, 4U); }

TEST(Override, ReachesIntoRepeatedTables) {
  const Config config = Good("[[ntp]]\n[[ntp]]\nlisten = [\"192.0.2.1:123\"]\n", {R"(ntp[1].listen=["[::1]:11123"])"});
  ASSERT_EQ(config.ntp.size(), 2U);
  EXPECT_EQ(config.ntp[0], NtpConfig{});
  EXPECT_THAT(config.ntp[1].listen, ElementsAre(*IpEndpoint::Parse("[::1]:11123")));
}

TEST(Override, AddsTheNextRepeatedTable) {
  const Config config = Good("", {R"(ntp[0].listen=["127.0.0.1:1"])", R"(ntp[1].listen=["127.0.0.1:2"])"});
  ASSERT_EQ(config.ntp.size(), 2U);
  EXPECT_EQ(config.ntp[1].listen[0].port, 2);
}

TEST(Override, TakesTablesAndBareText) {
  const Config config = Good("", {R"(ke[0].certificates=[{chain="/a",key="/b"}])", "keys.file=/var/lib/x=y",
                                  "workers.ntp=0-1", "workers.ke=2", "process.user="});
  EXPECT_EQ(config.ke[0].certificates[0].chain, "/a");
  EXPECT_EQ(config.keys.file, "/var/lib/x=y");
  EXPECT_EQ(config.workers.ntp.cpus.size(), 2U);
  EXPECT_EQ(config.workers.ke.count, 2U);
  EXPECT_EQ(config.process.user, "");
}

TEST(Override, ErrorsNameWhatWasTyped) {
  EXPECT_THAT(Complaints("[[ntp]]\n", {"keys.keep=many"}),
              ElementsAre(StartsWith("--set keys.keep=many: keys.keep: expected a whole number")));
  EXPECT_THAT(Complaints("[[ntp]]\n", {"log.levle=debug"}),
              ElementsAre(StartsWith("--set log.levle=debug: log.levle: unknown key; did you mean level?")));
}

TEST(Override, RefusesWhatIsNoPath) {
  for (const char* text : {"", "=", "log.level", ".level=x", "log.=x", "log..level=x", "ntp[x].dscp=1", "ntp[0.dscp=1",
                           "ntp[].dscp=1", "ntp[0]]=1", "a b=1"}) {
    EXPECT_THAT(Complaints("[[ntp]]\n", {text}), ElementsAre(HasSubstr("expected table.key=value"))) << text;
  }
}

TEST(Override, RefusesPathsThatLeadNowhere) {
  EXPECT_THAT(Complaints("[[ntp]]\n", {"ntp[2].dscp=1"}), ElementsAre(HasSubstr("the next one is ntp[1]")));
  EXPECT_THAT(Complaints("[[ntp]]\n", {"ntp.dscp=1"}), ElementsAre(HasSubstr("say which one, as in ntp[0]")));
  EXPECT_THAT(Complaints("[[ntp]]\n[log]\n", {"log[0].level=info"}), ElementsAre(HasSubstr("not a repeated table")));
  EXPECT_THAT(Complaints("[[ntp]]\n", {"ntp[0].listen[0]=x"}), ElementsAre(HasSubstr("set the whole of listen")));
  EXPECT_THAT(Complaints("[[ntp]]\ndscp = 1\n", {"ntp[0].dscp.x=1"}), ElementsAre(HasSubstr("dscp is not a table")));
}

TEST(Override, CannotSmuggleASecondKey) {
  EXPECT_THAT(Complaints("[[ntp]]\n", {"log.level=\"info\"\nformat=\"json\""}),
              ElementsAre(HasSubstr("log.level: expected")));
}

}  // namespace
}  // namespace ntsd
