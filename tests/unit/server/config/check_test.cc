#include "server/config/check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/unit/server/config/config_text.h"

namespace ntsd {
namespace {

using ::ntsd::testing::Complaints;
using ::ntsd::testing::Good;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kBoth[] = "[[ntp]]\nlisten = [\"127.0.0.1:11123\"]\n[[ke]]\n";

TEST(CheckConfig, WantsSomethingToServe) {
  EXPECT_THAT(Complaints(""), ElementsAre("ntsd.toml: neither [[ntp]] nor [[ke]]: there is nothing to serve; add at "
                                          "least one of the two tables"));
  EXPECT_THAT(Complaints("[[ntp]]\n"), IsEmpty());
  EXPECT_THAT(Complaints("[[ke]]\n"), IsEmpty());
}

TEST(CheckConfig, RefusesAPortWhereNothingAnswers) {
  EXPECT_THAT(Complaints(kBoth, {"ke[0].ntp-port=123"}),
              ElementsAre(HasSubstr("--set ke[0].ntp-port=123: ke[0].ntp-port: no [[ntp]] table listens on port 123")));
  EXPECT_THAT(Complaints(kBoth, {"ke[0].ntp-port=11123"}), IsEmpty());
  EXPECT_THAT(Complaints("[[ke]]\n", {"ke[0].ntp-port=11123"}), IsEmpty()) << "this host is NTS-KE only";
  EXPECT_THAT(Complaints(kBoth, {"ke[0].ntp-port=123", "ke[0].ntp-server=ntp.example.com"}), IsEmpty())
      << "another host may listen there";
}

TEST(NtpPortFor, IsTheFirstListenersUnlessNamed) {
  const Config both = Good(kBoth);
  EXPECT_EQ(NtpPortFor(both, both.ke[0]), 11123);
  const Config only_ke = Good("[[ke]]\n");
  EXPECT_EQ(NtpPortFor(only_ke, only_ke.ke[0]), 123);
  const Config named = Good("[[ke]]\nntp-port = 124\n");
  EXPECT_EQ(NtpPortFor(named, named.ke[0]), 124);
}

TEST(CheckConfig, RefusesOneAddressTwice) {
  EXPECT_THAT(Complaints("[[ntp]]\n[[ntp]]\n"),
              ElementsAre(HasSubstr("ntp[1].listen[0]: 0.0.0.0:123 is taken by ntp[0].listen[0]"),
                          HasSubstr("ntp[1].listen[1]: [::]:123 is taken by ntp[0].listen[1]")));
  EXPECT_THAT(Complaints("[[ke]]\nlisten = [\"127.0.0.1:9976\"]\n"),
              ElementsAre(HasSubstr("metrics.listen: 127.0.0.1:9976 is taken by ke[0].listen[0]")));
  EXPECT_THAT(Complaints("[[ntp]]\nlisten = [\"127.0.0.1:4460\"]\n[[ke]]\nlisten = [\"127.0.0.1:4460\"]\n"), IsEmpty())
      << "UDP and TCP have ports of their own";
}

TEST(CheckConfig, RefusesMulticastListeners) {
  EXPECT_THAT(Complaints("[[ntp]]\nlisten = [\"224.0.1.1:123\", \"[ff05::101]:123\"]\n"),
              ElementsAre(HasSubstr("ntp[0].listen[0]: 224.0.1.1:123 is a multicast"), HasSubstr("ntp[0].listen[1]")));
}

TEST(CheckConfig, WantsBothHalvesOfACertificate) {
  EXPECT_THAT(Complaints("[[ke]]\ncertificates = [{ chain = \"/a\" }]\n"),
              ElementsAre(HasSubstr(":2:17: ke[0].certificates[0]: expected both chain and key")));
}

TEST(CheckConfig, PoolsGetNoAead30) {
  EXPECT_THAT(Complaints("[[ke]]\npool-aeads = [15, 30]\n"),
              ElementsAre(HasSubstr("ke[0].pool-aeads[1]: expected 15 or 17, got 30")));
}

TEST(CheckConfig, KeyEstablishmentNeedsVersion4) {
  EXPECT_THAT(Complaints("[[ntp]]\nversions = [3]\n[[ke]]\n"), ElementsAre(HasSubstr("ntp[0].versions: expected 4")));
  EXPECT_THAT(Complaints("[[ntp]]\nversions = [3]\n"), IsEmpty());
}

TEST(CheckConfig, RefusesNamesThatNoRecordMayCarry) {
  EXPECT_THAT(Complaints("[[ke]]\nntp-server = \"fe80::1%eth0\"\n"), ElementsAre(HasSubstr("ke[0].ntp-server")));
  EXPECT_THAT(Complaints("[[ntp]]\n[reference]\nreference-id = \"GALILEO\"\n"),
              ElementsAre(HasSubstr("reference.reference-id: expected one to four")));
  EXPECT_THAT(Complaints("[[ntp]]\n[keys]\nfile = \"\"\n"), ElementsAre(HasSubstr("keys.file: expected")));
}

TEST(CheckConfig, SharesOfTheExcessAreAtMostAll) {
  EXPECT_THAT(Complaints("[[ntp]]\n[limits.ntp]\nleak = 0.75\nkod = 0.25\n"), IsEmpty());
  EXPECT_THAT(Complaints("[[ntp]]\n[limits.ntp]\nleak = 0.75\nkod = 0.5\n"), ElementsAre(HasSubstr("limits.ntp.leak")));
}

TEST(CheckConfig, AnEmptyAllowListIsAMistake) {
  EXPECT_THAT(Complaints("[[ntp]]\n[access]\nallow = []\n"), ElementsAre(HasSubstr("access.allow: an empty list")));
}

TEST(CheckConfig, TheControlSocketHasAPathThatTheKernelTakes) {
  EXPECT_THAT(Complaints("[[ntp]]\n", {"control.socket=/" + std::string(106, 'a')}), IsEmpty());
  EXPECT_THAT(Complaints("[[ntp]]\n", {"control.socket=/" + std::string(107, 'a')}),
              ElementsAre(HasSubstr("control.socket: expected a path")));
  EXPECT_THAT(Complaints("[[ntp]]\n", {"control.socket=run/x"}), ElementsAre(HasSubstr("expected a path from /")));
  EXPECT_THAT(Complaints("[[ntp]]\n", {"control.socket="}), IsEmpty());
}

TEST(RefuseUnbuilt, SaysWhatThisVersionHasNotAndWhatToUse) {
  EXPECT_THAT(Complaints("[[ntp]]\n[workers]\nengine = \"xdp\"\n"),
              ElementsAre("ntsd.toml:3:10: workers.engine: \"xdp\" is not in this version; use \"auto\", \"io_uring\" "
                          "or \"mmsg\""));
  EXPECT_THAT(Complaints("[[ntp]]\n[keys]\nsource = \"etcd\"\n"),
              ElementsAre("ntsd.toml:3:10: keys.source: \"etcd\" is not in this version; use \"generate\" or "
                          "\"follow\""));
}

TEST(CheckConfig, SmearsOnPrivateAddressesOnly_R_LEAP_03) {
  const auto complaints = [](const std::string& address, const std::string& more = "") {
    return Complaints("[[ntp]]\nsmear = \"linear-24h\"\nlisten = [\"" + address + ":123\"]\n" + more);
  };
  for (const char* address : {"127.0.0.1", "10.0.0.0", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.7.7",
                              "169.254.1.1", "100.64.0.1", "[::1]", "[fd00::1]", "[fe80::1]"}) {
    EXPECT_THAT(complaints(address), IsEmpty()) << address;
  }
  for (const char* address : {"0.0.0.0", "[::]", "9.255.255.255", "11.0.0.0", "172.15.255.255", "172.32.0.0",
                              "192.0.2.1", "100.128.0.0", "[::2]", "[2001:db8::1]", "[fe00::1]", "[fec0::1]"}) {
    EXPECT_THAT(complaints(address), ElementsAre(HasSubstr("a server that a public pool may use must not smear")))
        << address;
    EXPECT_THAT(complaints(address, "smear-public = true\n"), IsEmpty()) << address;
  }
  // One open address among private ones is enough, and so is an NTS pool that sends its clients here.
  EXPECT_THAT(Complaints("[[ntp]]\nsmear = \"linear-24h\"\nlisten = [\"10.0.0.1:123\", \"192.0.2.1:123\"]\n"),
              ElementsAre(HasSubstr("ntp[0].smear: 192.0.2.1:123 is not a private address")));
  EXPECT_THAT(complaints("10.0.0.1", "[[ke]]\npool-tokens = \"/t\"\n"),
              ElementsAre(HasSubstr("ntp[0].smear: [[ke]] serves an NTS pool")));
  EXPECT_THAT(Complaints("[[ntp]]\n[[ke]]\npool-tokens = \"/t\"\n"), IsEmpty()) << "without smearing";
}

TEST(CheckConfig, WantsBucketsThatRefillInTime) {
  EXPECT_THAT(
      Complaints("[[ntp]]\n[limits.ntp]\nrate = 0.01\nburst = 7000\n"),
      ElementsAre("ntsd.toml:4:9: limits.ntp.burst: a burst of 7000 takes more than 7 days to refill at 0.01/s; "
                  "expected less, or a higher rate"));
  EXPECT_THAT(Complaints("[[ntp]]\n[limits.ke]\nrate = 0.00001\n"),
              ElementsAre(::testing::StartsWith("ntsd.toml:3:8: limits.ke.rate: expected 0 (off) or a rate from")));
  EXPECT_THAT(Complaints("[[ntp]]\n[limits.ntp]\nrate = 0.01\nburst = 6000\n"), IsEmpty());
}

TEST(CheckConfig, RefusesInterfacesThatCannotBe) {
  const auto complaints = [](const std::string& value) {
    return Complaints("[[ntp]]\n[workers]\nhardware-timestamps = " + value + "\n");
  };
  EXPECT_THAT(complaints(R"(["eth0", "fifteen-octets-"])"), IsEmpty());
  EXPECT_THAT(complaints(R"(["sixteen-octets--"])"),
              ElementsAre(HasSubstr("the name of an interface, 1 to 15 octets")));
  EXPECT_THAT(complaints(R"([""])"), ElementsAre(HasSubstr("hardware-timestamps[0]: expected the name")));
  EXPECT_THAT(complaints(R"(["eth0", "eth1", "eth0"])"),
              ElementsAre(HasSubstr("[2]: \"eth0\" stands in this list twice")));
  EXPECT_THAT(complaints(R"(["a", "b", "c", "d", "e", "f", "g", "h", "i"])"),
              ElementsAre(HasSubstr("no more than 8 interfaces")));
}

TEST(WarnOfConfig, SaysThatANumberInQuotesIsOneCpu) {
  const auto warnings = [](const std::string& text) {
    const LoadResult loaded = ::ntsd::testing::Parse("[[ntp]]\n[workers]\n" + text);
    std::vector<std::string> lines;
    for (const ConfigError& warning : WarnOfConfig(loaded->config, loaded->origins))
      lines.push_back(warning.ToString());
    return lines;
  };
  EXPECT_THAT(warnings("ntp = \"1\"\n"),
              ElementsAre("ntsd.toml:3:7: workers.ntp: \"1\" in quotes is the list of one CPU, number 1: one pinned "
                          "worker; for 1 worker write ntp = 1"));
  EXPECT_THAT(warnings("ke = \"4\"\n"), ElementsAre(HasSubstr("for 4 workers write ke = 4")));
  EXPECT_THAT(warnings("ntp = \"0\"\n"), ElementsAre(HasSubstr("number 0: one pinned worker")));
  EXPECT_THAT(warnings("ntp = 1\nke = \"0-1\"\n"), IsEmpty());
  EXPECT_THAT(warnings("ntp = \"auto\"\n"), IsEmpty());
}

}  // namespace
}  // namespace ntsd
