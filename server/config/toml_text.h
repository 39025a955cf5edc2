// TOML text as toml++ gets to see it: letters beyond ASCII are hidden from it, and shown again in what it returns.
//
// Where such a letter follows a number, a date or a word, toml++ 3.3 runs into code that its authors declared
// unreachable, and then anything may happen. So it never meets one: "é" goes in as "~C3~A9", which is as good inside
// of strings and comments, and as wrong elsewhere.
//
// Threads: functions of their arguments; a HiddenText never changes. Errors: none but those of FindBadUtf8().
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ntsd {

// The offset of the first octet that is not part of UTF-8 (RFC 3629), in which all TOML is written.
std::optional<std::size_t> FindBadUtf8(std::string_view text);

// What HiddenText made of letters beyond ASCII and of "~", turned back.
std::string ShowLetters(std::string_view hidden);

class HiddenText {
 public:
  // `text` is UTF-8; a byte order mark in front of it is left out.
  explicit HiddenText(std::string_view text);

  const std::string& text() const { return text_; }
  // The column in the original line, in letters from 1, for one of this text. Lines count from 1, too.
  unsigned ShownColumn(unsigned line, unsigned column) const;

 private:
  std::string text_;
  std::vector<std::size_t> line_starts_;
};

}  // namespace ntsd
