// What somebody who misspelt a word probably meant.
//
// Threads: functions of their arguments. Errors: none.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace ntsd {

// The candidate that `word` was probably meant to be; empty when none is near.
std::string_view NearestWord(std::string_view word, std::span<const std::string_view> candidates);

// "there is no command statsu; did you mean status?", or all candidates when none is near.
std::string ExplainUnknownWord(std::string_view kind, std::string_view word,
                               std::span<const std::string_view> candidates);

}  // namespace ntsd
