// What the front end is told: what to answer, and its bounds.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/random.h"
#include "core/base/time.h"
#include "core/crypto/fast_random.h"
#include "core/guard/guard.h"
#include "core/nts/exchange.h"

namespace ntsd::ke {

// One service: what the clients of some listeners get.
struct Settings {
  // From accept to the last octet of the answer.
  Duration timeout = std::chrono::seconds(5);
  // At once, over all workers.
  std::size_t max_connections = 8192;
  std::size_t max_connections_per_prefix = 512;
  // AEADs, NTP server and port, names known, pool tokens. The certificates' names and the name of the server are
  // added to the known ones.
  KePolicy policy;
  // A pool's connections that may stay open at once, and for how long between two requests.
  std::size_t max_kept_alive = 64;
  Duration kept_alive_timeout = std::chrono::seconds(60);
};

// A listening socket (TCP, non-blocking) and the service behind it. The server takes it over and closes it.
struct Listener {
  int fd = -1;
  std::size_t service = 0;
};

enum class LogLevel : std::uint8_t { kInfo, kWarning, kError };

struct ServerOptions {
  std::size_t worker_count = 1;
  // The CPUs of the workers, in turn; empty: wherever the kernel puts them.
  std::vector<int> cpus;
  // Added to the workers' niceness, so that NTP goes before NTS-KE.
  int niceness = 5;
  // By which networks connections are counted.
  PrefixLengths prefixes;
  // How long a new octet may have to wait for a worker before new connections are turned away.
  Duration saturation = std::chrono::milliseconds(250);

  // Access list and rate limit, asked before anything else; nullptr: everybody may come as often as they like.
  // Outlives the server.
  Guard* guard = nullptr;
  // Makes the randomness of one thread.
  std::function<std::unique_ptr<Random>()> make_random = [] { return std::make_unique<FastRandom>(); };
  // Called by any worker, rarely.
  std::function<void(LogLevel, std::string_view)> log;
};

}  // namespace ntsd::ke
