// Tells the service manager (systemd) how we are. Without one, nothing happens.
//
// The socket is opened once, before the sandbox forbids to make any: sd_notify(3) of the library makes one each time.
//
// Threads: any; nothing in it changes. Errors: none; a manager that cannot be told is no reason not to serve.
#pragma once

#include <optional>
#include <string>

#include "core/base/time.h"
#include "server/udp/udp_socket.h"

namespace ntsd {

class Notifier {
 public:
  // Looks for the manager's address in the environment (NOTIFY_SOCKET).
  Notifier();

  void Ready(const std::string& status) const;
  void Reloading() const;
  void Stopping() const;
  void Watchdog() const;

 private:
  void Send(const std::string& text) const;

  std::string address_;  // a path, or "@" and a name without one; empty: no manager
  Descriptor socket_;
};

// How often the manager wants to hear Watchdog(); nothing when it does not.
std::optional<Duration> WatchdogInterval();

}  // namespace ntsd
