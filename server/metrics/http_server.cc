#include "server/metrics/http_server.h"

#include <fmt/format.h>
#include <httplib.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <future>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include "server/metrics/exposition.h"
#include "server/metrics/status_page.h"

namespace ntsd {
namespace {

// A fixed number of threads and a bounded queue: when it is full, accepting waits, and the kernel's backlog holds the
// rest, so that connections cost neither memory nor descriptors here.
class BoundedPool : public httplib::TaskQueue {
 public:
  BoundedPool() : pool_(kHttpWorkers) {}

  void enqueue(std::function<void()> task) override {
    {
      std::unique_lock<std::mutex> lock(mutex_);
      has_room_.wait(lock, [this] { return pending_ < kHttpPendingMax; });
      ++pending_;
    }
    pool_.enqueue([this, task = std::move(task)] {
      task();
      const std::lock_guard<std::mutex> lock(mutex_);
      --pending_;
      has_room_.notify_one();
    });
  }
  void shutdown() override { pool_.shutdown(); }

 private:
  std::mutex mutex_;
  std::condition_variable has_room_;
  std::size_t pending_ = 0;
  httplib::ThreadPool pool_;
};

// One connection, which ends when its time is up, whatever the client does meanwhile. httplib's own stream begins its
// timeout anew with every octet, so that two clients that send one now and then would keep both threads for hours.
class TimedStream : public httplib::Stream {
 public:
  explicit TimedStream(socket_t socket) : socket_(socket), began_(SteadyClock::now()) {}

  bool is_readable() const override { return next_ < end_ || WaitFor(POLLIN); }
  bool is_writable() const override { return WaitFor(POLLOUT); }
  // httplib asks for one octet at a time, so they are kept here.
  ssize_t read(char* target, size_t size) override {
    if (next_ == end_) {
      if (!WaitFor(POLLIN)) return -1;
      const ssize_t got = recv(socket_, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
      if (got <= 0) return got;
      was_silent_ = false;
      next_ = 0;
      end_ = static_cast<std::size_t>(got);
    }
    const std::size_t count = std::min(size, end_ - next_);
    std::copy_n(buffer_.data() + next_, count, target);
    next_ += count;
    return static_cast<ssize_t>(count);
  }
  // All of it, or it failed.
  ssize_t write(const char* octets, size_t size) override {
    // Ends: every turn sends something, or leaves.
    for (std::size_t sent = 0; sent < size;) {
      const ssize_t put =
          WaitFor(POLLOUT) ? send(socket_, octets + sent, size - sent, MSG_DONTWAIT | MSG_NOSIGNAL) : -1;
      if (put < 0) return -1;
      sent += static_cast<std::size_t>(put);
    }
    return static_cast<ssize_t>(size);
  }
  void get_remote_ip_and_port(std::string& /*ip*/, int& /*port*/) const override {}
  void get_local_ip_and_port(std::string& /*ip*/, int& /*port*/) const override {}
  socket_t socket() const override { return socket_; }

 private:
  using SteadyClock = std::chrono::steady_clock;

  bool WaitFor(short events) const {
    const auto end = began_ + std::chrono::seconds(was_silent_ ? kHttpSilence_s : kHttpTimeout_s);
    pollfd waiting{.fd = socket_, .events = events, .revents = 0};
    // Ends: the time is up, or an answer of poll() that no signal cut short.
    while (true) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - SteadyClock::now());
      const int ready = left.count() <= 0 ? 0 : poll(&waiting, 1, static_cast<int>(left.count()));
      if (ready >= 0 || errno != EINTR) return ready > 0;
    }
  }

  const socket_t socket_;
  const SteadyClock::time_point began_;
  bool was_silent_ = true;
  std::array<char, 4096> buffer_;
  std::size_t next_ = 0;
  std::size_t end_ = 0;
};

// Octets that came all at once instead of a connection, and what is answered to them.
class StoredStream : public httplib::Stream {
 public:
  explicit StoredStream(std::string_view received) : received_(received) {}

  bool is_readable() const override { return !received_.empty(); }
  bool is_writable() const override { return true; }
  ssize_t read(char* target, size_t size) override {
    const std::size_t count = received_.copy(target, size);
    received_.remove_prefix(count);
    return static_cast<ssize_t>(count);
  }
  ssize_t write(const char* octets, size_t size) override {
    sent_.append(octets, size);
    return static_cast<ssize_t>(size);
  }
  void get_remote_ip_and_port(std::string& /*ip*/, int& /*port*/) const override {}
  void get_local_ip_and_port(std::string& /*ip*/, int& /*port*/) const override {}
  socket_t socket() const override { return INVALID_SOCKET; }

  std::string TakeSent() { return std::move(sent_); }

 private:
  std::string_view received_;
  std::string sent_;
};

// httplib's server on streams of ours: one request a connection, since an idle one would keep a thread from others.
class TimedServer : public httplib::Server {
 public:
  std::string AnswerTo(std::string_view octets) {
    StoredStream stream(octets);
    Process(&TimedServer::process_request, stream);
    return stream.TakeSent();
  }

 private:
  using Setup = std::function<void(httplib::Request&)>;

  bool process_and_close_socket(socket_t socket) override {
    TimedStream stream(socket);
    const bool is_done = Process(&TimedServer::process_request, stream);
    ::shutdown(socket, SHUT_RDWR);
    ::close(socket);
    return is_done;
  }
  // As httplib has it up to version 0.16, and from 0.17 on.
  bool Process(bool (httplib::Server::*process)(httplib::Stream&, bool, bool&, const Setup&), httplib::Stream& stream) {
    bool is_closed = false;
    return (this->*process)(stream, true, is_closed, nullptr);
  }
  bool Process(bool (httplib::Server::*process)(httplib::Stream&, const std::string&, int, const std::string&, int,
                                                bool, bool&, const Setup&),
               httplib::Stream& stream) {
    bool is_closed = false;
    return (this->*process)(stream, "", 0, "", 0, true, is_closed, nullptr);
  }
};

std::string HealthText(const Health& health) {
  std::string text = health.IsFit() ? "fit\n" : "not fit\n";
  for (const HealthItem& item : health.items) {
    text += fmt::format("{} {}: {}\n", item.is_fit ? "ok  " : "FAIL", item.name, item.detail);
  }
  return text;
}

}  // namespace

class MetricsServer::Http {
 public:
  explicit Http(MetricsSource source) : source_(std::move(source)) {
    server_.new_task_queue = [this] {
      auto* const pool = new BoundedPool();  // owned by httplib, which asks for a bare pointer
      started_.set_value();
      return pool;
    };
    server_.set_payload_max_length(0);
    // httplib would set SO_REUSEPORT, with which another process of the same user could take half of the requests.
    server_.set_socket_options([this](int socket) {
      const int yes = 1;
      setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
      socket_ = socket;
    });
    AddPages();
  }
  ~Http() {
    Stop();
    // httplib closes its socket only when it was serving.
    if (socket_ >= 0 && !was_started_) close(socket_);
  }

  // "" or what is wrong.
  std::string Bind(const IpEndpoint& endpoint) {
    errno = 0;
    const std::string host = endpoint.address.ToString();
    const int port = endpoint.port == 0                               ? server_.bind_to_any_port(host)
                     : server_.bind_to_port(host, int{endpoint.port}) ? endpoint.port
                                                                      : -1;
    if (port > 0) {
      port_ = static_cast<std::uint16_t>(port);
      return "";
    }
    socket_ = -1;
    return fmt::format("metrics.listen: cannot listen on {}: {}", endpoint.ToString(),
                       errno == 0 ? "refused" : std::generic_category().message(errno));
  }

  void Start() {
    was_started_ = true;
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    started_.get_future().wait();
    // Ends: the accepting thread says so a few instructions after it made the pool. stop() would miss it before.
    while (!server_.is_running()) std::this_thread::yield();
  }
  void Stop() {
    if (!thread_.joinable()) return;
    server_.stop();
    thread_.join();
  }
  std::string AnswerTo(std::string_view octets) { return server_.AnswerTo(octets); }
  std::uint16_t port() const { return port_; }

 private:
  void AddPages() {
    server_.Get("/", [](const httplib::Request&, httplib::Response& response) {
      // Whatever a figure might hold, the page runs its own script alone and asks only us.
      response.set_header(
          "Content-Security-Policy",
          "default-src 'none'; connect-src 'self'; script-src 'unsafe-inline'; style-src 'unsafe-inline'");
      response.set_content(std::string(StatusPage()), "text/html; charset=utf-8");
    });
    server_.Get("/metrics", [this](const httplib::Request&, httplib::Response& response) {
      response.set_content(ExpositionText(MetricFamilies(source_.snapshot())), kExpositionType);
    });
    server_.Get("/healthz", [this](const httplib::Request&, httplib::Response& response) {
      const Health health = source_.health();
      response.status = health.IsFit() ? 200 : 503;
      response.set_content(HealthText(health), "text/plain; charset=utf-8");
    });
    server_.Get("/livez", [this](const httplib::Request&, httplib::Response& response) {
      const bool is_working = source_.is_working();
      response.status = is_working ? 200 : 503;
      response.set_content(is_working ? "working\n" : "a worker does not answer\n", "text/plain; charset=utf-8");
    });
  }

  MetricsSource source_;
  TimedServer server_;
  std::promise<void> started_;
  std::thread thread_;
  int socket_ = -1;
  std::uint16_t port_ = 0;
  bool was_started_ = false;
};

Expected<std::unique_ptr<MetricsServer>, std::string> MetricsServer::Open(const IpEndpoint& endpoint,
                                                                          MetricsSource source) {
  auto http = std::make_unique<Http>(std::move(source));
  std::string problem = http->Bind(endpoint);
  if (!problem.empty()) return Unexpected(std::move(problem));
  return std::unique_ptr<MetricsServer>(new MetricsServer(std::move(http)));
}

MetricsServer::MetricsServer(std::unique_ptr<Http> http) : http_(std::move(http)) {}
MetricsServer::~MetricsServer() = default;
void MetricsServer::Start() { http_->Start(); }
void MetricsServer::Stop() { http_->Stop(); }
std::string MetricsServer::AnswerTo(std::string_view octets) { return http_->AnswerTo(octets); }
std::uint16_t MetricsServer::port() const { return http_->port(); }

}  // namespace ntsd
