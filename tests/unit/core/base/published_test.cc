// Run under TSan, too: the words are atomic, and no thread may see halves of two values.
#include "core/base/published.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <thread>
#include <vector>

namespace ntsd {
namespace {

// 200 octets that all follow from the first, so that a mixture of two shows.
struct Large {
  std::array<std::uint64_t, 25> words{};

  static Large Of(std::uint64_t number) {
    Large large;
    for (std::size_t i = 0; i < large.words.size(); ++i) large.words[i] = number * (i + 1);
    return large;
  }
  bool IsWhole() const { return words == Of(words[0]).words; }
};

TEST(Published, GivesTheLatestValue) {
  Published<Large> published(Large::Of(1));
  EXPECT_EQ(published.Read().words, Large::Of(1).words);
  for (std::uint64_t number = 2; number < 100; ++number) {
    published.Publish(Large::Of(number));
    EXPECT_EQ(published.Read().words, Large::Of(number).words);
  }
}

TEST(Published, HoldsValuesOfAnySize) {
  struct Small {
    std::array<char, 11> text;
  };
  const Published<Small> published(Small{{'1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b'}});
  EXPECT_EQ(published.Read().text[10], 'b');
}

TEST(Published, NoReaderSeesAMixtureOrGoesBack) {
  constexpr int kReaders = 3;
  constexpr std::uint64_t kValues = 20'000;
  Published<Large> published(Large::Of(1));
  std::atomic<int> mixed = 0;
  std::atomic<int> backward = 0;
  std::vector<std::thread> readers;
  for (int i = 0; i < kReaders; ++i) {
    readers.emplace_back([&] {
      std::uint64_t last = 0;
      do {  // ends when the writer's last value is seen
        const Large value = published.Read();
        if (!value.IsWhole()) ++mixed;
        if (value.words[0] < last) ++backward;
        last = value.words[0];
      } while (last != kValues);
    });
  }
  for (std::uint64_t number = 1; number <= kValues; ++number) published.Publish(Large::Of(number));
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(mixed, 0);
  EXPECT_EQ(backward, 0);
}

}  // namespace
}  // namespace ntsd
