// Any line at the control socket gets one line of JSON back; what was understood reads back equal when it is written;
// and who may only read changes nothing, whatever the line says.
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string_view>

#include "core/base/check.h"
#include "server/control/answer.h"
#include "server/control/message.h"
#include "tests/unit/server/control/fake_service.h"

namespace {

using namespace ntsd;  // NOLINT: as below

// The calls that reach the service for a reader.
bool IsReading(const std::string& call) {
  for (const char* const word : {"status", "stats", "check", "rate", "drops", "keys"}) {
    if (call.starts_with(word)) return true;
  }
  return false;
}

void CheckAnswer(ControlAccess access, std::string_view line) {
  testing::FakeService service;
  const std::string reply = AnswerControl(service, access, line);
  CHECK(!reply.empty() && reply.find('\n') == std::string::npos);
  const nlohmann::json object = nlohmann::json::parse(reply, nullptr, false);
  CHECK(object.is_object() && object.contains("ok") && object.contains(object["ok"] ? "result" : "error"));
  CHECK(service.calls.size() <= 1);
  if (access == ControlAccess::kNone) CHECK(service.calls.empty());
  if (access == ControlAccess::kRead && !service.calls.empty()) CHECK(IsReading(service.calls.front()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view line(reinterpret_cast<const char*>(data), size);
  if (const auto request = ParseControlRequest(line)) {
    const auto again = ParseControlRequest(FormatControlRequest(*request));
    CHECK(again && *again == *request);
  }
  for (const ControlAccess access : {ControlAccess::kNone, ControlAccess::kRead, ControlAccess::kChange}) {
    CheckAnswer(access, line);
  }
  return 0;
}
