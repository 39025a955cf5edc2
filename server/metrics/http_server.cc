#include "server/metrics/http_server.h"

#include <fmt/format.h>
#include <httplib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
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
    server_.set_read_timeout(kHttpTimeout_s);
    server_.set_write_timeout(kHttpTimeout_s);
    // One request a connection: an idle one would keep one of the two threads from others.
    server_.set_keep_alive_max_count(1);
    server_.set_keep_alive_timeout(kHttpSilence_s);
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
  httplib::Server server_;
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
std::uint16_t MetricsServer::port() const { return http_->port(); }

}  // namespace ntsd
