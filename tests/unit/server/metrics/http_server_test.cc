#include "server/metrics/http_server.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "tests/unit/server/metrics/full_snapshot.h"

namespace ntsd {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

int Connect(std::uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const timeval timeout{10, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) return fd;
  close(fd);
  return -1;
}

std::string ReadAll(int fd) {
  std::string text;
  char piece[4096];
  // Ends: the server closes after one answer, or the receive timeout ends it.
  for (ssize_t size = 0; (size = recv(fd, piece, sizeof(piece), 0)) > 0;)
    text.append(piece, static_cast<std::size_t>(size));
  close(fd);
  return text;
}

std::string Request(std::uint16_t port, const std::string& text) {
  const int fd = Connect(port);
  if (fd < 0) return "";
  EXPECT_EQ(send(fd, text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
  return ReadAll(fd);
}

std::string Get(std::uint16_t port, const std::string& path) {
  return Request(port, "GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n");
}

class MetricsServerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto server = MetricsServer::Open(
        {IpAddress::V4(0x7F000001), 0},
        {[] { return testing::FullSnapshot(); },
         [this] {
           return Health{{{"clock", is_fit_.load(), "synchronized to 192.0.2.1"}, {"keys", true, "3 keys"}}};
         },
         [this] { return is_working_.load(); }});
    ASSERT_TRUE(server) << server.error();
    server_ = *std::move(server);
  }

  std::atomic<bool> is_fit_ = true;
  std::atomic<bool> is_working_ = true;
  std::unique_ptr<MetricsServer> server_;
};

TEST_F(MetricsServerTest, ServesMetricsAsPrometheusWantsThem) {
  server_->Start();
  EXPECT_THAT(Get(server_->port(), "/metrics"),
              AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("Content-Type: text/plain; version=0.0.4"),
                    HasSubstr("\nntsd_ke_active 2\n")));
}

TEST_F(MetricsServerTest, HealthFollowsTheService) {
  server_->Start();
  EXPECT_THAT(Get(server_->port(), "/healthz"), AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("fit\n")));
  is_fit_ = false;
  EXPECT_THAT(Get(server_->port(), "/healthz"),
              AllOf(StartsWith("HTTP/1.1 503"), HasSubstr("FAIL clock: synchronized to 192.0.2.1"),
                    HasSubstr("ok   keys: 3 keys")));
  EXPECT_THAT(Get(server_->port(), "/livez"), StartsWith("HTTP/1.1 200")) << "alive, though not fit";
  is_working_ = false;
  EXPECT_THAT(Get(server_->port(), "/livez"), StartsWith("HTTP/1.1 503"));
}

TEST_F(MetricsServerTest, OtherPagesAndBodiesAreRefused) {
  server_->Start();
  EXPECT_THAT(Get(server_->port(), "/etc/passwd"), StartsWith("HTTP/1.1 404"));
  EXPECT_THAT(Request(server_->port(), "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nabcde"),
              StartsWith("HTTP/1.1 4"));
}

TEST_F(MetricsServerTest, AnswersOctetsAsItAnswersAConnection) {
  const std::string request = "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n";
  const std::string answer = server_->AnswerTo(request);
  EXPECT_THAT(answer, AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("working\n")));
  EXPECT_THAT(server_->AnswerTo("GET /livez HTT"), Not(HasSubstr("working")));
  server_->Start();
  EXPECT_EQ(Request(server_->port(), request), answer);
}

TEST_F(MetricsServerTest, AnswersNobodyBeforeStart) {
  const int fd = Connect(server_->port());  // the kernel takes it into the backlog
  const timeval timeout{0, 100'000};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
  const std::string request = "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n";
  send(fd, request.data(), request.size(), MSG_NOSIGNAL);
  char octet;
  EXPECT_EQ(recv(fd, &octet, 1, 0), -1);
  server_->Start();
  const timeval longer{10, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &longer, sizeof(longer));
  EXPECT_THAT(ReadAll(fd), StartsWith("HTTP/1.1 200")) << "and loses nobody who came before";
}

TEST_F(MetricsServerTest, SilentClientsKeepNobodyForLong) {
  server_->Start();
  std::vector<int> silent;
  for (std::size_t i = 0; i < kHttpWorkers + kHttpPendingMax; ++i) silent.push_back(Connect(server_->port()));
  // Each of them costs one thread at most the timeout; then we are served.
  EXPECT_THAT(Get(server_->port(), "/livez"), StartsWith("HTTP/1.1 200"));
  for (const int fd : silent) close(fd);
}

// One octet now and then is no silence: only an end to the whole exchange frees the thread.
TEST_F(MetricsServerTest, ClientsThatDribbleKeepNobodyForLong) {
  server_->Start();
  std::vector<int> slow;
  for (const std::string begin : {"GET /", "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"}) {
    slow.push_back(Connect(server_->port()));
    send(slow.back(), begin.data(), begin.size(), MSG_NOSIGNAL);
  }
  ASSERT_EQ(slow.size(), kHttpWorkers);
  std::atomic<bool> is_over = false;
  std::thread dribble([&] {
    // Ends: when the test says so.
    while (!is_over) {
      for (const int fd : slow) send(fd, "x", 1, MSG_NOSIGNAL);
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
  });
  EXPECT_THAT(Get(server_->port(), "/livez"), StartsWith("HTTP/1.1 200"));
  is_over = true;
  dribble.join();
  for (const int fd : slow) close(fd);
}

TEST_F(MetricsServerTest, StopsAndMayNeverHaveStarted) {
  server_->Start();
  const std::uint16_t port = server_->port();
  server_->Stop();
  server_->Stop();
  EXPECT_THAT(Get(port, "/livez"), IsEmpty());
}

TEST_F(MetricsServerTest, SaysWhichAddressIsTaken) {
  const auto second = MetricsServer::Open({IpAddress::V4(0x7F000001), server_->port()}, {});
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error(),
              AllOf(HasSubstr("metrics.listen: cannot listen on 127.0.0.1:"), HasSubstr("Address already in use")));
}

}  // namespace
}  // namespace ntsd
