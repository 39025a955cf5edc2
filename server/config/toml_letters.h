// Where a TOML text has a character beyond ASCII outside of its strings and comments, where TOML 1.0 allows none.
//
// Asked before toml++ sees the text: on some of these characters, toml++ 3.3 runs into code that its authors declared
// unreachable, and then anything may happen.
//
// Threads: a function of its argument. Errors: none; a text that is not TOML for other reasons is toml++'s to refuse.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace ntsd {

// The offset of the first such octet. A byte order mark in front of the text is none.
std::optional<std::size_t> FindLetterBeyondAscii(std::string_view text);

}  // namespace ntsd
