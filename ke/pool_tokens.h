// The file of authentication tokens of NTS pools: one a line; empty lines and those that begin with # are skipped.
//
// Errors: one line that names the file and the number of the line, and never the token.
#pragma once

#include <string>
#include <vector>

#include "core/base/expected.h"

namespace ntsd::ke {

// Tokens have 16 to 128 visible ASCII characters: shorter ones could be guessed.
Expected<std::vector<std::string>, std::string> LoadPoolTokens(const std::string& path);

}  // namespace ntsd::ke
