#include "tests/support/ke_front_end.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "core/base/check.h"
#include "core/base/socket_address.h"
#include "tests/support/hex.h"

namespace ntsd::testing {

namespace {

IpEndpoint Loopback(bool v6, std::uint16_t port) { return {*IpAddress::Parse(v6 ? "::1" : "127.0.0.1"), port}; }

int OpenSocket(const SocketAddress& address) {
  const int fd = socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
  CHECK(fd >= 0);
  return fd;
}

}  // namespace

int ListenOnLoopback(bool v6) {
  const SocketAddress address(Loopback(v6, 0));
  const int fd = OpenSocket(address);
  CHECK(bind(fd, address.get(), address.size()) == 0);
  CHECK(listen(fd, 4096) == 0);
  CHECK(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
  return fd;
}

std::uint16_t PortOf(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  CHECK(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  return ReadSocketAddress(&address, size)->port;
}

std::shared_ptr<const KeySet> MakeTestKeys() {
  MasterKey key;
  key.id = 0x0000A001;
  key.key.Assign(FromHex("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f"));
  return KeySet::Make(std::span(&key, 1), 0, 1, false);
}

FrontEnd::FrontEnd(Options options) : ring_(MakeTestKeys()), address_(options.v6 ? "::1" : "127.0.0.1") {
  std::vector<ke::CertificatePair> pairs;
  for (std::size_t i = 0; i < options.leaves.size(); ++i) {
    pairs.push_back(authority_.MakeLeaf("leaf" + std::to_string(i), options.leaves[i]));
  }
  auto context = ke::TlsContext::Load(pairs, clock_.Now());
  CHECK(context.has_value());
  const int fd = ListenOnLoopback(options.v6);
  port_ = PortOf(fd);
  // Inherited by what is accepted.
  if (options.send_buffer.has_value()) setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &*options.send_buffer, sizeof(int));
  options.server.niceness = 0;
  server_ =
      std::make_unique<ke::Server>(std::move(options.server), std::vector{options.settings}, std::vector{*context},
                                   std::vector{ke::Listener{fd, 0}}, ring_, *SelectAead(), clock_);
  server_->Start();
}

ke::QueryOptions FrontEnd::Query() const {
  ke::QueryOptions query;
  query.host = address_;
  query.port = port_;
  query.server_name = "localhost";
  query.tls.ca_file = authority_.ca_file();
  return query;
}

bool FrontEnd::WaitForCount(ke::ConnectionEnd end, std::uint64_t count) {
  return Eventually([&] { return Count(end) >= count; });
}

bool FrontEnd::WaitUntilIdle() {
  return Eventually([&] { return server_->Read().active == 0; });
}

namespace {

std::shared_ptr<const ke::TlsClientContext> MakeContext(ke::TlsClientContext::Options options) {
  options.verify = !options.ca_file.empty();
  auto context = ke::TlsClientContext::Make(options);
  CHECK(context.has_value());
  return *context;
}

}  // namespace

RawClient::RawClient(const FrontEnd& front_end, Options options)
    : RawClient(front_end, MakeContext(options.tls), options) {}

RawClient::RawClient(const FrontEnd& front_end, std::shared_ptr<const ke::TlsClientContext> context,
                     const Options& options)
    : context_(std::move(context)), buffer_(16384) {
  const SocketAddress address(Loopback(front_end.address() == "::1", front_end.port()));
  fd_ = OpenSocket(address);
  if (options.receive_buffer.has_value()) {
    setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &*options.receive_buffer, sizeof(int));
  }
  CHECK(connect(fd_, address.get(), address.size()) == 0);
  const int on = 1;
  setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  tls_ = ke::TlsSession::Connect(context_, options.server_name);
  CHECK(tls_ != nullptr);
}

RawClient::~RawClient() {
  if (fd_ >= 0) close(fd_);
}

bool RawClient::SendRaw(ByteView octets) {
  return send(fd_, octets.data(), octets.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(octets.size());
}

bool RawClient::Flush(std::size_t piece_size) {
  while (!tls_->outgoing().empty()) {
    const ByteView octets = tls_->outgoing();
    const std::size_t size = piece_size == 0 ? octets.size() : std::min(piece_size, octets.size());
    if (!SendRaw(octets.first(size))) return false;
    tls_->Sent(size);
  }
  return true;
}

bool RawClient::Receive(std::chrono::steady_clock::time_point deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
  pollfd waiting{fd_, POLLIN, 0};
  if (poll(&waiting, 1, static_cast<int>(std::max<std::int64_t>(left, 0))) <= 0) return false;
  const ssize_t size = recv(fd_, buffer_.data(), buffer_.size(), 0);
  if (size == 0) saw_fin = true;
  if (size < 0) saw_reset = true;
  if (size <= 0) return false;
  const ByteView octets = ByteView(buffer_).first(static_cast<std::size_t>(size));
  received.insert(received.end(), octets.begin(), octets.end());
  tls_->Receive(octets);
  return true;
}

bool RawClient::Handshake() {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  while (true) {
    const ke::TlsSession::Progress progress = tls_->Handshake();
    if (!Flush()) return false;
    if (progress == ke::TlsSession::Progress::kDone) return true;
    failure = tls_->failure();
    detail = tls_->detail();
    if (progress == ke::TlsSession::Progress::kFailed || !Receive(deadline)) return false;
  }
}

bool RawClient::Send(ByteView octets, std::size_t piece_size) { return tls_->Write(octets) && Flush(piece_size); }

bool RawClient::SendCloseNotify() {
  tls_->Close();
  return Flush();
}

void RawClient::HalfClose() { shutdown(fd_, SHUT_WR); }

void RawClient::Reset() {
  const linger at_once{1, 0};
  setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
  close(fd_);
  fd_ = -1;
}

void RawClient::Note(const ke::TlsSession::ReadResult& result, std::string& text) {
  if (!result.octets.empty()) {
    text += ToHex(result.octets);
    ++record_count;
  }
  if (result.progress == ke::TlsSession::Progress::kDone) saw_close_notify = true;
  if (result.progress == ke::TlsSession::Progress::kFailed) {
    failure = tls_->failure();
    detail = tls_->detail();
  }
}

std::string RawClient::ReadAll(std::chrono::milliseconds patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  std::string text;
  std::array<std::uint8_t, 16384> plain;
  while (true) {
    const ke::TlsSession::ReadResult result = tls_->Read(plain);
    Note(result, text);
    if (!result.octets.empty()) continue;
    if (!Receive(deadline)) return text;
  }
}

std::string RawClient::ReadSome(std::size_t size) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  std::string text;
  std::array<std::uint8_t, 16384> plain;
  while (text.size() < 2 * size) {
    const ke::TlsSession::ReadResult result = tls_->Read(plain);
    Note(result, text);
    if (result.octets.empty() && (result.progress != ke::TlsSession::Progress::kNeedsOctets || !Receive(deadline)))
      break;
  }
  return text;
}

}  // namespace ntsd::testing
