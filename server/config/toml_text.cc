#include "server/config/toml_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdint>

namespace ntsd {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr char kMark = '~';
constexpr std::size_t kHiddenSize = 3;  // "~C3"

bool IsContinuation(std::uint8_t octet) { return (octet & 0xC0) == 0x80; }

// How many octets the letter at the front takes; 0 when it is none.
std::size_t LetterSize(std::string_view text) {
  const auto octet = [text](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::uint8_t first = octet(0);
  if (first < 0x80) return 1;
  const std::size_t size = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < size) return 0;
  for (std::size_t i = 1; i < size; ++i) {
    if (!IsContinuation(octet(i))) return 0;
  }
  // Neither longer than need be, nor surrogates, nor beyond U+10FFFF.
  const bool is_bad = (first == 0xE0 && octet(1) < 0xA0) || (first == 0xED && octet(1) > 0x9F) ||
                      (first == 0xF0 && octet(1) < 0x90) || (first == 0xF4 && octet(1) > 0x8F);
  return is_bad ? 0 : size;
}

// The octet that the text at the front hides, if it hides one.
std::optional<std::uint8_t> HiddenOctet(std::string_view text) {
  if (text.size() < kHiddenSize || text[0] != kMark) return std::nullopt;
  std::uint8_t octet = 0;
  const auto [end, error] = std::from_chars(text.data() + 1, text.data() + kHiddenSize, octet, 16);
  if (error != std::errc{} || end != text.data() + kHiddenSize) return std::nullopt;
  return octet;
}

}  // namespace

std::optional<std::size_t> FindBadUtf8(std::string_view text) {
  std::size_t i = 0;
  while (i < text.size()) {  // ends: a letter has at least one octet
    const std::size_t size = LetterSize(text.substr(i));
    if (size == 0) return i;
    i += size;
  }
  return std::nullopt;
}

std::string ShowLetters(std::string_view hidden) {
  std::string shown;
  for (std::size_t i = 0; i < hidden.size(); ++i) {
    if (const std::optional<std::uint8_t> octet = HiddenOctet(hidden.substr(i))) {
      shown += static_cast<char>(*octet);
      i += kHiddenSize - 1;
    } else {
      shown += hidden[i];
    }
  }
  return shown;
}

HiddenText::HiddenText(std::string_view text) : line_starts_{0} {
  if (text.substr(0, kByteOrderMark.size()) == kByteOrderMark) text.remove_prefix(kByteOrderMark.size());
  for (const char letter : text) {
    if (letter == kMark || static_cast<std::uint8_t>(letter) >= 0x80) {
      text_ += fmt::format("{}{:02X}", kMark, static_cast<std::uint8_t>(letter));
    } else {
      text_ += letter;
      if (letter == '\n') line_starts_.push_back(text_.size());
    }
  }
}

unsigned HiddenText::ShownColumn(unsigned line, unsigned column) const {
  if (line == 0 || line > line_starts_.size() || column == 0) return column;
  const std::string_view before =
      std::string_view(text_).substr(line_starts_[line - 1], static_cast<std::size_t>(column) - 1);
  const std::string shown = ShowLetters(before);
  const auto rest = column - 1 - before.size();  // beyond the end of the text
  const auto letters = std::count_if(shown.begin(), shown.end(),
                                     [](char octet) { return !IsContinuation(static_cast<std::uint8_t>(octet)); });
  return static_cast<unsigned>(static_cast<std::size_t>(letters) + rest + 1);
}

}  // namespace ntsd
