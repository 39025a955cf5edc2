#include <fmt/format.h>

#include <algorithm>

#include "tests/conformance/checks/checks.h"
#include "tests/conformance/checks/common.h"

namespace ntsd::conformance {
namespace {

constexpr std::string_view kNoToken = "no --pool-token was given";
constexpr std::size_t kTokenSizeMin = 64;

std::uint16_t Type(KeRecordType type) { return static_cast<std::uint16_t>(type); }

KeRequest WithToken(Probe& probe) {
  return KeRequest().Text(false, KeRecordType::kAuthenticationToken, probe.target().pool_token);
}

KeRequest Lists(KeRequest request) {
  return request.Flag(true, KeRecordType::kSupportedProtocols).Flag(true, KeRecordType::kSupportedAlgorithms);
}

Finding StrangersGetNothing(Probe& probe) {
  Variants variants("an Error, no Keep Alive, no cookies");
  for (const KeRecordType type : {KeRecordType::kSupportedProtocols, KeRecordType::kSupportedAlgorithms,
                                  KeRecordType::kListServers, KeRecordType::kFixedKey}) {
    const KeTranscript came =
        probe.Ke(Offer().Record(true, Type(type), Octets(type == KeRecordType::kFixedKey ? 64 : 0)));
    variants.Add(KeAnswerView::Parse(came.answer).IsAnyError(), fmt::format("record {} without a token", Type(type)),
                 came);
  }
  const KeTranscript kept = probe.Ke(Offer().Flag(false, KeRecordType::kKeepAlive));
  variants.Add(KeAnswerView::Parse(kept.answer).Count(KeRecordType::kKeepAlive) == 0 && kept.close_notify,
               "Keep Alive without a token", kept);
  return variants.Done();
}

Finding SupportedLists(Probe& probe) {
  if (probe.target().pool_token.empty()) return Skip(std::string(kNoToken));
  const KeTranscript came = probe.Ke(Lists(WithToken(probe)));
  const KeAnswerView answer = KeAnswerView::Parse(came.answer);
  const std::vector<std::uint16_t> protocols = answer.Numbers(KeRecordType::kSupportedProtocols);
  const std::vector<std::uint16_t> algorithms = answer.Numbers(KeRecordType::kSupportedAlgorithms);
  bool has_15 = false;
  for (std::size_t i = 0; i + 1 < algorithms.size(); i += 2) has_15 |= algorithms[i] == 15 && algorithms[i + 1] == 32;
  return JudgeKe(answer.IsFramed() && std::find(protocols.begin(), protocols.end(), 0) != protocols.end() && has_15 &&
                     answer.Cookies().empty() && answer.Count(KeRecordType::kNextProtocol) == 0,
                 "records 9 and 10", "both lists, with NTPv4 and with AEAD 15 of 32 octets; no negotiation", came);
}

Finding ServerNames(Probe& probe) {
  if (probe.target().pool_token.empty()) return Skip(std::string(kNoToken));
  const KeTranscript came = probe.Ke(WithToken(probe).Flag(true, KeRecordType::kListServers));
  const KeAnswerView answer = KeAnswerView::Parse(came.answer);
  return JudgeKe(answer.IsFramed() && answer.Count(KeRecordType::kError) == 0 &&
                     answer.Count(KeRecordType::kListServers) == 0 && answer.Cookies().empty(),
                 "record 11", "Server records, and not record 11 itself", came);
}

KeRequest FixedKey(Probe& probe, const Octets& keys, const std::vector<std::uint16_t>& protocols = {0},
                   const std::vector<std::uint16_t>& aeads = {15}) {
  return WithToken(probe).Protocols(protocols).Aeads(aeads).Record(true, Type(KeRecordType::kFixedKey), keys);
}

Finding FixedKeyWorks(Probe& probe) {
  if (probe.target().pool_token.empty()) return Skip(std::string(kNoToken));
  Octets keys(64);
  probe.random().Fill(keys);
  const KeTranscript transcript = probe.Ke(FixedKey(probe, keys));
  const KeAnswerView answer = KeAnswerView::Parse(transcript.answer);
  if (!answer.IsGrant(15)) return JudgeKe(false, "record 12 with two keys", "a grant with cookies", transcript);
  Association association;
  std::copy_n(keys.begin(), 32, association.keys.c2s.begin());
  std::copy_n(keys.begin() + 32, 32, association.keys.s2c.begin());
  association.cookies.push_back(answer.Cookies().front());
  const NtpReply came = probe.Ask(probe.Draft(association), association);
  return JudgeNtp(came.IsAuthenticTime(), "record 12 with two keys, then NTP with them", "authentic time", came);
}

Finding FixedKeyShape(Probe& probe) {
  if (probe.target().pool_token.empty()) return Skip(std::string(kNoToken));
  Variants variants("Error 1");
  const auto add = [&](const std::string& sent, const KeRequest& request) {
    const KeTranscript came = probe.Ke(request);
    variants.Add(KeAnswerView::Parse(came.answer).IsError(KeErrorCode::kBadRequest), sent, came);
  };
  add("63 octets of keys", FixedKey(probe, Octets(63)));
  add("66 octets", FixedKey(probe, Octets(66)));
  add("two protocols", FixedKey(probe, Octets(64), {0, 0x8001}));
  add("two AEADs", FixedKey(probe, Octets(64), {0}, {15, 17}));
  return variants.Done();
}

Finding NeverSent(Probe& probe) {
  if (probe.ke_answers().empty()) probe.Ke(Offer());
  if (!probe.target().pool_token.empty()) probe.Ke(Lists(WithToken(probe)));
  for (const Octets& octets : probe.ke_answers()) {
    const KeAnswerView answer = KeAnswerView::Parse(octets);
    for (const KeRecordType type : {KeRecordType::kListServers, KeRecordType::kFixedKey, KeRecordType::kServerDeny,
                                    KeRecordType::kAuthenticationToken}) {
      if (answer.Count(type) > 0) return Judge(false, "requests good and bad", "no records 11 to 14", Describe(answer));
    }
  }
  return Judge(true, "requests good and bad", "no records 11 to 14", Count(probe.ke_answers().size(), "answer"));
}

Finding LongToken(Probe& probe) {
  const std::size_t size = probe.target().pool_token.size();
  if (size < kTokenSizeMin) return Skip(size == 0 ? std::string(kNoToken) : "the token has less than 64 characters");
  const KeTranscript came = probe.Ke(Lists(WithToken(probe)));
  return JudgeKe(KeAnswerView::Parse(came.answer).Count(KeRecordType::kSupportedProtocols) == 1,
                 fmt::format("a token of {} characters", size), "it is accepted", came);
}

Finding NoExportAfterKeepAlive(Probe& probe) {
  if (probe.target().pool_token.empty()) return Skip(std::string(kNoToken));
  KeAttempt attempt = probe.Attempt(Lists(WithToken(probe)).Flag(false, KeRecordType::kKeepAlive));
  attempt.second_request = Offer().End();
  const KeTranscript came = probe.Ke(attempt);
  const KeAnswerView answer = KeAnswerView::Parse(came.answer);
  if (answer.Count(KeRecordType::kKeepAlive) == 0)
    return Skip("the server keeps no connection alive: " + Describe(came));
  return JudgeKe(answer.Cookies().empty(), "an ordinary request on a connection that was kept alive", "no cookies",
                 came);
}

constexpr Check kChecks[] = {
    {"R-POOL-01", "NTS pool draft", Level::kMust, "Pool records without a token get an Error", StrangersGetNothing},
    {"R-POOL-02", "NTS pool draft", Level::kMust, "The lists of protocols and algorithms", SupportedLists},
    {"R-POOL-03", "NTS pool draft", Level::kMust, "The list of server names", ServerNames},
    {"R-POOL-04", "NTS pool draft", Level::kShould, "Cookies for the pool's own keys", FixedKeyWorks},
    {"R-POOL-05", "NTS pool draft", Level::kMust, "A fixed key of the wrong shape: Error 1", FixedKeyShape},
    {"R-POOL-06", "NTS pool draft", Level::kMust, "Records 11 to 14 are never sent", NeverSent},
    {"R-POOL-07", "NTS pool draft", Level::kMust, "Tokens of 64 characters and more", LongToken},
    {"R-POOL-08", "NTS pool draft", Level::kMust, "No key export after Keep Alive", NoExportAfterKeepAlive},
    {"R-POOL-09", "NTS pool draft", Level::kRecommended, "Tokens are compared in constant time", nullptr,
     "the network's jitter hides such differences; the code has to be looked at"},
};

}  // namespace

std::span<const Check> PoolChecks() { return kChecks; }

}  // namespace ntsd::conformance
