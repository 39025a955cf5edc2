#include "server/control/server.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <iterator>
#include <list>
#include <optional>
#include <string_view>
#include <thread>
#include <utility>

#include "core/base/secret.h"
#include "server/control/answer.h"
#include "server/control/message.h"
#include "server/control/socket.h"

namespace ntsd {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kAcceptPause{100};

void WipeText(std::string& text) { Wipe(ByteSpan(reinterpret_cast<std::uint8_t*>(text.data()), text.size())); }

// One exchange: reads a line, then writes the answer.
struct Client {
  FileDescriptor fd;
  ControlAccess access = ControlAccess::kNone;
  SteadyClock::time_point deadline;
  std::string request;
  std::string reply;  // not empty: the request is done
  std::size_t sent = 0;

  Client() = default;
  // Moving its texts would leave octets behind that nobody wipes.
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  ~Client() {  // keys may have passed
    WipeText(request);
    WipeText(reply);
  }
};

}  // namespace

class ControlServer::Loop {
 public:
  Loop(ControlOptions options, ControlService& service, BoundSocket socket)
      : options_(std::move(options)),
        service_(service),
        socket_(std::move(socket)),
        wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
  ~Loop() {
    if (thread_.joinable()) {
      const std::uint64_t one = 1;
      [[maybe_unused]] const ssize_t written = write(wake_.get(), &one, sizeof(one));
      thread_.join();
    }
    RemoveSocket(options_.path, socket_);
  }

  const std::string& warning() const { return socket_.warning; }
  void Start() {
    thread_ = std::thread([this] { Run(); });
  }

 private:
  void Run() {
    SteadyClock::time_point next_second = SteadyClock::now();
    // Ends when the destructor writes to wake_.
    while (true) {
      const SteadyClock::time_point now = SteadyClock::now();
      if (options_.every_second && now >= next_second) {
        options_.every_second();
        next_second = now + std::chrono::seconds(1);
      }
      std::erase_if(clients_, [&](const Client& client) { return now >= client.deadline; });
      if (!WaitAndServe(options_.every_second ? next_second : SteadyClock::time_point::max())) return;
    }
  }

  // One turn: waits until something can be done or `until`, then does all that can. False when it is time to end.
  bool WaitAndServe(SteadyClock::time_point until) {
    std::array<pollfd, 2 + kControlClientsMax> polled{};
    polled[0] = {wake_.get(), POLLIN, 0};
    // A full table leaves further clients in the backlog until a deadline makes room.
    const bool may_accept = clients_.size() < kControlClientsMax && SteadyClock::now() >= accept_again_;
    polled[1] = {socket_.fd.get(), static_cast<short>(may_accept ? POLLIN : 0), 0};
    if (SteadyClock::now() < accept_again_) until = std::min(until, accept_again_);
    std::size_t polled_count = 2;
    for (const Client& client : clients_) {
      polled[polled_count++] = {client.fd.get(), static_cast<short>(client.reply.empty() ? POLLIN : POLLOUT), 0};
      until = std::min(until, client.deadline);
    }
    if (poll(polled.data(), polled_count, PollTimeout(until)) < 0) return errno == EINTR;
    if (polled[0].revents != 0) return false;
    std::size_t index = 2;
    for (auto client = clients_.begin(); client != clients_.end();) {
      const bool is_over = polled[index++].revents != 0 && !Advance(*client);
      client = is_over ? clients_.erase(client) : std::next(client);
    }
    if ((polled[1].revents & POLLIN) != 0) Accept();
    return true;
  }

  static int PollTimeout(SteadyClock::time_point until) {
    if (until == SteadyClock::time_point::max()) return -1;
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(until - SteadyClock::now());
    return static_cast<int>(std::max<std::int64_t>(0, wait.count()));
  }

  void Accept() {
    FileDescriptor fd(accept4(socket_.fd.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (fd.get() < 0) {
      // Without a descriptor for it the client stays in the backlog, and the socket ready: the loop would spin.
      accept_again_ = SteadyClock::now() + kAcceptPause;
      return;
    }
    const std::optional<PeerIdentity> peer = IdentityOfPeer(fd.get());
    if (!peer) return;
    Client& client = clients_.emplace_back();
    client.fd = std::move(fd);
    client.access = AccessOf(*peer, geteuid(), socket_.group);
    client.deadline = SteadyClock::now() + options_.deadline;
  }

  // Reads or writes once. False when the exchange is over, well or badly.
  bool Advance(Client& client) {
    if (client.reply.empty() && !Receive(client)) return false;
    if (client.reply.empty()) return true;
    const ssize_t size = send(client.fd.get(), client.reply.data() + client.sent, client.reply.size() - client.sent,
                              MSG_NOSIGNAL | MSG_DONTWAIT);
    if (size < 0) return errno == EAGAIN || errno == EINTR;
    client.sent += static_cast<std::size_t>(size);
    return client.sent < client.reply.size();
  }

  // False when the client is gone. Sets the reply when the line is complete, or can no longer become one.
  bool Receive(Client& client) {
    std::array<char, 4096> piece;
    const ssize_t size = recv(client.fd.get(), piece.data(), piece.size(), MSG_DONTWAIT);
    if (size < 0) return errno == EAGAIN || errno == EINTR;
    if (size == 0) return false;
    // Grown by hand, because a string that grows by itself leaves its old memory unwiped.
    if (client.request.capacity() < kControlRequestSizeMax + piece.size()) {
      client.request.reserve(kControlRequestSizeMax + piece.size());
    }
    const std::string_view received(piece.data(), static_cast<std::size_t>(size));
    const std::size_t newline = received.find('\n');
    client.request += received.substr(0, newline);
    Wipe(ByteSpan(reinterpret_cast<std::uint8_t*>(piece.data()), piece.size()));
    if (newline != std::string_view::npos || client.request.size() > kControlRequestSizeMax) {
      std::string answer = AnswerControl(service_, client.access, client.request);
      client.reply.reserve(answer.size() + 1);
      client.reply.append(answer).push_back('\n');
      WipeText(answer);
    }
    return true;
  }

  ControlOptions options_;
  ControlService& service_;
  BoundSocket socket_;
  FileDescriptor wake_;
  std::list<Client> clients_;
  SteadyClock::time_point accept_again_{};
  std::thread thread_;
};

Expected<std::unique_ptr<ControlServer>, std::string> ControlServer::Open(ControlOptions options,
                                                                          ControlService& service) {
  Expected<BoundSocket, std::string> socket = BindControlSocket(options.path, options.group, options.owner);
  if (!socket) return Unexpected(fmt::format("control.socket: {}", socket.error()));
  return std::unique_ptr<ControlServer>(
      new ControlServer(std::make_unique<Loop>(std::move(options), service, *std::move(socket))));
}

ControlServer::ControlServer(std::unique_ptr<Loop> loop) : loop_(std::move(loop)) {}
ControlServer::~ControlServer() = default;
const std::string& ControlServer::warning() const { return loop_->warning(); }
void ControlServer::Start() { loop_->Start(); }

}  // namespace ntsd
