// What a running ntsd does each second, made from two looks at its counters.
//
// Threads: a function of its arguments.
#pragma once

#include <string>

#include "server/control/service.h"
#include "server/ntsctl/text.h"

namespace ntsd {

// One screen. `seconds` lie between `before` and `after`, and are more than 0. What did not happen is left out.
std::string TopText(const StatsReport& before, const StatsReport& after, double seconds, const Palette& palette);

}  // namespace ntsd
