// Whatever comes to the metrics port, the next scrape is answered. The HTTP library has no seam, so octets go through a
// real socket on loopback: a thousand times slower than the other targets, and without a view of the library's
// branches.
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/base/check.h"
#include "server/metrics/http_server.h"

namespace {

using namespace ntsd;  // NOLINT: as below

constexpr std::size_t kScrapeInterval = 256;
// A request that is not complete has no answer; to wait for more would be to wait for the server's own patience.
constexpr int kPatience_ms = 3;
constexpr int kScrapePatience_ms = 10'000;

std::unique_ptr<MetricsServer> StartServer() {
  auto server =
      MetricsServer::Open({IpAddress::V4(0x7F000001), 0}, {.snapshot = [] { return MetricsSnapshot{}; },
                                                           .health =
                                                               [] {
                                                                 return Health{{{"clock", false, "not synchronized"}}};
                                                               },
                                                           .is_working = [] { return true; }});
  CHECK(server.has_value());
  (*server)->Start();
  return std::move(*server);
}

sockaddr_in Address(std::uint32_t address, std::uint16_t port) {
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_addr.s_addr = htonl(address);
  name.sin_port = htons(port);
  return name;
}

// Sends all, and reads until the other side closes or patience ends. Each time from another address, so that
// connections that wait for their end do not use up the ports.
std::string Ask(std::uint16_t port, std::string_view octets, int patience_ms) {
  static std::uint32_t turn = 0;
  const sockaddr_in own = Address(0x7F010000 | (++turn & 0xFFFF), 0);
  const sockaddr_in server = Address(0x7F000001, port);
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  CHECK(bind(fd, reinterpret_cast<const sockaddr*>(&own), sizeof(own)) == 0);
  CHECK(connect(fd, reinterpret_cast<const sockaddr*>(&server), sizeof(server)) == 0);
  // It may have closed already: what is too long is refused before it has been read.
  [[maybe_unused]] const ssize_t sent = send(fd, octets.data(), octets.size(), MSG_NOSIGNAL);
  std::string answer;
  char buffer[4096];
  pollfd wait{fd, POLLIN, 0};
  // Ends: the server answers one request a connection, and then closes.
  while (poll(&wait, 1, patience_ms) > 0) {
    const ssize_t size = recv(fd, buffer, sizeof(buffer), 0);
    if (size <= 0) break;
    answer.append(buffer, static_cast<std::size_t>(size));
  }
  close(fd);
  return answer;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::unique_ptr<MetricsServer> server = StartServer();
  static std::size_t count = 0;
  const std::string answer =
      Ask(server->port(), std::string_view(reinterpret_cast<const char*>(data), size), kPatience_ms);
  CHECK(answer.empty() || answer.starts_with("HTTP/1."));
  if (++count % kScrapeInterval == 0) {
    const std::string scraped = Ask(server->port(), "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n", kScrapePatience_ms);
    CHECK(scraped.starts_with("HTTP/1.1 200"));
  }
  return 0;
}
