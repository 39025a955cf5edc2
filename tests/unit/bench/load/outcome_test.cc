#include "bench/load/outcome.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace ntsd::load {
namespace {

TEST(Outcome, EveryKindHasANameOfItsOwn) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < kAnswerKindCount; ++i) names.insert(AnswerKindName(static_cast<AnswerKind>(i)));
  EXPECT_EQ(names.size(), kAnswerKindCount);
  EXPECT_FALSE(names.contains(""));
}

TEST(Outcome, WhatIsNotAnsweredIsLostAndGarbageIsMetWithSilence) {
  Outcomes outcomes;
  for (int i = 0; i < 10; ++i) outcomes.Sent(RequestKind::kGood);
  for (int i = 0; i < 4; ++i) outcomes.Sent(RequestKind::kGarbage);
  outcomes.Count(RequestKind::kGood, AnswerKind::kOk, 6);
  outcomes.Count(RequestKind::kGood, AnswerKind::kNak, 1);
  outcomes.Count(RequestKind::kGood, AnswerKind::kLate, 1);
  outcomes.Count(RequestKind::kGood, AnswerKind::kDuplicate, 5);
  outcomes.Settle();
  EXPECT_EQ(outcomes.count(RequestKind::kGood, AnswerKind::kLost), 2U) << "10 - 6 - 1 - 1; duplicates answer nothing";
  EXPECT_EQ(outcomes.count(RequestKind::kGarbage, AnswerKind::kSilence), 4U);
  EXPECT_EQ(outcomes.count(RequestKind::kGarbage, AnswerKind::kLost), 0U);
  EXPECT_DOUBLE_EQ(outcomes.LossRatio(), 0.3) << "late is as bad as lost, and garbage deserves nothing";
  EXPECT_EQ(outcomes.answered(), 7U);
}

TEST(Outcome, OnlyWhatARequestDeservesIsExpected) {
  Outcomes outcomes;
  outcomes.Count(RequestKind::kGood, AnswerKind::kOk);
  outcomes.Count(RequestKind::kForged, AnswerKind::kNak);
  outcomes.Count(RequestKind::kStale, AnswerKind::kNak);
  EXPECT_EQ(outcomes.unexpected(), 0U);
  outcomes.Count(RequestKind::kForged, AnswerKind::kOk);
  EXPECT_EQ(outcomes.unexpected(), 1U) << "a server that takes a forged cookie";
  outcomes.Count(RequestKind::kGood, AnswerKind::kNak);
  outcomes.Count(RequestKind::kGood, AnswerKind::kMismatched);
  outcomes.Count(RequestKind::kGood, AnswerKind::kDuplicate);
  EXPECT_EQ(outcomes.unexpected(), 4U);
  for (std::size_t i = 0; i < kAnswerKindCount; ++i) {
    const auto kind = static_cast<AnswerKind>(i);
    EXPECT_EQ(IsExpected(RequestKind::kGarbage, kind), kind == AnswerKind::kSilence);
  }
}

TEST(Outcome, MergesTables) {
  Outcomes left;
  Outcomes right;
  left.Sent(RequestKind::kGood);
  right.Sent(RequestKind::kGood);
  right.Count(RequestKind::kGood, AnswerKind::kRate, 3);
  left.Merge(right);
  EXPECT_EQ(left.sent(), 2U);
  EXPECT_EQ(left.count(AnswerKind::kRate), 3U);
}

}  // namespace
}  // namespace ntsd::load
