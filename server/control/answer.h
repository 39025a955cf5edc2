// One request line in, one reply line out: rights, the call into the service, the words of the answer.
//
// Threads: the control thread. Errors: every line gets an answer.
#pragma once

#include <string>
#include <string_view>

#include "server/control/access.h"
#include "server/control/service.h"

namespace ntsd {

std::string AnswerControl(ControlService& service, ControlAccess access, std::string_view line);

}  // namespace ntsd
