#include "server/ntsctl/report_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace ntsd {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

StatusReport GoodStatus() {
  StatusReport status;
  status.version = "0.1.0";
  status.now = 1'767'225'600;
  status.uptime_s = 3661;
  status.engine = "io_uring";
  status.engine_reason = "this kernel has it";
  status.crypto = "vaes512";
  status.ntp_workers = 2;
  status.ke_workers = 1;
  status.reference = {"chrony 127.0.0.1:323", true, 0, 2, "192.0.2.7", -12e-6, 0.002, 0.001, 3};
  status.listeners = {{"ntp", "0.0.0.0:123", "require-nts deny"}, {"nts-ke", "0.0.0.0:4460", ""}};
  status.rates = {1234.5, 1000.25, 3, 0.5};
  status.keys = {"generate", "/k", "00ff", 7200, {{1, "future", 1, 15}, {0xA1B2, "current", 100, 15}}};
  status.certificates = {{"ntp.example.com", "/c", status.now + 61 * 86400}};
  status.last_reload = {status.now, true, "", {}, {}};
  return status;
}

TEST(StatusText, TellsAllOnOneScreen) {
  const std::string text = StatusText(GoodStatus(), Palette::None());
  for (const char* words :
       {"0.1.0, up 1 h 1 min", "synchronized by chrony 127.0.0.1:323", "stratum 2, reference 192.0.2.7, leap none",
        "offset -12.00 us, root distance 2.000 ms, asked 3 s ago", "0.0.0.0:123", "require-nts deny", "nts-ke",
        "2 NTP, 1 NTS-KE; io_uring (this kernel has it); AES vaes512", "1234.5/s NTP", "1000.2/s NTS",
        "2 keys, current 0000A1B2 for 1 min 40 s, next in 2 h, ring 00ff", "ntp.example.com ends 2026-03-03",
        "in 61 days", "taken over"}) {
    EXPECT_THAT(text, HasSubstr(words));
  }
  EXPECT_LE(std::count(text.begin(), text.end(), '\n'), 24) << "one screen";
}

TEST(StatusText, SaysWhoseStampsAreUsed) {
  EXPECT_THAT(StatusText(GoodStatus(), Palette::None()), Not(HasSubstr("stamps")));
  StatusReport status = GoodStatus();
  status.cards = {{"eth0", true, "its clock ptp0 is known to 0.50 µs", 5e-7}, {"eth1", false, "no such interface", 0}};
  const std::string text = StatusText(status, Palette::None());
  EXPECT_THAT(text, HasSubstr("eth0: stamps; its clock ptp0 is known"));
  EXPECT_THAT(text, HasSubstr("eth1: the kernel stamps; no such interface"));
}

TEST(StatusText, ShoutsWhatIsWrong) {
  StatusReport status = GoodStatus();
  status.is_draining = true;
  status.reference.synchronized = false;
  status.certificates[0].expires_at = status.now - 3 * 86400;
  status.last_reload = {status.now, false, "ntsd.toml:3:1: log.level: expected", {}, {}};
  const std::string text = StatusText(status, Palette::ForTerminal());
  for (const char* words : {"\x1b[31mNOT SYNCHRONIZED\x1b[0m", "\x1b[31mdraining\x1b[0m", "\x1b[31m3 days ago\x1b[0m",
                            "\x1b[31mntsd.toml:3:1"}) {
    EXPECT_THAT(text, HasSubstr(words));
  }
  EXPECT_THAT(text, Not(HasSubstr("stratum"))) << "an unsynchronized clock has none";
}

TEST(StatsText, NamesEverySeries) {
  const std::string text =
      StatsText({{{"ntsd_a_total", "A.", MetricKind::kCounter, {{{{"kind", "x"}}, 12'345'678'901, {}}}},
                  {"ntsd_b", "B.", MetricKind::kGauge, {{{}, 0.25, {}}}},
                  {"ntsd_c_seconds", "C.", MetricKind::kHistogram, {{{}, 0, {{1e-6, 1e-3}, {50, 49, 1}, 0.1}}}},
                  {"ntsd_d_seconds", "D.", MetricKind::kHistogram, {{{}, 0, {{1e-6}, {0, 0}, 0}}}}}});
  EXPECT_THAT(text, ContainsRegex("ntsd_a_total\\{kind=x\\} +12345678901\n"));
  EXPECT_THAT(text, ContainsRegex("ntsd_b +0\\.25\n"));
  EXPECT_THAT(text, HasSubstr("100 values, half <= 1.000 us, 99 % <= 1.000 ms"));
  EXPECT_THAT(text, HasSubstr("0 values, half -, 99 % -"));
}

TEST(HealthText, NamesWhatFails) {
  EXPECT_EQ(HealthText({{{"clock", false, "not synchronized"}, {"keys", true, "9"}}}, Palette::None()),
            "FAIL  clock: not synchronized\nok    keys: 9\nnot fit to serve\n");
  EXPECT_THAT(HealthText({{{"keys", true, "9"}}}, Palette::None()), HasSubstr("\nfit to serve\n"));
}

TEST(ClientsText, ListsNetworksAsTheyCame) {
  const std::string text = ClientsText({true, 1000, 900, {{"192.0.2.0/24", 12.5, 2.5, 0.25}, {"\x1b[2J", 1, 0, 0}}});
  EXPECT_THAT(text, HasSubstr("about 1000 this hour, 900 in the last"));
  EXPECT_THAT(text, ContainsRegex("192.0.2.0/24 +12.50 +2.50 +0.25"));
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
}

TEST(ClientsText, SaysHowToListThem) {
  EXPECT_THAT(ClientsText({false, 5, 0, {}}), HasSubstr("limits.ntp.clients = true"));
}

TEST(KeysText, ListsIdsStatesAndAges) {
  const std::string text = KeysText(GoodStatus().keys);
  EXPECT_THAT(text, HasSubstr("ring fingerprint 00ff"));
  EXPECT_THAT(text, HasSubstr("0000A1B2   current     15  1 min 40 s\n"));
}

TEST(ReloadText, SaysWhatIsInForceAndWhatIsNot) {
  EXPECT_EQ(ReloadText({1, true, "", {"log.level"}, {"workers.ntp", "ntp[1]"}}, Palette::None()),
            "in force: log.level\nneeds a restart: workers.ntp, ntp[1]\n");
  EXPECT_EQ(ReloadText({1, true, "", {}, {}}, Palette::None()),
            "the configuration is as it was; certificates, tokens and keys were read again\n");
  EXPECT_EQ(
      ReloadText({1, true, "", {"ke[0].certificates"}, {}, {{"a.example", "/a.pem", 86'401, true}}}, Palette::None()),
      "in force: ke[0].certificates\ncertificate a.example ends 1970-01-02 00:00:01 UTC (in 1 day), new\n");
  EXPECT_EQ(ReloadText({1, true, "", {}, {}, {{"a.example", "/a.pem", 86'401, false}}}, Palette::None()),
            "the configuration is as it was; certificates, tokens and keys were read again\n"
            "certificate a.example ends 1970-01-02 00:00:01 UTC (in 1 day), as before\n");
  EXPECT_EQ(ReloadText({1, false, "f:1:2: k: bad", {}, {}}, Palette::None()), "nothing was changed: f:1:2: k: bad\n");
}

}  // namespace
}  // namespace ntsd
