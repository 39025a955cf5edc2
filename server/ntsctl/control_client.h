// Asks a running ntsd over its control socket.
//
// Threads: any. Errors: one line that says what is wrong and, where that is known, what to do.
#pragma once

#include <chrono>
#include <string>

#include "core/base/expected.h"
#include "server/control/message.h"

namespace ntsd {

// Longer than the server's own deadline: a reload reads files.
inline constexpr std::chrono::seconds kControlReplyTimeout{15};

// The line that the server at `path` answers, without its newline.
Expected<std::string, std::string> AskServer(const std::string& path, const ControlRequest& request);

}  // namespace ntsd
