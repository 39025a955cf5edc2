#include "tests/conformance/checks/checks.h"
#include "tests/conformance/checks/common.h"

namespace ntsd::conformance {
namespace {

constexpr std::uint16_t kDraftIdentification = 0xF5FF;
constexpr std::string_view kDraft = "the drafts of NTPv5 change; their features are not looked at";

Finding UnknownDraft(Probe& probe) {
  testing::PacketBuilder builder;
  builder.header().version = 5;
  builder.header().reference_id = 0;
  const std::string name = "draft-nobody-ever-wrote-00..";
  builder.header().receive = {};
  builder.header().transmit = {};
  builder.header().origin.bits = probe.random().NextU64();  // the client cookie
  builder.Field(kDraftIdentification, Octets(name.begin(), name.end()));
  return JudgeSilence("version 5 with an unknown draft", probe.AskForSilence(builder.Build()));
}

Finding ProtocolWithoutDraft(Probe& probe) {
  const KeTranscript came = probe.Ke(KeRequest().Protocols({0x8001}).Aeads({15}));
  return JudgeKe(!HasCookies(came) && KeAnswerView::Parse(came.answer).Numbers(KeRecordType::kNextProtocol).empty(),
                 "protocol 0x8001 without a draft's name", "no common protocol", came);
}

constexpr Check kChecks[] = {
    {"R-V5-01", "NTPv5 draft", Level::kMust, "Version 5: mode 3 and valid format", nullptr, kDraft},
    {"R-V5-02", "NTPv5 draft", Level::kMust, "Version 5: equal lengths", nullptr, kDraft},
    {"R-V5-03", "NTPv5 draft", Level::kMust, "Version 5: unknown drafts get silence", UnknownDraft},
    {"R-V5-04", "NTPv5 draft", Level::kMust, "Version 5: the fields that must be known", nullptr, kDraft},
    {"R-V5-05", "NTPv5 draft", Level::kMust, "Version 5: field lengths without padding", nullptr, kDraft},
    {"R-V5-06", "NTPv5 draft", Level::kMust, "Version 5: the client's cookie is copied", nullptr, kDraft},
    {"R-V5-07", "NTPv5 draft", Level::kShould, "Version 5 is announced to version 4", nullptr, kDraft},
    {"R-V5-08", "NTPv5 draft", Level::kMust, "Protocol 0x8001 only with a draft's name", ProtocolWithoutDraft},
};

}  // namespace

std::span<const Check> Version5Checks() { return kChecks; }

}  // namespace ntsd::conformance
