#include <fmt/format.h>

#include "tests/conformance/checks/checks.h"
#include "tests/conformance/checks/common.h"

namespace ntsd::conformance {
namespace {

constexpr auto kBadRequest = KeErrorCode::kBadRequest;
constexpr std::uint16_t kUnknownType = 0x4ABC;
const Octets kSomeBody{1, 2, 3, 4, 5};

std::uint16_t Type(KeRecordType type) { return static_cast<std::uint16_t>(type); }

Finding Grants(Probe& probe, std::string sent, const KeRequest& request) {
  const KeTranscript came = probe.Ke(request);
  return JudgeKe(IsGrant(came), std::move(sent), "a grant with cookies", came);
}

// Several malformed requests that all deserve Error 1.
class BadRequests {
 public:
  explicit BadRequests(Probe& probe) : probe_(probe) {}
  BadRequests& Add(const std::string& sent, const KeRequest& request) { return Add(sent, probe_.Attempt(request)); }
  BadRequests& Add(const std::string& sent, const KeAttempt& attempt) {
    const KeTranscript came = probe_.Ke(attempt);
    variants_.Add(KeAnswerView::Parse(came.answer).IsError(kBadRequest), sent, came);
    return *this;
  }
  // Where taking it as if it were good is acceptable too.
  BadRequests& AddTolerable(const std::string& sent, const KeRequest& request) {
    const KeTranscript came = probe_.Ke(request);
    variants_.Add(KeAnswerView::Parse(came.answer).IsError(kBadRequest) || IsGrant(came), sent, came);
    return *this;
  }
  Finding Done() const { return variants_.Done(); }

 private:
  Probe& probe_;
  Variants variants_{"Error 1 and End of Message"};
};

Finding RequestOf1024(Probe& probe) {
  KeRequest request = Offer();
  const std::size_t rest = 1024 - request.End().size() - kKeRecordHeaderSize;
  request.Record(false, kUnknownType, Octets(rest));
  return Grants(probe, "a request of 1024 octets, filled by an unknown record with C=0", request);
}

Finding HugeRequest(Probe& probe) {
  KeRequest request = Offer();
  for (int i = 0; i < 70; ++i) request.Record(false, kUnknownType, Octets(996));
  const KeTranscript huge = probe.Ke(request);
  const KeTranscript next = probe.Ke(Offer());
  const bool is_refused = KeAnswerView::Parse(huge.answer).IsAnyError() || huge.answer.empty();
  return Judge((is_refused || IsGrant(huge)) && IsGrant(next), "a request of 70000 octets, then an ordinary one",
               "Error 1, a close or a grant; and the next is served", Describe(huge) + "; then " + Describe(next));
}

Finding UnknownRecord(Probe& probe) {
  return Grants(probe, "an unknown record with C=0", Offer().Record(false, kUnknownType, kSomeBody));
}

Finding UnknownCritical(Probe& probe) {
  return JudgeKeError(KeErrorCode::kUnrecognizedCriticalRecord, "an unknown record with C=1",
                      probe.Ke(Offer().Record(true, kUnknownType, kSomeBody)));
}

Finding NextProtocolOnce(Probe& probe) {
  return BadRequests(probe)
      .Add("no Next Protocol record", KeRequest().Aeads({15}))
      .Add("two of them", KeRequest().Protocols({0}).Protocols({0}).Aeads({15}))
      .Done();
}

Finding NextProtocolBody(Probe& probe) {
  return BadRequests(probe)
      .Add("an empty Next Protocol record", KeRequest().Protocols({}).Aeads({15}))
      .Add("one of a single octet", KeRequest().Record(true, Type(KeRecordType::kNextProtocol), Octets{0}).Aeads({15}))
      .Add("one of three octets",
           KeRequest().Record(true, Type(KeRecordType::kNextProtocol), Octets{0, 0, 0}).Aeads({15}))
      .Done();
}

Finding Incomplete(Probe& probe) {
  KeAttempt truncated = probe.Attempt(Offer());
  truncated.request_size_now = truncated.request.size() - 3;
  truncated.close_after_request = true;
  KeAttempt garbage = probe.Attempt(Octets(64, 0xFF));
  garbage.close_after_request = true;
  KeAttempt empty = probe.Attempt(Octets());
  empty.close_after_request = true;
  return BadRequests(probe)
      .Add("a request that ends within its last record", truncated)
      .Add("64 octets of ff", garbage)
      .Add("nothing but close_notify", empty)
      .Done();
}

Finding Timeout(Probe& probe) {
  KeAttempt silent = probe.Attempt(Octets());
  silent.patience = probe.target().ke_patience;
  KeAttempt half = probe.Attempt(Offer());
  half.request_size_now = half.request.size() / 2;
  half.patience = silent.patience;
  const std::vector<KeTranscript> came = probe.KeTogether({silent, half});
  Variants variants(fmt::format("Error 1 and a close within {} s", silent.patience.count() / 1000));
  for (std::size_t i = 0; i < came.size(); ++i) {
    const bool holds = KeAnswerView::Parse(came[i].answer).IsError(kBadRequest) && came[i].end != StreamEnd::kNone;
    variants.Add(holds, i == 0 ? "a handshake and nothing more" : "half a request", came[i]);
  }
  return variants.Done();
}

Finding ForbiddenRecords(Probe& probe) {
  return BadRequests(probe)
      .Add("an Error record", Offer().Numbers(true, KeRecordType::kError, {0}))
      .Add("a Warning record", Offer().Numbers(true, KeRecordType::kWarning, {0}))
      .Add("a New Cookie record", Offer().Record(false, Type(KeRecordType::kNewCookie), Octets(100)))
      .Done();
}

Finding NoAead(Probe& probe) {
  return BadRequests(probe).Add("NTPv4 without an AEAD record", KeRequest().Protocols({0})).Done();
}

Finding AeadBody(Probe& probe) {
  return BadRequests(probe)
      .Add("two AEAD records", Offer().Aeads({15}))
      .Add("an empty AEAD record", Offer({}))
      .Add("one of three octets",
           KeRequest().Protocols({0}).Record(true, Type(KeRecordType::kAeadAlgorithm), Octets{0, 15, 0}))
      .Done();
}

Finding AeadCriticalOrNot(Probe& probe) {
  Variants variants("a grant with cookies");
  for (const bool critical : {false, true}) {
    const KeTranscript came =
        probe.Ke(KeRequest().Protocols({0}).Numbers(critical, KeRecordType::kAeadAlgorithm, {15}));
    variants.Add(IsGrant(came), critical ? "an AEAD record with C=1" : "an AEAD record with C=0", came);
  }
  return variants.Done();
}

Finding AnyOrder(Probe& probe) {
  return Grants(probe, "AEAD before Next Protocol", KeRequest().Aeads({15}).Protocols({0}));
}

Finding CriticalWishes(Probe& probe) {
  Variants variants("a grant with cookies: both are known");
  const KeTranscript server = probe.Ke(Offer().Text(true, KeRecordType::kServer, "ntp.example"));
  variants.Add(IsGrant(server), "a Server record with C=1", server);
  const KeTranscript port =
      probe.Ke(Offer().Text(true, KeRecordType::kServer, "ntp.example").Numbers(true, KeRecordType::kPort, {123}));
  variants.Add(IsGrant(port), "Server and Port records with C=1", port);
  return variants.Done();
}

Finding BadWishes(Probe& probe) {
  return BadRequests(probe)
      .Add("two Server records",
           Offer().Text(false, KeRecordType::kServer, "a.example").Text(false, KeRecordType::kServer, "b.example"))
      .Add("a Port record of one octet", Offer().Record(false, Type(KeRecordType::kPort), Octets{123}))
      .Done();
}

Finding AfterTheEnd(Probe& probe) {
  Octets request = Offer().End();
  const Octets more = Offer().End();
  request.insert(request.end(), more.begin(), more.end());
  const KeTranscript came = probe.Ke(probe.Attempt(request));
  const KeAnswerView answer = KeAnswerView::Parse(came.answer);
  return JudgeKe(came.answers_complete == 1 && (answer.IsError(kBadRequest) || answer.IsGrant()),
                 "a second request behind End of Message", "Error 1 or one grant, no second answer", came);
}

Finding OddEnds(Probe& probe) {
  const auto send = [&](bool critical, ByteView body) {
    return probe.Attempt(Offer().Record(critical, Type(KeRecordType::kEndOfMessage), body).octets());
  };
  Variants variants("Error 1, or a grant");
  for (const auto& [sent, attempt] : {std::pair("End of Message with C=0", send(false, {})),
                                      std::pair("End of Message with a body", send(true, kSomeBody))}) {
    const KeTranscript came = probe.Ke(attempt);
    variants.Add(KeAnswerView::Parse(came.answer).IsError(kBadRequest) || IsGrant(came), sent, came);
  }
  return variants.Done();
}

Finding UncriticalProtocol(Probe& probe) {
  return BadRequests(probe)
      .AddTolerable("Next Protocol with C=0", KeRequest().Numbers(false, KeRecordType::kNextProtocol, {0}).Aeads({15}))
      .Done();
}

Finding OddLists(Probe& probe) {
  return Grants(probe, "AEADs [15, 15, 7, 7] and protocols [0, 0, 9]",
                KeRequest().Protocols({0, 0, 9}).Aeads({15, 15, 7, 7}));
}

constexpr Check kChecks[] = {
    {"R-KE-02", "RFC 8915 §4", Level::kMust, "A request of 1024 octets is accepted", RequestOf1024},
    {"R-KE-03", "RFC 8915 §4", Level::kMay, "A request of 70000 octets does no harm", HugeRequest},
    {"R-KE-04", "RFC 8915 §4", Level::kMust, "An unknown record with C=0 is ignored", UnknownRecord},
    {"R-KE-05", "RFC 8915 §4.1.3", Level::kMust, "An unknown record with C=1: Error 0", UnknownCritical},
    {"R-KE-11", "RFC 8915 §4.1.2", Level::kMust, "Next Protocol missing or twice: Error 1", NextProtocolOnce},
    {"R-KE-12", "RFC 8915 §4.1.2", Level::kMust, "Next Protocol empty or odd: Error 1", NextProtocolBody},
    {"R-KE-14", "RFC 8915 §4.1.3", Level::kMust, "An incomplete or malformed request: Error 1", Incomplete},
    {"R-KE-15", "RFC 8915 §4.1.3", Level::kMust, "No request in time: Error 1, then close", Timeout},
    {"R-KE-16", "RFC 8915 §4.1.3", Level::kMust, "Internal failure: Error 2", nullptr,
     "something would have to fail inside the server"},
    {"R-KE-18", "RFC 8915 §4.1.3", Level::kRecommended, "Records that only servers send: Error 1", ForbiddenRecords},
    {"R-KE-20", "RFC 8915 §4.1.5", Level::kMust, "NTPv4 without an AEAD record: Error 1", NoAead},
    {"R-KE-21", "RFC 8915 §4.1.5", Level::kMust, "AEAD record twice, empty or odd: Error 1", AeadBody},
    {"R-KE-25", "RFC 8915 §4.1.5", Level::kRecommended, "The AEAD record may have C=0 or C=1", AeadCriticalOrNot},
    {"R-KE-26", "RFC 8915 §4.1.1", Level::kRecommended, "Records may come in any order", AnyOrder},
    {"R-KE-36", "RFC 8915 §4", Level::kRecommended, "Server and Port records with C=1 are known", CriticalWishes},
    {"R-KE-37", "RFC 8915 §4.1.7", Level::kRecommended, "Two Server records, or a short Port record: Error 1",
     BadWishes},
    {"R-KE-39", "robustness", Level::kRecommended, "Octets behind End of Message do no harm", AfterTheEnd},
    {"R-KE-40", "RFC 8915 §4.1.1", Level::kRecommended, "An odd End of Message: Error 1 or tolerated", OddEnds},
    {"R-KE-41", "RFC 8915 §4.1.2", Level::kRecommended, "Next Protocol with C=0: Error 1 or tolerated",
     UncriticalProtocol},
    {"R-KE-42", "RFC 8915 §1.3", Level::kMust, "No state about clients after the connection", nullptr,
     "the NTS-KE process would have to be restarted between NTS-KE and NTP"},
    {"R-KE-44", "robustness", Level::kRecommended, "Repeated and unknown ids in lists are harmless", OddLists},
};

}  // namespace

std::span<const Check> KeRequestChecks() { return kChecks; }

}  // namespace ntsd::conformance
