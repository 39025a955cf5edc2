// Serves /metrics, /healthz and /livez over HTTP, for Prometheus and whatever watches over this host, and / for people.
//
// Threads: three of its own between Start() and Stop(): one accepts, kHttpWorkers answer; the source is called on
// those. Memory: at most kHttpPendingMax connections wait inside, others in the kernel's backlog. No request body is
// kept. Errors: an address that cannot be had is refused by Open(); a slow or talkative client loses its connection.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "core/base/expected.h"
#include "core/base/ip_address.h"
#include "server/health.h"
#include "server/metrics/snapshot.h"

namespace ntsd {

inline constexpr std::size_t kHttpWorkers = 2;
inline constexpr std::size_t kHttpPendingMax = 4;
inline constexpr int kHttpSilence_s = 1;  // until the first octet of a request
inline constexpr int kHttpTimeout_s = 3;  // for all of an exchange

// What the pages show. Called from two threads at once.
struct MetricsSource {
  std::function<MetricsSnapshot()> snapshot;
  std::function<Health()> health;    // /healthz: 200 when fit to serve, else 503 with the reasons
  std::function<bool()> is_working;  // /livez: 200 while every worker answers
};

class MetricsServer {
 public:
  // Listens at once, so that it can be called before privileges go; answers nobody before Start(). Port 0 takes a free
  // one. The error says what is wrong in one line.
  static Expected<std::unique_ptr<MetricsServer>, std::string> Open(const IpEndpoint& endpoint, MetricsSource source);
  ~MetricsServer();  // stops
  MetricsServer(const MetricsServer&) = delete;
  MetricsServer& operator=(const MetricsServer&) = delete;

  // Returns when all threads run, so that a sandbox which forbids new ones may close after it.
  void Start();
  // Finishes what is being answered. Nothing is accepted afterwards.
  void Stop();

  // What a connection that brings these octets, and no more, gets back. For tests, on any thread, before Start().
  std::string AnswerTo(std::string_view octets);

  std::uint16_t port() const;

 private:
  class Http;  // cpp-httplib, in http_server.cc alone
  explicit MetricsServer(std::unique_ptr<Http> http);

  std::unique_ptr<Http> http_;
};

}  // namespace ntsd
