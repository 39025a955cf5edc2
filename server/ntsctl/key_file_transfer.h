// Key files on the operator's side of the control socket.
//
// Threads: any. Errors: one line. Secrets: what is read and written is key material; the caller wipes it.
#pragma once

#include <string>

#include "core/base/expected.h"

namespace ntsd {

// "-" is standard input.
Expected<std::string, std::string> ReadKeyFile(const std::string& path);
// A new file with mode 0600, or standard output for "-"; one that exists is left alone. Returns "" or what is wrong.
std::string WriteKeyFile(const std::string& path, const std::string& text);

}  // namespace ntsd
