#include "server/ntsctl/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace ntsd {
namespace {

using ::testing::HasSubstr;
using Words = std::vector<const char*>;

Expected<CommandLine, CommandLineEnd> Parse(const Words& words) {
  Words arguments = {"ntsctl"};
  arguments.insert(arguments.end(), words.begin(), words.end());
  return ParseCommandLine(static_cast<int>(arguments.size()), arguments.data());
}

template <typename Task>
Task TaskOf(const Words& words) {
  const auto command = Parse(words);
  if (!command || !std::holds_alternative<Task>(command->task)) {
    ADD_FAILURE() << words.front() << (command ? "" : command.error().text);
    return {};
  }
  return std::get<Task>(command->task);
}
ControlTask Control(const Words& words) { return TaskOf<ControlTask>(words); }
QuerySettings Query(const Words& words) { return TaskOf<QuerySettings>(words); }

TEST(CommandLine, KnowsEveryCommand) {
  EXPECT_EQ(Control({"status"}).request.command, ControlCommand::kStatus);
  EXPECT_EQ(Control({"stats"}).request.command, ControlCommand::kStats);
  EXPECT_EQ(Control({"check"}).request.command, ControlCommand::kCheck);
  const ControlRequest clients = Control({"clients", "--sort", "drops", "-n", "3"}).request;
  EXPECT_EQ(clients, (ControlRequest{.command = ControlCommand::kClients, .order = ClientOrder::kDrops, .count = 3}));
  EXPECT_EQ(Control({"keys"}).request.command, ControlCommand::kKeys);
  EXPECT_EQ(Control({"keys", "rotate"}).request.command, ControlCommand::kKeysRotate);
  EXPECT_EQ(Control({"reload"}).request.command, ControlCommand::kReload);
  EXPECT_EQ(Control({"drain"}).request.command, ControlCommand::kDrain);
  EXPECT_EQ(Control({"log-level", "debug"}).request.level, LogLevel::kDebug);
  EXPECT_EQ(Control({"status"}).socket, "/run/ntsd/control.sock");
}

TEST(CommandLine, KeysAreNamedByTheirIdOrAll) {
  EXPECT_EQ(Control({"keys", "revoke", "0000A1B2"}).request.key_id, 0xA1B2U);
  EXPECT_EQ(Control({"keys", "revoke", "A1B2"}).request.key_id, 0xA1B2U);
  EXPECT_EQ(Control({"keys", "revoke", "all"}).request.key_id, std::nullopt);
  EXPECT_EQ(Control({"keys", "revoke", "all"}).request.command, ControlCommand::kKeysRevoke);
  for (const char* id : {"A1B2G", "ALL", "0000A1B2 ", "0000A1B2C"}) {
    const auto command = Parse({"keys", "revoke", id});
    ASSERT_FALSE(command) << id;
    EXPECT_EQ(command.error().exit_status, 2);
  }
}

TEST(CommandLine, KeyFilesHaveAFormat) {
  const ControlTask exported = Control({"keys", "export", "--format", "chrony", "/f"});
  EXPECT_EQ(exported.request.command, ControlCommand::kKeysExport);
  EXPECT_EQ(exported.request.format, KeyFileFormat::kChrony);
  EXPECT_EQ(exported.file, "/f");
  EXPECT_EQ(Control({"keys", "import", "-"}).request.format, KeyFileFormat::kNtsd);
  EXPECT_FALSE(Parse({"keys", "import"}));
  EXPECT_FALSE(Parse({"keys", "import", "--format", "pem", "/f"}));
}

TEST(CommandLine, GlobalOptionsMayStandAnywhere) {
  for (const Words& words : {Words{"--json", "status"}, {"status", "--json"}, {"keys", "rotate", "--json"}}) {
    const auto command = Parse(words);
    ASSERT_TRUE(command) << command.error().text;
    EXPECT_TRUE(command->wants_json);
  }
  EXPECT_EQ(Control({"--socket", "/s", "status"}).socket, "/s");
  EXPECT_EQ(Control({"status", "--socket", "/s"}).socket, "/s");
}

TEST(CommandLine, QueriesHaveTheirOptions) {
  const QuerySettings plain = Query({"query", "h"});
  EXPECT_EQ(plain.host, "h");
  EXPECT_EQ(plain.ke_port, 4460);
  EXPECT_EQ(plain.ntp_port, std::nullopt);
  EXPECT_EQ(plain.aead, std::nullopt);
  EXPECT_EQ(plain.count, 4);
  EXPECT_EQ(plain.timeout, std::chrono::seconds(5));
  const QuerySettings all = Query({"query", "h", "--ke-port", "1", "--ntp-port", "2", "--ca", "/ca", "--aead", "30",
                                   "--count", "7", "--timeout", "0.25"});
  EXPECT_EQ(all.ke_port, 1);
  EXPECT_EQ(all.ntp_port, 2);
  EXPECT_EQ(all.ca_file, "/ca");
  EXPECT_EQ(all.aead, 30);
  EXPECT_EQ(all.count, 7);
  EXPECT_EQ(all.timeout, std::chrono::milliseconds(250));
  EXPECT_TRUE(Query({"query", "h", "--plain"}).is_plain);
  EXPECT_TRUE(Query({"query", "h", "--insecure"}).is_insecure);
}

TEST(CommandLine, RefusesMistakesWithStatus2) {
  for (const Words& words : {Words{},
                             {"nonsense"},
                             {"status", "extra"},
                             {"log-level"},
                             {"log-level", "loud"},
                             {"keys", "revoke"},
                             {"query"},
                             {"query", "h", "--count", "0"},
                             {"query", "h", "--aead", "16"},
                             {"query", "h", "--ke-port", "65536"},
                             {"query", "h", "--timeout", "0"},
                             {"query", "h", "--ca", "/c", "--insecure"},
                             {"query", "h", "--plain", "--ca", "/c"},
                             {"status", "--unknown"}}) {
    const auto command = Parse(words);
    ASSERT_FALSE(command) << (words.empty() ? "" : words.back());
    EXPECT_EQ(command.error().exit_status, 2);
    EXPECT_THAT(command.error().text, HasSubstr("ntsctl"));
  }
}

TEST(CommandLine, MistakesAreNamedWithWhatWasProbablyMeant) {
  const auto complaint = [](const Words& words) {
    const auto command = Parse(words);
    return command ? "" : command.error().text.substr(0, command.error().text.find('\n'));
  };
  EXPECT_EQ(complaint({"statsu"}), "ntsctl: there is no command statsu; did you mean status?");
  EXPECT_EQ(complaint({"--json", "relod"}), "ntsctl: there is no command relod; did you mean reload?");
  EXPECT_THAT(complaint({"x"}), HasSubstr("ntsctl: there is no command x; there is status, stats, top"));
  EXPECT_EQ(complaint({"keys", "rotat"}), "ntsctl keys: there is no command rotat; did you mean rotate?");
  EXPECT_EQ(complaint({"status", "--jsn"}), "ntsctl status: there is no option --jsn; did you mean --json?");
  EXPECT_EQ(complaint({"clients", "--srt=rate"}), "ntsctl clients: there is no option --srt; did you mean --sort?");
  EXPECT_EQ(complaint({"check", "extra"}), "ntsctl check: nothing is expected after it, got extra");
  EXPECT_EQ(complaint({"keys", "revoke"}), "ntsctl keys revoke: ID is required");
  EXPECT_THAT(Parse({"query"}).error().text, HasSubstr("`ntsctl query --help`"));
}

TEST(CommandLine, HelpAndVersionAreNoMistakes) {
  const auto help = Parse({"--help"});
  ASSERT_FALSE(help);
  EXPECT_EQ(help.error().exit_status, 0);
  EXPECT_THAT(help.error().text, HasSubstr("log-level"));
  const auto version = Parse({"--version"});
  ASSERT_FALSE(version);
  EXPECT_EQ(version.error().text, "ntsctl " NTSD_VERSION "\n");
}

}  // namespace
}  // namespace ntsd
