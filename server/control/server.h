// Carries control requests over a Unix socket: one line in, one line out, then the connection is closed.
//
// Threads: one of its own between Start() and the end; it alone calls the service.
// Memory: at most kControlClientsMax connections, each with a bounded request. Lines are wiped, for keys may pass; what
//         the JSON library copied of an exported or imported key file on its way is freed unwiped.
// Errors: a socket that cannot be had is refused by Open(). A client that is slow or too long loses its connection and
//         keeps nobody else from being served.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "core/base/expected.h"
#include "server/control/service.h"

namespace ntsd {

inline constexpr std::size_t kControlClientsMax = 16;
inline constexpr std::chrono::milliseconds kControlDeadline{5000};

struct ControlOptions {
  std::string path;
  std::string group;                                      // may read; empty: nobody
  uid_t owner = 0;                                        // the user that the service will run as
  std::chrono::milliseconds deadline = kControlDeadline;  // of a whole exchange
  std::function<void()> every_second;                     // called by the control thread; may be empty
};

class ControlServer {
 public:
  // Makes the socket (mode 0660, of `owner` and `group`), with the last folder of its path if that is missing. Removes
  // a socket of that name when nobody listens at it. To be called before other threads exist: it sets the umask for a
  // moment. The error is one line that says what to do.
  static Expected<std::unique_ptr<ControlServer>, std::string> Open(ControlOptions options, ControlService& service);
  ~ControlServer();  // stops, and removes the socket
  ControlServer(const ControlServer&) = delete;
  ControlServer& operator=(const ControlServer&) = delete;

  // A group that does not exist is no reason not to serve, but to be logged; empty when all is well.
  const std::string& warning() const;
  void Start();

 private:
  class Loop;
  explicit ControlServer(std::unique_ptr<Loop> loop);

  std::unique_ptr<Loop> loop_;
};

}  // namespace ntsd
