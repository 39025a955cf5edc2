// Every way of searching a line tells the same, and what it tells is the first cell with the tag.
#include "core/guard/tag_search.h"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <string>

#include "tests/support/fakes.h"

namespace ntsd {
namespace {

constexpr std::size_t kLineCount = 4;
// Its tag is the hash's upper 24 bits.
constexpr std::uint64_t kTag = 0xABCDEF;
constexpr std::uint64_t kHash = kTag << kRateTimeBits | 2;  // stands in line 2 of four

class TagSearches : public ::testing::TestWithParam<std::size_t> {
 protected:
  const TagSearch& search() const { return AvailableTagSearches()[GetParam()]; }
  std::uint8_t Find(std::uint64_t hash) const {
    std::uint8_t cell = 0xFF;
    search().find(lines_.get(), kLineCount - 1, &hash, &cell, 1);
    return cell;
  }

  std::unique_ptr<RateLine[]> lines_ = std::make_unique<RateLine[]>(kLineCount);
};

INSTANTIATE_TEST_SUITE_P(Available, TagSearches, ::testing::Range(std::size_t{0}, AvailableTagSearches().size()),
                         [](const auto& tested) {
                           std::string name = AvailableTagSearches()[tested.param].name;
                           for (char& letter : name) letter = letter == ' ' ? '_' : letter;
                           return name;
                         });

TEST_P(TagSearches, FindsNothingInAnEmptyTable) {
  EXPECT_EQ(Find(kHash), kNoCell);
  EXPECT_EQ(Find(2), kNoCell) << "a hash whose upper bits are zero has tag 1, and a free cell is nobody's";
}

TEST_P(TagSearches, FindsEachCellWhateverItsTime) {
  for (const std::uint64_t time : {std::uint64_t{0}, std::uint64_t{1}, kRateTimeMask}) {
    for (std::uint8_t cell = 0; cell < kRateCellsPerLine; ++cell) {
      lines_[2].cells[cell] = PackRateCell(time, kTag);
      EXPECT_EQ(Find(kHash), cell);
      lines_[2].cells[cell] = 0;
    }
  }
}

TEST_P(TagSearches, TakesTheFirstOfTwo) {
  lines_[2].cells[6] = PackRateCell(5, kTag);
  lines_[2].cells[3] = PackRateCell(9, kTag);
  EXPECT_EQ(Find(kHash), 3);
}

TEST_P(TagSearches, LooksAtOneLineOnly) {
  for (const std::size_t other : {0U, 1U, 3U}) {
    for (RateCell& cell : lines_[other].cells) cell = PackRateCell(0, kTag);
  }
  EXPECT_EQ(Find(kHash), kNoCell);
}

TEST_P(TagSearches, IsNotMisledByANeighbouringTag) {
  for (unsigned bit = 0; bit < kRateTagBits; ++bit) {
    lines_[2].cells[bit % kRateCellsPerLine] = PackRateCell(kRateTimeMask, kTag ^ std::uint64_t{1} << bit);
    EXPECT_EQ(Find(kHash), kNoCell) << bit;
  }
}

TEST_P(TagSearches, TellsTheSameAsCellByCell) {
  testing::FakeRandom random(7);
  const TagSearch& plain = AvailableTagSearches().back();
  std::array<std::uint64_t, 64> hashes{};
  std::array<std::uint8_t, 64> cells{};
  std::array<std::uint8_t, 64> expected{};
  std::size_t found_count = 0;
  for (int round = 0; round < 2000; ++round) {
    // Few tags, so that about half of the searches find one.
    for (std::size_t line = 0; line < kLineCount; ++line) {
      for (RateCell& cell : lines_[line].cells) cell = PackRateCell(random.Next() & kRateTimeMask, random.Next() % 12);
    }
    for (std::uint64_t& hash : hashes) {
      hash = (random.Next() % 12) << kRateTimeBits | (random.Next() & kRateTimeMask);
    }
    const std::size_t count = random.Next() % (hashes.size() + 1);
    cells.fill(0xEE);
    expected.fill(0xEE);
    plain.find(lines_.get(), kLineCount - 1, hashes.data(), expected.data(), count);
    search().find(lines_.get(), kLineCount - 1, hashes.data(), cells.data(), count);
    ASSERT_EQ(cells, expected) << "round " << round;
    for (std::size_t i = 0; i < count; ++i) found_count += expected[i] == kNoCell ? 0 : 1;
  }
  EXPECT_GT(found_count, 10'000U);
}

TEST(AvailableTagSearches, EndWithTheOneForAnyCpu) { EXPECT_STREQ(AvailableTagSearches().back().name, "cell by cell"); }

}  // namespace
}  // namespace ntsd
