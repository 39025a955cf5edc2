// What became of each request: who asked how, and which of a few kinds the answer was.
//
// Threads: values; each table belongs to one thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace ntsd::load {

// What a request is meant to be.
enum class RequestKind : std::uint8_t {
  kGood,
  kForged,   // a cookie of the right size and key id whose rest is random: to be refused with a NAK
  kStale,    // a cookie that names a key which the server has not: likewise
  kGarbage,  // no request at all: to be met with silence
};
inline constexpr std::size_t kRequestKindCount = 4;

enum class AnswerKind : std::uint8_t {
  kOk,
  kNak,               // NTSN
  kRate,              // kiss code RATE
  kDeny,              // kiss code DENY
  kOtherKiss,         // stratum 0 with another code
  kUnsynchronized,    // a true answer of a server that has no time
  kUnauthentic,       // authenticator missing or wrong
  kMismatched,        // origin or unique identifier of no request of ours
  kMalformed,         // not an answer, or fields that cannot be
  kOversized,         // longer than the request
  kStampsDisordered,  // transmit before receive, or no stamps at all
  kDuplicate,         // a second answer to the same request
  kLate,              // after the timeout
  kLost,              // never
  kSilence,           // what garbage deserves
};
inline constexpr std::size_t kAnswerKindCount = static_cast<std::size_t>(AnswerKind::kSilence) + 1;

// "good", "forged" …; "ok", "nak" …: for tables and JSON.
std::string_view RequestKindName(RequestKind kind);
std::string_view AnswerKindName(AnswerKind kind);

// True for what a server may answer to a request of that kind; anything else is a fault to be told about.
bool IsExpected(RequestKind request, AnswerKind answer);

class Outcomes {
 public:
  void Sent(RequestKind request) { ++sent_[Index(request)]; }
  void Count(RequestKind request, AnswerKind answer, std::uint64_t amount = 1) {
    counts_[Index(request)][Index(answer)] += amount;
  }
  void Merge(const Outcomes& other);
  // Once no more answers are waited for: what has none is lost, or was rightly met with silence.
  void Settle();

  std::uint64_t sent(RequestKind request) const { return sent_[Index(request)]; }
  std::uint64_t count(RequestKind request, AnswerKind answer) const { return counts_[Index(request)][Index(answer)]; }
  // Over all kinds of requests.
  std::uint64_t sent() const;
  std::uint64_t count(AnswerKind answer) const;
  // Answers of the server to our requests that came in time, of whatever kind.
  std::uint64_t answered() const;
  // Of the requests that deserve an answer, the share that got none in time.
  double LossRatio() const;
  // Answers that no server should give.
  std::uint64_t unexpected() const;

 private:
  template <typename Kind>
  static std::size_t Index(Kind kind) {
    return static_cast<std::size_t>(kind);
  }

  std::array<std::uint64_t, kRequestKindCount> sent_{};
  std::array<std::array<std::uint64_t, kAnswerKindCount>, kRequestKindCount> counts_{};
};

}  // namespace ntsd::load
