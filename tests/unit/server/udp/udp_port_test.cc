// Both engines over real loopback sockets: what comes in, what goes out, and from which address.
#include "server/udp/udp_port.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <cstring>
#include <set>
#include <thread>

#include "server/system_clock.h"
#include "server/udp/datagram.h"
#include "server/udp/mmsg_port.h"
#include "server/udp/udp_socket.h"
#include "server/udp/uring_port.h"

namespace ntsd {
namespace {

IpEndpoint LocalEndpoint(int fd) {
  sockaddr_storage storage{};
  socklen_t size = sizeof(storage);
  getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &size);
  return *ReadSocketAddress(&storage, size);
}

class Client {
 public:
  explicit Client(const IpEndpoint& server)
      : socket_(::socket(server.address.is_v4 ? AF_INET : AF_INET6, SOCK_DGRAM, 0)), server_(server) {}
  void Send(ByteView octets) {
    EXPECT_EQ(sendto(socket_.get(), octets.data(), octets.size(), 0, server_.get(), server_.size()),
              static_cast<ssize_t>(octets.size()));
  }
  // The answer and who sent it; empty after half a second of silence.
  std::vector<std::uint8_t> Receive(IpEndpoint* from = nullptr) {
    pollfd wait{socket_.get(), POLLIN, 0};
    if (poll(&wait, 1, 500) <= 0) return {};
    std::vector<std::uint8_t> octets(4096);
    sockaddr_storage name{};
    socklen_t name_size = sizeof(name);
    const ssize_t size =
        recvfrom(socket_.get(), octets.data(), octets.size(), 0, reinterpret_cast<sockaddr*>(&name), &name_size);
    octets.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
    if (from != nullptr) *from = ReadSocketAddress(&name, name_size).value_or(IpEndpoint{});
    return octets;
  }

 private:
  Descriptor socket_;
  SocketAddress server_;
};

class Ports : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (!IsUring()) return;
    const auto port = MakeUringPort({}, clock_);
    if (!port) GTEST_SKIP() << port.error();  // a container may forbid io_uring: then it is not what we test
  }
  static bool IsUring() { return std::string(GetParam()) == "io_uring"; }
  // A port on these addresses, begun by this thread.
  void Open(std::vector<const char*> addresses) {
    std::vector<UdpSocket> sockets;
    for (const char* address : addresses) {
      auto socket = OpenUdpSocket(*IpEndpoint::Parse(address), 0);
      ASSERT_TRUE(socket) << socket.error();
      endpoints_.push_back(LocalEndpoint(socket->get()));
      sockets.push_back({.fd = socket->get(), .listener = sockets.size()});
      descriptors_.push_back(std::move(*socket));
    }
    // Throws, which fails the test with the complaint.
    port_ = IsUring() ? MakeUringPort(sockets, clock_).value() : MakeMmsgPort(sockets, clock_);
    ASSERT_EQ(port_->Begin(), "");
  }
  // Answers each datagram with itself, reversed.
  std::size_t EchoOnce(bool may_wait = true) {
    const std::span<Exchange> batch = port_->Receive(may_wait);
    for (Exchange& exchange : batch) {
      seen_.push_back(exchange);
      std::reverse_copy(exchange.request.begin(), exchange.request.end(), exchange.reply.begin());
      exchange.reply_size = exchange.request.size();
    }
    const std::size_t count = batch.size();
    port_->Send(batch);
    port_->Release();
    return count;
  }
  // The first socket of a machine that asks for receive stamps has the kernel turn them on a moment later, in a work of
  // its own.
  static void AwaitKernelStamps() {
    auto socket = OpenUdpSocket(*IpEndpoint::Parse("127.0.0.1:0"), 0);
    ASSERT_TRUE(socket) << socket.error();
    const IpEndpoint server = LocalEndpoint(socket->get());
    bool stamped = false;
    for (int attempt = 0; attempt < 500 && !stamped; ++attempt) {
      Client(server).Send(std::vector<std::uint8_t>{1});
      std::array<char, 512> control{};
      std::uint8_t octet = 0;
      iovec part{.iov_base = &octet, .iov_len = 1};
      msghdr message{};
      message.msg_iov = &part;
      message.msg_iovlen = 1;
      message.msg_control = control.data();
      message.msg_controllen = control.size();
      ASSERT_EQ(recvmsg(socket->get(), &message, 0), 1);
      stamped = ReadArrival(message).received.has_value();
      if (!stamped) std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    ASSERT_TRUE(stamped) << "the kernel stamps no datagram";
  }
  std::uint64_t CountOf(PortEvent event) const { return port_->counters().Read(static_cast<std::size_t>(event)); }

  SystemClock clock_;
  std::vector<Descriptor> descriptors_;
  std::vector<IpEndpoint> endpoints_;
  std::unique_ptr<UdpPort> port_;
  std::vector<Exchange> seen_;
};

INSTANTIATE_TEST_SUITE_P(Engines, Ports, ::testing::Values("io_uring", "mmsg"),
                         [](const auto& tested) { return std::string(tested.param); });

TEST_P(Ports, EchoWithKernelStampAndSender) {
  Open({"127.0.0.1:0"});
  AwaitKernelStamps();
  Client client(endpoints_[0]);
  const UnixTime before = clock_.Now();
  client.Send(std::vector<std::uint8_t>{1, 2, 3, 4});
  EXPECT_EQ(EchoOnce(), 1U);
  EXPECT_EQ(client.Receive(), (std::vector<std::uint8_t>{4, 3, 2, 1}));
  EXPECT_GE(seen_[0].received, before);
  EXPECT_LE(seen_[0].received, clock_.Now());
  EXPECT_EQ(CountOf(PortEvent::kStampMissing), 0U);
  EXPECT_EQ(CountOf(PortEvent::kReceived), 1U);
  EXPECT_EQ(CountOf(PortEvent::kSent), 1U);
  EXPECT_EQ(seen_[0].source.address, *IpAddress::Parse("127.0.0.1"));
}

TEST_P(Ports, AnswerFromTheAddressThatWasAsked_R_NTP_12) {
  Open({"0.0.0.0:0", "[::]:0"});
  for (const char* address : {"127.0.0.1", "127.0.0.2", "127.9.8.7"}) {
    Client client({*IpAddress::Parse(address), endpoints_[0].port});
    client.Send(std::vector<std::uint8_t>{1, 2, 3, 4});
    EXPECT_EQ(EchoOnce(), 1U);
    EXPECT_EQ(seen_.back().listener, 0U);
    EXPECT_TRUE(seen_.back().to_unicast);
    IpEndpoint from;
    EXPECT_EQ(client.Receive(&from).size(), 4U) << address;
    EXPECT_EQ(from, (IpEndpoint{*IpAddress::Parse(address), endpoints_[0].port}));
  }
  Client client({*IpAddress::Parse("::1"), endpoints_[1].port});
  client.Send(std::vector<std::uint8_t>{5, 6, 7, 8});
  EXPECT_EQ(EchoOnce(), 1U);
  EXPECT_EQ(seen_.back().listener, 1U);
  EXPECT_EQ(client.Receive(), (std::vector<std::uint8_t>{8, 7, 6, 5}));
}

// One answer in two asks for its departure, by every kind of socket.
TEST_P(Ports, TellWhenSampledAnswersLeft) {
  Open({"127.0.0.1:0", "0.0.0.0:0", "[::1]:0"});
  std::uint32_t last_sample = 0;
  for (int round = 0; round < 10; ++round) {
    for (std::size_t socket = 0; socket < endpoints_.size(); ++socket) {
      Client client({*IpAddress::Parse(socket == 2 ? "::1" : "127.0.0.1"), endpoints_[socket].port});
      client.Send(std::vector<std::uint8_t>{1, 2, 3, 4});
      const std::span<Exchange> batch = port_->Receive(true);
      ASSERT_EQ(batch.size(), 1U);
      batch[0].reply_size = 4;
      batch[0].sample = round % 2 == 0 ? ++last_sample : 0;
      const UnixTime before = clock_.Now();
      port_->Send(batch);
      const UnixTime after = clock_.Now();
      port_->Release();
      const std::span<const Departure> departures = port_->Departures();
      if (round % 2 != 0) {
        EXPECT_TRUE(departures.empty());
        continue;
      }
      ASSERT_EQ(departures.size(), 1U) << "over loopback it is told by the time the send returns";
      EXPECT_EQ(departures[0].sample, last_sample);
      EXPECT_GE(departures[0].left, before);
      EXPECT_LE(departures[0].left, after);
      EXPECT_EQ(client.Receive().size(), 4U);
    }
  }
  EXPECT_TRUE(port_->Departures().empty());
  EXPECT_EQ(CountOf(PortEvent::kDepartureMissing), 0U);
}

// What another program on the socket asked for makes the kernel's numbers run ahead of ours.
TEST_P(Ports, FindTheirCountOfDeparturesAgain) {
  Open({"127.0.0.1:0"});
  Client client(endpoints_[0]);
  sockaddr_storage name{};
  const socklen_t name_size = WriteSocketAddress(endpoints_[0], 0, name);
  alignas(cmsghdr) std::uint8_t control[kSendControlSize];
  msghdr stray{};
  stray.msg_name = &name;
  stray.msg_namelen = name_size;
  stray.msg_control = control;
  stray.msg_controllen = WriteDepartureRequest(control);
  ASSERT_EQ(sendmsg(descriptors_[0].get(), &stray, 0), 0);
  std::size_t told = 0;
  for (std::uint32_t round = 1; round <= 6; ++round) {
    client.Send(std::vector<std::uint8_t>{1, 2, 3, 4});
    // The stray datagram comes first.
    for (bool answered = false; !answered;) {
      const std::span<Exchange> batch = port_->Receive(true);
      for (Exchange& exchange : batch) {
        if (exchange.request.empty()) continue;
        exchange.reply_size = 4;
        exchange.sample = round;
        answered = true;
      }
      port_->Send(batch);
      port_->Release();
    }
    for (const Departure& departure : port_->Departures()) {
      EXPECT_EQ(departure.sample, round);
      ++told;
    }
  }
  EXPECT_GE(told, 4U);
  EXPECT_EQ(told + CountOf(PortEvent::kDepartureMissing), 6U);
}

TEST_P(Ports, TakeDatagramsOfEverySize_R_NTP_17) {
  Open({"127.0.0.1:0"});
  Client client(endpoints_[0]);
  for (const std::size_t size : {0U, 1U, 47U, 48U, 1280U, 2047U, 2048U, 2049U, 2052U, 9000U}) {
    client.Send(std::vector<std::uint8_t>(size, 0x5A));
    const std::span<Exchange> batch = port_->Receive(true);
    ASSERT_EQ(batch.size(), 1U) << size;
    // Longer ones are cut, but not below the bound that makes them too long.
    if (size <= kRequestSizeMax) {
      EXPECT_EQ(batch[0].request.size(), size);
    } else {
      EXPECT_GT(batch[0].request.size(), kRequestSizeMax) << size;
    }
    port_->Release();
  }
}

TEST_P(Ports, LoseNothingOfABurstLargerThanAllBuffers) {
  Open({"127.0.0.1:0"});
  constexpr std::size_t kCount = 1500;
  Client client(endpoints_[0]);
  for (std::size_t i = 0; i < kCount; ++i) {
    client.Send(std::vector<std::uint8_t>{static_cast<std::uint8_t>(i), static_cast<std::uint8_t>(i >> 8), 0, 0});
  }
  std::size_t count = 0;
  for (int round = 0; round < 2000 && count < kCount; ++round) count += EchoOnce(false);
  EXPECT_EQ(count, kCount);
  std::set<unsigned> numbers;
  for (std::size_t i = 0; i < kCount; ++i) {
    const auto answer = client.Receive();
    if (answer.size() != 4) break;
    numbers.insert(static_cast<unsigned>(answer[3] | answer[2] << 8));
  }
  EXPECT_GT(numbers.size(), 200U) << "the client's own buffer is the kernel's default";
}

TEST_P(Ports, CountAnAnswerThatCannotBeSent) {
  Open({"127.0.0.1:0"});
  Client client(endpoints_[0]);
  client.Send(std::vector<std::uint8_t>{1, 2, 3, 4});
  std::span<Exchange> batch = port_->Receive(true);
  ASSERT_EQ(batch.size(), 1U);
  // From a loopback address there is no way to a documentation network.
  batch[0].source = *IpEndpoint::Parse("192.0.2.1:123");
  batch[0].reply_size = 48;
  port_->Send(batch);
  port_->Release();
  client.Send(std::vector<std::uint8_t>{1, 2, 3, 4});
  EXPECT_EQ(EchoOnce(), 1U) << "service goes on";
  EXPECT_EQ(client.Receive().size(), 4U);
  EXPECT_EQ(CountOf(PortEvent::kSendFailed), 1U);
}

TEST_P(Ports, WakeUpFromWaiting) {
  Open({"127.0.0.1:0"});
  for (int i = 0; i < 3; ++i) {
    std::thread waker([this] { port_->Wake(); });
    EXPECT_TRUE(port_->Receive(true).empty());
    port_->Release();
    waker.join();
  }
  EXPECT_TRUE(port_->Receive(false).empty()) << "without waiting";
  port_->Release();
}

}  // namespace
}  // namespace ntsd
