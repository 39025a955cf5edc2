#include "bench/load/outcome.h"

namespace ntsd::load {
namespace {

constexpr RequestKind kRequestKinds[] = {RequestKind::kGood, RequestKind::kForged, RequestKind::kStale,
                                         RequestKind::kGarbage};

// Answers that came in time and belong to one request of ours, each once.
constexpr AnswerKind kAnsweredKinds[] = {AnswerKind::kOk,          AnswerKind::kNak,
                                         AnswerKind::kRate,        AnswerKind::kDeny,
                                         AnswerKind::kOtherKiss,   AnswerKind::kUnsynchronized,
                                         AnswerKind::kUnauthentic, AnswerKind::kMalformed,
                                         AnswerKind::kOversized,   AnswerKind::kStampsDisordered};

}  // namespace

std::string_view RequestKindName(RequestKind kind) {
  switch (kind) {
    case RequestKind::kGood:
      return "good";
    case RequestKind::kForged:
      return "forged";
    case RequestKind::kStale:
      return "stale";
    case RequestKind::kGarbage:
      return "garbage";
  }
  return "";
}

std::string_view AnswerKindName(AnswerKind kind) {
  switch (kind) {
    case AnswerKind::kOk:
      return "ok";
    case AnswerKind::kNak:
      return "nak";
    case AnswerKind::kRate:
      return "rate";
    case AnswerKind::kDeny:
      return "deny";
    case AnswerKind::kOtherKiss:
      return "other_kiss";
    case AnswerKind::kUnsynchronized:
      return "unsynchronized";
    case AnswerKind::kUnauthentic:
      return "unauthentic";
    case AnswerKind::kMismatched:
      return "mismatched";
    case AnswerKind::kMalformed:
      return "malformed";
    case AnswerKind::kOversized:
      return "oversized";
    case AnswerKind::kStampsDisordered:
      return "stamps_disordered";
    case AnswerKind::kDuplicate:
      return "duplicate";
    case AnswerKind::kLate:
      return "late";
    case AnswerKind::kLost:
      return "lost";
    case AnswerKind::kSilence:
      return "silence";
  }
  return "";
}

bool IsExpected(RequestKind request, AnswerKind answer) {
  switch (request) {
    case RequestKind::kGood:
      return answer == AnswerKind::kOk;
    case RequestKind::kForged:
    case RequestKind::kStale:
      return answer == AnswerKind::kNak;
    case RequestKind::kGarbage:
      return answer == AnswerKind::kSilence;
  }
  return false;
}

void Outcomes::Merge(const Outcomes& other) {
  for (std::size_t request = 0; request < kRequestKindCount; ++request) {
    sent_[request] += other.sent_[request];
    for (std::size_t answer = 0; answer < kAnswerKindCount; ++answer) {
      counts_[request][answer] += other.counts_[request][answer];
    }
  }
}

void Outcomes::Settle() {
  for (const RequestKind request : kRequestKinds) {
    std::uint64_t settled = count(request, AnswerKind::kLate);
    for (const AnswerKind answer : kAnsweredKinds) settled += count(request, answer);
    const std::uint64_t open = sent(request) > settled ? sent(request) - settled : 0;
    const AnswerKind end = request == RequestKind::kGarbage ? AnswerKind::kSilence : AnswerKind::kLost;
    counts_[Index(request)][Index(end)] = open;
  }
}

std::uint64_t Outcomes::sent() const {
  std::uint64_t sum = 0;
  for (const RequestKind request : kRequestKinds) sum += sent(request);
  return sum;
}

std::uint64_t Outcomes::count(AnswerKind answer) const {
  std::uint64_t sum = 0;
  for (const RequestKind request : kRequestKinds) sum += count(request, answer);
  return sum;
}

std::uint64_t Outcomes::answered() const {
  std::uint64_t sum = 0;
  for (const AnswerKind answer : kAnsweredKinds) sum += count(answer);
  return sum;
}

double Outcomes::LossRatio() const {
  const std::uint64_t deserving = sent() - sent(RequestKind::kGarbage);
  if (deserving == 0) return 0;
  const std::uint64_t without = count(AnswerKind::kLost) + count(AnswerKind::kLate);
  return static_cast<double>(without) / static_cast<double>(deserving);
}

std::uint64_t Outcomes::unexpected() const {
  std::uint64_t sum = 0;
  for (const RequestKind request : kRequestKinds) {
    for (const AnswerKind answer : kAnsweredKinds) {
      if (!IsExpected(request, answer)) sum += count(request, answer);
    }
  }
  return sum + count(AnswerKind::kMismatched) + count(AnswerKind::kDuplicate);
}

}  // namespace ntsd::load
