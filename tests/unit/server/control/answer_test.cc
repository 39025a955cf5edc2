#include "server/control/answer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/unit/server/control/fake_service.h"

namespace ntsd {
namespace {

using ::ntsd::testing::FakeService;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

std::string Line(ControlCommand command) {
  return FormatControlRequest({command, 0xA1B2, KeyFileFormat::kChrony, "NKS1", LogLevel::kDebug});
}

TEST(AnswerControl, CallsWhatWasAskedFor) {
  const std::vector<std::string> expected = {"status",      "stats",  "check",           "rate 20",
                                             "keys",        "rotate", "revoke 0000A1B2", "export chrony",
                                             "import NKS1", "reload", "drain",           "level debug"};
  ASSERT_EQ(expected.size(), kControlCommandCount);
  for (std::size_t i = 0; i < kControlCommandCount; ++i) {
    FakeService service;
    const std::string reply = AnswerControl(service, ControlAccess::kChange, Line(static_cast<ControlCommand>(i)));
    EXPECT_THAT(service.calls, ElementsAre(expected[i]));
    EXPECT_THAT(reply, StartsWith("{\"ok\":true"));
    EXPECT_EQ(reply.find('\n'), std::string::npos) << "one line";
  }
}

TEST(AnswerControl, ReadersCannotChangeAnything) {
  for (std::size_t i = 0; i < kControlCommandCount; ++i) {
    const auto command = static_cast<ControlCommand>(i);
    FakeService service;
    const std::string reply = AnswerControl(service, ControlAccess::kRead, Line(command));
    if (NeedsChangeRight(command)) {
      EXPECT_THAT(service.calls, IsEmpty()) << ControlCommandName(command);
      EXPECT_THAT(reply, HasSubstr("only root and the user of ntsd may do that"));
    } else {
      EXPECT_THAT(reply, StartsWith("{\"ok\":true")) << ControlCommandName(command);
    }
  }
}

TEST(AnswerControl, ReadingIsFiveCommandsAndNeverTheKeysThemselves) {
  int readable = 0;
  for (std::size_t i = 0; i < kControlCommandCount; ++i)
    readable += NeedsChangeRight(static_cast<ControlCommand>(i)) ? 0 : 1;
  EXPECT_EQ(readable, 5);
  EXPECT_TRUE(NeedsChangeRight(ControlCommand::kKeysExport));
}

TEST(AnswerControl, OthersGetNothing) {
  for (std::size_t i = 0; i < kControlCommandCount; ++i) {
    FakeService service;
    EXPECT_THAT(AnswerControl(service, ControlAccess::kNone, Line(static_cast<ControlCommand>(i))),
                StartsWith("{\"error\":\"only root"));
    EXPECT_THAT(service.calls, IsEmpty());
  }
}

TEST(AnswerControl, PassesOnWhyTheServiceRefused) {
  for (const ControlCommand command : {ControlCommand::kKeysRotate, ControlCommand::kKeysRevoke,
                                       ControlCommand::kKeysExport, ControlCommand::kKeysImport}) {
    FakeService service;
    service.refusal = "keys.source is follow";
    EXPECT_EQ(AnswerControl(service, ControlAccess::kChange, Line(command)),
              "{\"error\":\"keys.source is follow\",\"ok\":false}");
  }
}

TEST(AnswerControl, AnswersNonsense) {
  FakeService service;
  EXPECT_THAT(AnswerControl(service, ControlAccess::kChange, "GET / HTTP/1.1"), HasSubstr("\"ok\":false"));
  EXPECT_THAT(service.calls, IsEmpty());
}

}  // namespace
}  // namespace ntsd
