#include "server/control/message.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/keys/key_text.h"
#include "core/keys/rotation.h"
#include "tests/support/fakes.h"
#include "tests/support/json_names.h"
#include "tests/unit/server/control/fake_service.h"

namespace ntsd {
namespace {

using ::ntsd::testing::FakeRandom;
using ::ntsd::testing::FakeService;
using ::ntsd::testing::NamesNotInManual;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<ControlRequest> AllRequests() {
  std::vector<ControlRequest> requests;
  for (std::size_t i = 0; i < kControlCommandCount; ++i) {
    requests.push_back({static_cast<ControlCommand>(i), {}, KeyFileFormat::kNtsd, "", LogLevel::kInfo});
  }
  requests.push_back({ControlCommand::kKeysRevoke, 0xA1B2C3D4, KeyFileFormat::kNtsd, "", LogLevel::kInfo});
  requests.push_back({ControlCommand::kKeysExport, {}, KeyFileFormat::kChrony, "", LogLevel::kInfo});
  requests.push_back({ControlCommand::kKeysImport, {}, KeyFileFormat::kChrony, "NKS1\n\"\\\n", LogLevel::kInfo});
  requests.push_back({ControlCommand::kLogLevel, {}, KeyFileFormat::kNtsd, "", LogLevel::kDebug});
  requests.push_back({.command = ControlCommand::kClients, .order = ClientOrder::kDrops, .count = kClientCountMax});
  return requests;
}

std::string ErrorOf(std::string_view line) {
  const Expected<ControlRequest, std::string> request = ParseControlRequest(line);
  return request ? "" : request.error();
}

TEST(ControlRequest, IsReadBackAsWritten) {
  for (const ControlRequest& request : AllRequests()) {
    const std::string line = FormatControlRequest(request);
    EXPECT_EQ(line.find('\n'), std::string::npos) << line;
    const Expected<ControlRequest, std::string> parsed = ParseControlRequest(line);
    ASSERT_TRUE(parsed) << line << parsed.error();
    EXPECT_EQ(*parsed, request) << line;
  }
}

TEST(ControlRequest, RefusesWhatIsNoRequest) {
  for (const char* line : {"", " ", "{", "[]", "null", "1", "\"status\"", "{}", "{\"command\":1}",
                           "{\"command\":\"Status\"}", "{\"command\":\"status\"} {}", "{'command':'status'}"}) {
    EXPECT_NE(ErrorOf(line), "") << line;
  }
}

TEST(ControlRequest, NamesTheMemberThatIsWrong) {
  EXPECT_THAT(ErrorOf(R"({"command":"keys-revoke"})"), HasSubstr("\"id\""));
  EXPECT_THAT(ErrorOf(R"({"command":"keys-revoke","id":7})"), HasSubstr("\"id\""));
  EXPECT_THAT(ErrorOf(R"({"command":"keys-revoke","id":"everything"})"), HasSubstr("eight hexadecimal digits"));
  EXPECT_THAT(ErrorOf(R"({"command":"keys-export","format":"pem"})"), HasSubstr("\"ntsd\" or \"chrony\""));
  EXPECT_THAT(ErrorOf(R"({"command":"keys-import","format":"ntsd"})"), HasSubstr("\"text\""));
  EXPECT_THAT(ErrorOf(R"({"command":"clients","order":"name","count":5})"), HasSubstr("\"rate\" or \"drops\""));
  for (const char* count : {"0", "1001", "-1", "1.5", "\"5\""}) {
    const std::string line = std::string(R"({"command":"clients","order":"rate","count":)") + count + "}";
    EXPECT_THAT(ErrorOf(line), HasSubstr("from 1 to 1000")) << line;
  }
  EXPECT_THAT(ErrorOf(R"({"command":"log-level","level":"loud"})"), HasSubstr("\"debug\""));
  EXPECT_THAT(ErrorOf(R"({"command":"drain","now":true})"), HasSubstr("unknown member \"now\""));
}

TEST(ControlRequest, BoundsItsSize) {
  const std::string head = R"({"command":"keys-import","format":"ntsd","text":")";
  const std::string fits = head + std::string(kControlRequestSizeMax - head.size() - 2, 'a') + "\"}";
  ASSERT_EQ(fits.size(), kControlRequestSizeMax);
  EXPECT_EQ(ErrorOf(fits), "");
  EXPECT_THAT(ErrorOf(fits + " "), HasSubstr("too long"));
}

TEST(ControlRequest, SurvivesDeepNesting) {
  EXPECT_NE(ErrorOf(std::string(kControlRequestSizeMax, '[')), "");
  EXPECT_NE(ErrorOf("{\"command\":" + std::string(30000, '[') + std::string(30000, ']') + "}"), "");
}

// Every octet of a good request changed at random: a value or a reason, and what is accepted can be written again.
TEST(ControlRequest, SurvivesEveryDamage) {
  FakeRandom random(7);
  for (const ControlRequest& request : AllRequests()) {
    const std::string line = FormatControlRequest(request);
    for (std::size_t i = 0; i < line.size() * 8; ++i) {
      std::string damaged = line;
      damaged[i / 8] = static_cast<char>(random.Next());
      const Expected<ControlRequest, std::string> parsed = ParseControlRequest(damaged);
      if (!parsed) {
        EXPECT_NE(parsed.error(), "");
        continue;
      }
      EXPECT_EQ(*ParseControlRequest(FormatControlRequest(*parsed)), *parsed) << damaged;
    }
  }
}

TEST(ControlRequest, HasRoomForTheLargestKeyFile) {
  testing::FakeRandom random;
  StoredRing ring = MakeFreshRing(UnixTime{}, random);
  while (ring.keys.size() < kKeysPerRingMax) ring = RotateRing(ring, kKeysPerRingMax, {}, {}, random);
  for (KeyId id = 0; id < kRevokedKeysMax; ++id) ring.revoked.push_back(0x10000000 + ring.keys[0].id + id);
  ControlRequest request;
  request.command = ControlCommand::kKeysImport;
  request.text = std::string(std::string_view(WriteKeyFile(ring)));
  const auto parsed = ParseControlRequest(FormatControlRequest(request));
  ASSERT_TRUE(parsed) << parsed.error();
  EXPECT_EQ(parsed->text, request.text);
}

TEST(ControlReply, CarriesReports) {
  FakeService service;
  const auto status = ParseControlReply<StatusReport>(FormatControlReply(service.Status()));
  ASSERT_TRUE(status) << status.error();
  EXPECT_EQ(status->version, "0.1.0");
  ASSERT_EQ(status->keys.keys.size(), 1U);
  EXPECT_EQ(status->keys.keys[0].id, 0xA1B2U);
  EXPECT_EQ(status->keys.keys[0].age_s, 1.5);

  const auto stats = ParseControlReply<StatsReport>(FormatControlReply(service.Stats()));
  ASSERT_TRUE(stats) << stats.error();
  ASSERT_EQ(stats->families.size(), 2U);
  EXPECT_EQ(stats->families[0].kind, MetricKind::kCounter);
  EXPECT_EQ(stats->families[0].series[0].labels[0].second, "x");
  EXPECT_EQ(stats->families[1].series[0].histogram.counts, (std::vector<std::uint64_t>{2, 3}));

  const auto reload = ParseControlReply<ReloadReport>(FormatControlReply(service.Reload()));
  ASSERT_TRUE(reload) << reload.error();
  EXPECT_EQ(reload->needs_restart, std::vector<std::string>{"workers.ntp"});
}

TEST(ControlReply, EveryNameIsInTheManual) {
  FakeService service;
  StatusReport status = service.Status();
  status.cards.emplace_back();
  status.listeners.emplace_back();
  status.certificates.emplace_back();
  status.last_reload.certificates.emplace_back();
  for (const std::string& line :
       {FormatControlReply(status), FormatControlReply(service.Stats()), FormatControlReply(service.Check()),
        FormatControlReply(service.Clients(ClientOrder::kRate, 1)), FormatControlReply(service.Drain()),
        FormatControlError("why not")}) {
    EXPECT_THAT(NamesNotInManual(line, NTSD_SOURCE_FOLDER "/deploy/man/ntsctl.8"), IsEmpty()) << line;
  }
}

TEST(ControlReply, KeyIdsAreWrittenAsKeysRevokeTakesThem) {
  FakeService service;
  EXPECT_THAT(FormatControlReply(service.Keys()), HasSubstr("\"id\":\"0000A1B2\""));
}

TEST(ControlReply, CarriesRefusals) {
  const auto reply = ParseControlReply<Done>(FormatControlError("not \"now\"\n"));
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error(), "not \"now\"\n");
}

TEST(ControlReply, AnOtherVersionsMembersAreNoError) {
  const auto status = ParseControlReply<StatusReport>(R"({"ok":true,"result":{"version":"9","new":[1]},"more":1})");
  ASSERT_TRUE(status) << status.error();
  EXPECT_EQ(status->version, "9");
  EXPECT_EQ(status->uptime_s, 0);
}

TEST(ControlReply, SaysWhenItIsNotUnderstood) {
  for (const char* line :
       {"", "{}", "[]", "{\"ok\":1}", "{\"ok\":true}", "{\"ok\":false}", "{\"ok\":false,\"error\":1}",
        "{\"ok\":true,\"result\":1}", "{\"ok\":true,\"result\":{\"version\":1}}"}) {
    const auto reply = ParseControlReply<StatusReport>(line);
    ASSERT_FALSE(reply) << line;
    EXPECT_THAT(reply.error(), HasSubstr("not understood")) << line;
  }
}

TEST(ControlReply, FileNamesThatAreNoUtf8DoNotStopIt) {
  StatusReport status;
  status.keys.file = "/a\xFF";
  EXPECT_TRUE(ParseControlReply<StatusReport>(FormatControlReply(status)));
}

TEST(KeyIdText, IsWrittenWithEightHexadecimalDigitsAndReadWithUpToEight) {
  EXPECT_EQ(FormatKeyId(0xA1B2), "0000A1B2");
  EXPECT_EQ(ParseKeyId("0000A1B2"), 0xA1B2U);
  EXPECT_EQ(ParseKeyId("ffffffff"), 0xFFFFFFFFU);
  EXPECT_EQ(ParseKeyId("A1B2"), 0xA1B2U);
  for (const char* text : {"", "0x00A1B2", "0000A1B2C", "0000A1BG", "-000A1B2", " 000A1B2"}) {
    EXPECT_EQ(ParseKeyId(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace ntsd
