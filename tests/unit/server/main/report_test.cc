#include "server/main/report.h"

#include <gtest/gtest.h>

#include <string>

#include "core/nts/responder.h"

namespace ntsd {
namespace {

std::string Text(const std::vector<LabelledCount>& counts) {
  std::string text;
  for (const LabelledCount& count : counts) text += count.label + "=" + std::to_string(count.count) + " ";
  return text;
}

TEST(CookieAges, EveryKeptAgeHasALabelThoughNothingWasCounted) {
  EXPECT_EQ(Text(LabelCookieAges({}, 2)), "future=0 current=0 1=0 2=0 unknown=0 ");
}

TEST(CookieAges, KeysOlderThanOursWouldBeAreShown) {
  CookieAgeCounts counts{};
  counts[0] = 5;
  counts[4] = 3;
  counts[kKeysPerRingMax - 1] = 1;
  counts[ResponderCounters::kFutureAge] = 7;
  counts[ResponderCounters::kUnknownAge] = 9;
  EXPECT_EQ(Text(LabelCookieAges(counts, 2)), "future=7 current=5 1=0 2=0 4=3 31=1 unknown=9 ");
}

}  // namespace
}  // namespace ntsd
