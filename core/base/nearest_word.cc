#include "core/base/nearest_word.h"

#include <algorithm>
#include <numeric>
#include <vector>

namespace ntsd {
namespace {

// Letters that must be added, removed, changed or swapped with their neighbour to come from `a` to `b`; case, and '_'
// for
// '-', do not count.
std::size_t EditDistance(std::string_view a, std::string_view b) {
  const auto fold = [](char c) {
    if (c == '_') return '-';
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  };
  // Rows of the table for the last two letters of `a` and the one at hand.
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  std::vector<std::size_t> before = row;
  std::vector<std::size_t> next(b.size() + 1);
  for (std::size_t i = 0; i < a.size(); ++i) {
    next[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t changed = row[j] + (fold(a[i]) == fold(b[j]) ? 0 : 1);
      next[j + 1] = std::min({changed, row[j + 1] + 1, next[j] + 1});
      const bool is_swap = i > 0 && j > 0 && fold(a[i]) == fold(b[j - 1]) && fold(a[i - 1]) == fold(b[j]);
      if (is_swap) next[j + 1] = std::min(next[j + 1], before[j - 1] + 1);
    }
    before.swap(row);
    row.swap(next);
  }
  return row.back();
}

}  // namespace

std::string_view NearestWord(std::string_view word, std::span<const std::string_view> candidates) {
  std::string_view nearest;
  std::size_t nearest_distance = std::max<std::size_t>(1, word.size() / 3) + 1;
  for (const std::string_view candidate : candidates) {
    const std::size_t distance = EditDistance(word, candidate);
    if (distance < nearest_distance) {
      nearest = candidate;
      nearest_distance = distance;
    }
  }
  return nearest;
}

std::string ExplainUnknownWord(std::string_view kind, std::string_view word,
                               std::span<const std::string_view> candidates) {
  std::string text = "there is no " + std::string(kind) + " " + std::string(word);
  const std::string_view nearest = NearestWord(word, candidates);
  if (!nearest.empty()) return text + "; did you mean " + std::string(nearest) + "?";
  std::string_view separator = "; there is ";
  for (const std::string_view candidate : candidates) {
    text += std::string(separator) + std::string(candidate);
    separator = ", ";
  }
  return text;
}

}  // namespace ntsd
