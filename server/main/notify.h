// Tells the service manager (systemd) how we are. Without one, nothing happens.
//
// Threads: main's. Errors: none; a manager that cannot be told is no reason not to serve.
#pragma once

#include <optional>
#include <string>

#include "core/base/time.h"

namespace ntsd::notify {

void Ready(const std::string& status);
void Status(const std::string& status);
void Reloading();
void Stopping();
void Watchdog();
// How often the manager wants to hear Watchdog(); nothing when it does not.
std::optional<Duration> WatchdogInterval();

}  // namespace ntsd::notify
