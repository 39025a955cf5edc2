#include "server/config/load.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "server/config/print.h"
#include "tests/unit/server/config/config_text.h"

namespace ntsd {
namespace {

using ::ntsd::testing::Complaints;
using ::ntsd::testing::Good;
using ::ntsd::testing::Parse;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using ::testing::StartsWith;

Config BothTables() {
  Config config;
  config.ntp.emplace_back();
  config.ke.emplace_back();
  return config;
}

std::string FileOfTheSource(const std::string& name) {
  std::ifstream file(NTSD_SOURCE_FOLDER "/" + name);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}
std::string ShippedFile() { return FileOfTheSource("deploy/ntsd.toml"); }

TEST(ParseConfig, EmptyTablesHaveTheDefaults) { EXPECT_EQ(Good("[[ntp]]\n[[ke]]\n"), BothTables()); }

TEST(ParseConfig, TheShippedFileIsTheDefaults) { EXPECT_EQ(Good(ShippedFile()), BothTables()); }

// "[limits.ntp] rate" of every key, in order.
std::vector<std::string> KeysOfTheSchema() {
  std::vector<std::string> keys;
  for (const ConfigEntry& entry : ConfigEntries(BothTables())) {
    keys.push_back("[" + entry.table.substr(0, entry.table.find('[')) + "] " + entry.key);
  }
  return keys;
}

// The same of a text whose lines begin a table by `table_mark` and a key by `key_mark`.
std::vector<std::string> KeysOfTheText(const std::string& text, const std::string& table_mark,
                                       const std::string& key_mark) {
  std::istringstream lines(text);
  std::string table;
  std::vector<std::string> keys;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(table_mark + "[")) {
      const std::size_t begin = line.find_first_not_of('[', table_mark.size());
      table = line.substr(begin, line.find(']') - begin);
    } else if (const std::size_t end = line.find(" = ");
               line.starts_with(key_mark) && line[0] != '#' && end != std::string::npos) {
      keys.push_back("[" + table + "] " + line.substr(key_mark.size(), end - key_mark.size()));
    }
  }
  return keys;
}

TEST(ParseConfig, TheShippedFileShowsEveryKeyAndNoOther) {
  EXPECT_EQ(KeysOfTheText(ShippedFile(), "", ""), KeysOfTheSchema());
}

TEST(ParseConfig, TheManualNamesEveryKeyAndNoOther) {
  EXPECT_EQ(KeysOfTheText(FileOfTheSource("deploy/man/ntsd.toml.5"), ".Ss ", ".It Li \""), KeysOfTheSchema());
}

TEST(ParseConfig, ReadsEveryKindOfValue) {
  const Config config = Good(R"(
[[ntp]]
listen = ["192.0.2.1:123"]
require-nts = "deny"
versions = [4]
dscp = 46
interleaved = false
[[ntp]]
listen = ["[2001:db8::1]:11123"]
[[ke]]
certificates = [{ chain = "a", key = "b" }, { chain = "c", key = "d" }]
aeads = [17]
ntp-server = "ntp.example.com"
ntp-port = 11123
timeout = "1500ms"
max-connections = 1
[workers]
ntp = "0-1,3"
ke = 2
engine = "mmsg"
spread = "cpu"
hardware-timestamps = ["eth0", "eth1"]
[reference]
source = "kernel"
stratum = 1
reference-id = "GPS"
[access]
allow = ["192.0.2.0/24"]
deny = ["192.0.2.7", "2001:db8::/32"]
[limits.ntp]
rate = 0.5
prefixes = { v4 = 24 }
[metrics]
listen = ""
[log]
level = "debug"
format = "json"
)");
  ASSERT_EQ(config.ntp.size(), 2U);
  EXPECT_EQ(config.ntp[0].require_nts, PlainNtpPolicy::kDeny);
  EXPECT_THAT(config.ntp[0].versions, ElementsAre(4));
  EXPECT_EQ(config.ntp[0].dscp, 46);
  EXPECT_FALSE(config.ntp[0].interleaved);
  EXPECT_THAT(config.ntp[1].listen, ElementsAre(*IpEndpoint::Parse("[2001:db8::1]:11123")));
  ASSERT_EQ(config.ke.size(), 1U);
  EXPECT_THAT(config.ke[0].certificates, ElementsAre(CertificateConfig{"a", "b"}, CertificateConfig{"c", "d"}));
  EXPECT_EQ(config.ke[0].ntp_port, 11123);
  EXPECT_EQ(config.ke[0].timeout, Duration(std::chrono::milliseconds(1500)));
  EXPECT_EQ(config.workers.ntp.kind, WorkerPlan::Kind::kCpus);
  EXPECT_THAT(config.workers.ntp.cpus, ElementsAre(0, 1, 3));
  EXPECT_EQ(config.workers.ke.kind, WorkerPlan::Kind::kCount);
  EXPECT_EQ(config.workers.ke.count, 2U);
  EXPECT_EQ(config.workers.engine, EngineChoice::kMmsg);
  EXPECT_EQ(config.workers.spread, SpreadChoice::kCpu);
  EXPECT_THAT(config.workers.hardware_timestamps, ElementsAre("eth0", "eth1"));
  EXPECT_EQ(config.reference.source, ReferenceSource::kKernel);
  EXPECT_THAT(config.access.deny, SizeIs(2));
  EXPECT_EQ(config.limits.ntp.rate, 0.5);
  EXPECT_EQ(config.limits.ntp.prefixes, (BucketPrefixes{24, 64}));
  EXPECT_EQ(config.metrics.listen, std::nullopt);
  EXPECT_EQ(config.log.level, LogLevel::kDebug);
  EXPECT_EQ(config.log.format, LogFormat::kJson);
}

TEST(ParseConfig, Aead15IsAlwaysOn) {
  EXPECT_THAT(Good("[[ke]]\naeads = [30]").ke[0].aeads, ElementsAre(AeadId::kAes128GcmSiv, AeadId::kAesSivCmac256));
}

TEST(ParseConfig, NamesFileLineColumnAndKey) {
  EXPECT_THAT(Complaints("[[ntp]]\n[[ke]]\n  timeout = \"soon\"\n"),
              ElementsAre(StartsWith("ntsd.toml:3:13: ke[0].timeout: expected a duration from \"100ms\"")));
}

TEST(ParseConfig, NamesEveryMistakeInTheOrderOfTheFile) {
  EXPECT_THAT(Complaints("[log]\nlevel = \"loud\"\n[[ntp]]\ndscp = 64\nversion = 4\n[keys]\nkeep = \"7\"\n"),
              ElementsAre(HasSubstr(":2:9: log.level: expected \"debug\" or"), HasSubstr(":4:8: ntp[0].dscp: expected"),
                          HasSubstr(":5:11: ntp[0].version: unknown key; did you mean versions?"),
                          HasSubstr(":7:8: keys.keep: expected a whole number from 1 to 30, got \"7\"")));
}

TEST(ParseConfig, SaysWhereTomlItselfIsBroken) {
  EXPECT_THAT(Complaints("[[ntp]]\nlisten = [\"0.0.0.0:123\"\n[log]\n"),
              ElementsAre(AllOf(StartsWith("ntsd.toml:3:"), HasSubstr("not TOML"))));
}

TEST(ParseConfig, SuggestsAWordOfASet) {
  EXPECT_THAT(Complaints("[[ntp]]\nrequire-nts = \"ignor\"\n"),
              ElementsAre(HasSubstr(R"(expected "no" or "ignore" or "deny", got "ignor"; did you mean "ignore"?)")));
}

TEST(ParseConfig, NamesTheKeysWhenNothingIsNear) {
  EXPECT_THAT(Complaints("[[ntp]]\n[log]\nwaterfall = 1\n"),
              ElementsAre(HasSubstr("log.waterfall: unknown key; known here are level, format")));
  EXPECT_THAT(Complaints("[[ntp]]\n[limit.ntp]\n"), ElementsAre(HasSubstr("limit: unknown key; did you mean limits?")));
}

TEST(ParseConfig, ExplainsASingleTableWhereItIsRepeated) {
  EXPECT_THAT(Complaints("[ntp]\n"), ElementsAre(HasSubstr("expected a repeated table: write [[ntp]], got a table")));
  EXPECT_THAT(Complaints("[[ntp]]\n[[log]]\n"), ElementsAre(HasSubstr("log: expected a table, got a list")));
}

TEST(ParseConfig, NamesTheElementOfAList) {
  EXPECT_THAT(Complaints("[[ntp]]\nlisten = [\"0.0.0.0:123\", \"localhost:123\"]\n"),
              ElementsAre(AllOf(HasSubstr(":2:26: ntp[0].listen[1]: expected \"ADDRESS:PORT\""),
                                HasSubstr("got \"localhost:123\""))));
  EXPECT_THAT(Complaints("[[ntp]]\nversions = [3, 3]\n"),
              ElementsAre(HasSubstr("ntp[0].versions[1]: 3 stands in this list twice")));
}

// Every key with a value of each wrong kind: nothing is taken, and the message has the key.
TEST(ParseConfig, RefusesEveryWrongType) {
  const std::vector<std::string> kinds = {"\"\\u0001\"",     "-1",         "-0.5", "true", "[true]",
                                          "{ no-such = 1 }", "2026-11-21", "[[]]", "[{}]"};
  for (const ConfigEntry& entry : ConfigEntries(BothTables())) {
    int accepted = 0;
    for (const std::string& kind : kinds) {
      const std::string path = entry.table + "." + entry.key;
      const std::vector<std::string> complaints = Complaints("[[ntp]]\n[[ke]]\n", {path + "=" + kind});
      if (complaints.empty()) {
        ++accepted;
      } else {
        EXPECT_THAT(complaints, Contains(HasSubstr(path))) << kind;
      }
    }
    // A flag takes true; a key that names a file or a user takes any text.
    EXPECT_LE(accepted, 1) << entry.table << "." << entry.key;
  }
}

// The border of every number: the last good value and its neighbour.
TEST(ParseConfig, WalksTheBorderOfEveryRange) {
  struct Border {
    const char* key;
    const char* good;
    const char* bad;
  };
  for (const Border& border : std::vector<Border>{{"ntp[0].dscp", "0", "-1"},
                                                  {"ntp[0].dscp", "63", "64"},
                                                  {"ntp[0].versions", "[1,4]", "[0,4]"},
                                                  {"ntp[0].versions", "[4]", "[5]"},
                                                  {"ntp[0].versions", "[4]", "[]"},
                                                  {"ntp[0].listen", "[\"[::1]:1\"]", "[\"[::1]:0\"]"},
                                                  {"ntp[0].listen", "[\"[::1]:65535\"]", "[\"[::1]:65536\"]"},
                                                  {"ntp[0].listen", "[\"[::1]:1\"]", "[]"},
                                                  {"ke[0].timeout", "100ms", "99ms"},
                                                  {"ke[0].timeout", "10m", "601s"},
                                                  {"ke[0].max-connections", "1", "0"},
                                                  {"ke[0].max-connections", "65536", "65537"},
                                                  {"ke[0].ntp-port", "123", "0"},
                                                  {"ke[0].ntp-port", "auto", "65536"},
                                                  {"ke[0].aeads", "[15]", "[16]"},
                                                  {"ke[0].aeads", "[30]", "[65551]"},
                                                  {"ke[0].certificates", "[{chain=\"a\",key=\"b\"}]", "[]"},
                                                  {"workers.ntp", "1", "0"},
                                                  {"workers.ntp", "1024", "1025"},
                                                  {"keys.rotate-every", "1s", "999ms"},
                                                  // R-AEAD-12: fewer than 2^48 cookies under one key, at 8 million/s.
                                                  {"keys.rotate-every", "366d", "367d"},
                                                  {"keys.keep", "1", "0"},
                                                  {"keys.keep", "30", "31"},
                                                  {"reference.stratum", "1", "0"},
                                                  {"reference.stratum", "15", "16"},
                                                  {"reference.max-distance", "16s", "17s"},
                                                  {"limits.ntp.rate", "0", "-0.1"},
                                                  {"limits.ntp.rate", "10000", "10001"},
                                                  {"limits.ntp.rate", "2.5", "nan"},
                                                  {"limits.ntp.burst", "1", "0"},
                                                  {"limits.ntp.leak", "0.9", "1.1"},
                                                  {"limits.ntp.prefixes", "{v4=32,v6=128}", "{v4=33}"},
                                                  {"limits.ke.prefixes", "{v4=1,v6=1}", "{v6=0}"},
                                                  {"access.deny", "[\"192.0.2.0/24\"]", "[\"192.0.2.1/24\"]"}}) {
    const std::string key = border.key;
    EXPECT_THAT(Complaints("[[ntp]]\n[[ke]]\n", {key + "=" + border.good}), SizeIs(0)) << key << border.good;
    EXPECT_THAT(Complaints("[[ntp]]\n[[ke]]\n", {key + "=" + border.bad}), SizeIs(1)) << key << border.bad;
  }
}

TEST(LoadConfig, AMissingFileIsTheEnvironmentNotTheText) {
  const LoadResult result = LoadConfig("/nonexistent/ntsd.toml", {});
  ASSERT_FALSE(result);
  ASSERT_EQ(result.error().size(), 1U);
  EXPECT_EQ(result.error()[0].ToString(), "/nonexistent/ntsd.toml: cannot open: No such file or directory");
  EXPECT_FALSE(HasTextError(result.error()));
}

TEST(LoadConfig, ADirectoryIsNotAFile) {
  const LoadResult result = LoadConfig("/", {});
  ASSERT_FALSE(result);
  EXPECT_FALSE(HasTextError(result.error()));
}

TEST(LoadConfig, RefusesAHugeFile) {
  const std::string path = ::testing::TempDir() + "/huge.toml";
  {
    std::ofstream file(path);
    file << "[[ntp]]\n" << std::string(kConfigFileSizeMax, '#');
  }
  EXPECT_FALSE(LoadConfig(path, {}));
  {
    std::ofstream file(path);
    file << "[[ntp]]\n" << std::string(kConfigFileSizeMax - 8, '#');
  }
  EXPECT_TRUE(LoadConfig(path, {})) << "the largest that is read";
  std::remove(path.c_str());
}

}  // namespace
}  // namespace ntsd
