#include "server/config/print.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/server/config/config_text.h"

namespace ntsd {
namespace {

using ::ntsd::testing::Good;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(ConfigToToml, IsReadBackAsTheSameConfig) {
  const Config config = Good(R"(
[[ntp]]
listen = ["192.0.2.1:123", "[2001:db8::1]:123"]
require-nts = "ignore"
versions = [4, 3]
[[ntp]]
listen = ["127.0.0.1:11123"]
dscp = 10
[[ke]]
listen = ["192.0.2.1:4460"]
certificates = [{ chain = "/a \"quoted\"\\path", key = "/b\tc" }, { chain = "/ü", key = "/d" }]
ntp-port = 11123
timeout = "2500ms"
[[ke]]
listen = ["192.0.2.2:4460"]
aeads = [15]
[workers]
ntp = "0,2-3"
ke = 3
[keys]
source = "follow"
rotate-every = "7d"
[keys.etcd]
endpoints = ["https://10.0.0.1:2379", "https://10.0.0.2:2379"]
[access]
deny = ["192.0.2.0/24", "2001:db8::/32"]
[limits.ntp]
rate = 0.3
leak = 0.1
exempt = ["198.51.100.7"]
[limits.ke]
prefixes = { v4 = 24, v6 = 48 }
[metrics]
listen = ""
)");
  const std::string text = ConfigToToml(config);
  EXPECT_EQ(Good(text), config) << text;
}

TEST(ConfigToToml, ShowsEveryDefault) {
  const std::string text = ConfigToToml(Good("[[ntp]]\n"));
  EXPECT_EQ(Good(text), Good("[[ntp]]\n"));
  EXPECT_THAT(text, HasSubstr("[limits.ntp]\nrate = 2\nburst = 64\nprefixes = { v4 = 32, v6 = 64 }\n"));
  EXPECT_THAT(text, HasSubstr("rotate-every = \"24h\"\n"));
  EXPECT_THAT(text, Not(HasSubstr("[[ke]]")));
}

}  // namespace
}  // namespace ntsd
