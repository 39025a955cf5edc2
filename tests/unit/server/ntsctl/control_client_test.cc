#include "server/ntsctl/control_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "server/control/server.h"
#include "tests/unit/server/control/fake_service.h"

namespace ntsd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(AskServer, GetsWhatTheServiceSays) {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("ntsd_ask_" + std::to_string(getpid()));
  std::filesystem::create_directory(folder);
  const std::string path = folder / "s";
  const ControlRequest request{ControlCommand::kKeysImport, {}, KeyFileFormat::kChrony, "NKS0\n", LogLevel::kInfo};
  {
    testing::FakeService service;
    ControlOptions options;
    options.path = path;
    options.owner = geteuid();
    auto server = ControlServer::Open(std::move(options), service);
    ASSERT_TRUE(server) << server.error();
    (*server)->Start();
    const Expected<std::string, std::string> line = AskServer(path, request);
    ASSERT_TRUE(line) << line.error();
    const auto keys = ParseControlReply<KeysReport>(*line);
    ASSERT_TRUE(keys) << keys.error();
    EXPECT_EQ(keys->fingerprint, "0011");
    EXPECT_THAT(service.calls, ElementsAre("import NKS0\n"));
  }
  const Expected<std::string, std::string> gone = AskServer(path, request);
  ASSERT_FALSE(gone);
  EXPECT_THAT(gone.error(), HasSubstr("is ntsd running?"));
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace ntsd
