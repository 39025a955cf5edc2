// Words that many checks share.
#pragma once

#include <string>
#include <utility>

#include "tests/conformance/probe/probe.h"
#include "tests/conformance/probe/text.h"

namespace ntsd::conformance {

inline constexpr std::string_view kNoNts = "the server grants no NTS cookies for AEAD 15, or --plain was given";
inline constexpr std::string_view kOnlyFast = "floods are only for a server of one's own: --fast";
inline constexpr std::string_view kUnknownPath = "ordinary requests are not answered either, so silence proves nothing";

inline constexpr std::string_view kTurnedAway =
    "the server closed the connection at once, as servers do to those who come too often";

inline Finding JudgeKe(bool holds, std::string sent, std::string expected, const KeTranscript& transcript) {
  if (!holds && transcript.turned_away) return Skip(std::string(kTurnedAway));
  return Judge(holds, std::move(sent), std::move(expected), Describe(transcript));
}

inline Finding JudgeNtp(bool holds, std::string sent, std::string expected, const NtpReply& reply) {
  if (reply.path_is_dead) return Skip(std::string(kUnknownPath));
  return Judge(holds, std::move(sent), std::move(expected), Describe(reply));
}

// Silence is what is right.
inline Finding JudgeSilence(std::string sent, const NtpReply& reply) {
  return JudgeNtp(reply.IsSilence(), std::move(sent), "silence", reply);
}

// The request is answered by an Error record with this code and nothing else.
inline Finding JudgeKeError(KeErrorCode code, std::string sent, const KeTranscript& transcript) {
  return JudgeKe(KeAnswerView::Parse(transcript.answer).IsError(code), std::move(sent),
                 "Error " + std::to_string(static_cast<unsigned>(code)) + " and End of Message", transcript);
}

inline bool IsGrant(const KeTranscript& transcript, std::optional<std::uint16_t> aead = std::nullopt) {
  return KeAnswerView::Parse(transcript.answer).IsGrant(aead);
}

inline bool HasCookies(const KeTranscript& transcript) {
  return KeAnswerView::Parse(transcript.answer).Count(KeRecordType::kNewCookie) > 0;
}

// Gathers what several variants of one check came to: broken as soon as one is.
class Variants {
 public:
  explicit Variants(std::string expected) : expected_(std::move(expected)) {}

  void Add(bool holds, const std::string& sent, const std::string& came) {
    if (!all_.empty()) all_ += "; ";
    all_ += sent;
    if (holds) {
      if (came_.empty()) came_ = came;
      return;
    }
    if (!broken_.empty()) broken_ += "; ";
    broken_ += sent + ": " + came;
  }
  void Add(bool holds, const std::string& sent, const KeTranscript& transcript) {
    const bool proves_nothing = !holds && transcript.turned_away;
    if (proves_nothing) reason_ = kTurnedAway;
    Add(holds || proves_nothing, sent, Describe(transcript));
  }
  void Add(bool holds, const std::string& sent, const NtpReply& reply) {
    if (reply.path_is_dead) reason_ = kUnknownPath;
    Add(holds || reply.path_is_dead, sent, Describe(reply));
  }

  Finding Done() const {
    if (broken_.empty() && !reason_.empty()) return Skip(std::string(reason_));
    return Judge(broken_.empty(), all_, expected_, broken_.empty() ? came_ : broken_);
  }

 private:
  std::string expected_;
  std::string all_;
  std::string came_;
  std::string broken_;
  std::string_view reason_;  // why nothing can be said
};

}  // namespace ntsd::conformance
