#include "server/ntsctl/query.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <functional>
#include <thread>

#include "core/ntp/header.h"
#include "server/ntsctl/udp_exchange.h"

namespace ntsd {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using ::testing::HasSubstr;
using Datagrams = std::vector<std::vector<std::uint8_t>>;

// A server on loopback that gives each request to a function and sends what comes back.
class LoopbackServer {
 public:
  using Answer = std::function<Datagrams(const NtpHeader&)>;

  // Ends after `request_count` requests, or when none came for five seconds.
  LoopbackServer(int request_count, Answer answer) : fd_(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    EXPECT_EQ(bind(fd_, reinterpret_cast<const sockaddr*>(&address), size), 0);
    EXPECT_EQ(getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
    const timeval timeout{5, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    thread_ = std::thread([this, request_count, answer = std::move(answer)] { Serve(request_count, answer); });
  }
  ~LoopbackServer() {
    thread_.join();
    close(fd_);
  }
  std::uint16_t port() const { return port_; }

 private:
  void Serve(int request_count, const Answer& answer) const {
    for (int i = 0; i < request_count; ++i) {
      std::array<std::uint8_t, 2048> datagram;
      sockaddr_in peer{};
      socklen_t size = sizeof(peer);
      const ssize_t received =
          recvfrom(fd_, datagram.data(), datagram.size(), 0, reinterpret_cast<sockaddr*>(&peer), &size);
      if (received < 0) return;
      const auto header = NtpHeader::Parse(ByteView(datagram).first(static_cast<std::size_t>(received)));
      for (const std::vector<std::uint8_t>& reply : answer(*header)) {
        sendto(fd_, reply.data(), reply.size(), 0, reinterpret_cast<const sockaddr*>(&peer), size);
      }
    }
  }

  int fd_;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

std::vector<std::uint8_t> Written(const NtpHeader& header) {
  std::vector<std::uint8_t> datagram(kNtpHeaderSize);
  ByteWriter writer(datagram);
  header.Write(writer);
  return datagram;
}

// Of a server whose clock is `ahead` of this machine's.
NtpHeader GoodAnswer(const NtpHeader& request, Duration ahead = {}) {
  NtpHeader answer;
  answer.version = request.version;
  answer.mode = NtpMode::kServer;
  answer.stratum = 3;
  answer.root_delay = NtpShort::FromDuration(milliseconds(20));
  answer.root_dispersion = NtpShort::FromDuration(milliseconds(5));
  answer.origin = request.transmit;
  answer.receive =
      NtpTimestamp::FromUnix(std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now()) + ahead);
  answer.transmit = answer.receive;
  return answer;
}

// As anybody could send it who did not see the request.
NtpHeader ForgedAnswer(const NtpHeader& request) {
  NtpHeader forged = GoodAnswer(request, hours(5));
  forged.origin.bits ^= 1;
  return forged;
}

QueryReport AskPlainly(std::uint16_t port, int count, milliseconds timeout = milliseconds(3000)) {
  QuerySettings settings;
  settings.host = "127.0.0.1";
  settings.ntp_port = port;
  settings.is_plain = true;
  settings.count = count;
  settings.timeout = timeout;
  settings.interval = milliseconds(1);
  return RunQuery(settings);
}

TEST(RunQuery, MeasuresAPlainServer) {
  LoopbackServer server(3, [](const NtpHeader& request) { return Datagrams{Written(GoodAnswer(request, hours(1)))}; });
  const QueryReport report = AskPlainly(server.port(), 3);
  ASSERT_EQ(report.samples.size(), 3U) << report.problem;
  EXPECT_TRUE(report.IsGood());
  for (const SampleReport& sample : report.samples) {
    EXPECT_NEAR(sample.offset_s, 3600, 1);
    EXPECT_GE(sample.delay_s, 0);
    EXPECT_EQ(sample.stratum, 3);
    EXPECT_NEAR(sample.RootDistance_s(), 0.015 + sample.delay_s / 2, 0.001);
    EXPECT_FALSE(sample.is_authenticated);
  }
}

TEST(RunQuery, IgnoresForgedAnswersBeforeTheTrueOne) {
  LoopbackServer server(1, [](const NtpHeader& request) {
    return Datagrams{{1, 2, 3}, Written(ForgedAnswer(request)), Written(GoodAnswer(request))};
  });
  const QueryReport report = AskPlainly(server.port(), 1);
  EXPECT_TRUE(report.IsGood());
  EXPECT_NEAR(report.samples[0].offset_s, 0, 1);
}

TEST(RunQuery, SaysWhatCameInsteadOfAnAnswer) {
  LoopbackServer server(1, [](const NtpHeader& request) { return Datagrams{Written(ForgedAnswer(request))}; });
  const QueryReport report = AskPlainly(server.port(), 1);
  EXPECT_FALSE(report.IsGood());
  EXPECT_EQ(report.samples[0].problem, VerdictText(ResponseVerdict::kMismatched));
}

TEST(RunQuery, AnUnsynchronizedServerIsNoSuccess) {
  LoopbackServer server(1, [](const NtpHeader& request) {
    NtpHeader answer = GoodAnswer(request);
    answer.leap = LeapIndicator::kUnsynchronized;
    answer.stratum = 0;
    return Datagrams{Written(answer)};
  });
  const QueryReport report = AskPlainly(server.port(), 1);
  EXPECT_FALSE(report.IsGood());
  EXPECT_NE(report.samples[0].problem, "");
}

TEST(RunQuery, ASilentServerEndsItAtTheFirstSample) {
  LoopbackServer server(1, [](const NtpHeader&) { return Datagrams(); });
  const QueryReport report = AskPlainly(server.port(), 5, milliseconds(100));
  ASSERT_EQ(report.samples.size(), 1U);
  EXPECT_EQ(report.samples[0].problem, "no answer");
  EXPECT_FALSE(report.IsGood());
}

TEST(RunQuery, AClosedPortIsSaidAtOnce) {
  const std::uint16_t port = LoopbackServer(0, nullptr).port();
  const QueryReport report = AskPlainly(port, 1);
  ASSERT_EQ(report.samples.size(), 1U);
  EXPECT_THAT(report.samples[0].problem, HasSubstr("nobody listens there"));
}

TEST(RunQuery, SaysWhereKeyEstablishmentFailed) {
  QuerySettings settings;
  settings.host = "127.0.0.1";
  settings.ke_port = 1;
  settings.timeout = milliseconds(500);
  const QueryReport report = RunQuery(settings);
  EXPECT_THAT(report.problem, HasSubstr("NTS-KE with 127.0.0.1 port 1: "));
  EXPECT_FALSE(report.IsGood());
}

TEST(ResolveUdp, TakesAddressesAndSaysWhatItCannotFind) {
  EXPECT_EQ((*ResolveUdp("::1", 123))[0], *IpEndpoint::Parse("[::1]:123"));
  const auto unknown = ResolveUdp("no such name", 123);
  ASSERT_FALSE(unknown);
  EXPECT_THAT(unknown.error(), HasSubstr("cannot find the address of no such name"));
}

// What happens in this process before it looks at an answer must not count as time on the way.
TEST(UdpExchange, StampsTheArrivalByTheKernel) {
  LoopbackServer server(1, [](const NtpHeader& request) {
    const Datagrams both{Written(ForgedAnswer(request)), Written(GoodAnswer(request))};
    return both;
  });
  Expected<UdpExchange, std::string> exchange = UdpExchange::Open({IpAddress::V4(0x7F000001), server.port()});
  ASSERT_TRUE(exchange) << exchange.error();
  int looked_at = 0;
  const auto answer = exchange->Ask(Written(NtpHeader{}), milliseconds(3000), [&](const UdpAnswer&) {
    std::this_thread::sleep_for(milliseconds(200));  // the second datagram waits in the kernel meanwhile
    return ++looked_at == 2;
  });
  ASSERT_TRUE(answer) << answer.error();
  EXPECT_GE(answer->received, answer->sent);
  EXPECT_LT(answer->received - answer->sent, milliseconds(200));
}

}  // namespace
}  // namespace ntsd
