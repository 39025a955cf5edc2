// Whatever comes to the metrics port is answered in HTTP or not at all, and the next scrape is answered.
//
// The octets go through the library's parser and our pages without a socket; what sockets do to them (time, silence,
// pieces) has its unit test.
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

std::unique_ptr<MetricsServer> OpenServer() {
  auto server =
      MetricsServer::Open({IpAddress::V4(0x7F000001), 0}, {.snapshot = [] { return MetricsSnapshot{}; },
                                                           .health =
                                                               [] {
                                                                 return Health{{{"clock", false, "not synchronized"}}};
                                                               },
                                                           .is_working = [] { return true; }});
  CHECK(server.has_value());
  return std::move(*server);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::unique_ptr<MetricsServer> server = OpenServer();
  static std::size_t count = 0;
  const std::string answer = server->AnswerTo({reinterpret_cast<const char*>(data), size});
  CHECK(answer.empty() || answer.starts_with("HTTP/1."));
  if (++count % kScrapeInterval == 0) {
    CHECK(server->AnswerTo("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n").starts_with("HTTP/1.1 200"));
  }
  return 0;
}
