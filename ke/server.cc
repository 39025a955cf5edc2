#include "ke/server.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>

#include "core/base/check.h"
#include "ke/worker.h"

namespace ntsd::ke {

namespace {

// The names that reach servers of ours: those configured, the one that we send, and those that we can prove to own.
KePolicy Complete(const KePolicy& configured, const TlsContext& tls) {
  KePolicy policy = configured;
  const auto add = [](std::vector<std::string>& names, const std::string& name) {
    if (!name.empty() && std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  };
  add(policy.known_servers, configured.ntp_server);
  // Without another host's name the time is here, where the certificate's names lead.
  if (configured.ntp_server.empty()) {
    for (const std::string& name : tls.ServerNames()) add(policy.known_servers, name);
  }
  if (policy.pool_server_names.empty()) policy.pool_server_names = policy.known_servers;
  return policy;
}

}  // namespace

Server::Server(ServerOptions options, std::vector<Settings> services,
               std::vector<std::shared_ptr<const TlsContext>> contexts, std::vector<Listener> listeners, KeyRing& keys,
               const Aead& aead, const Clock& clock) {
  CHECK(contexts.size() == services.size() && !services.empty());
  for (const Settings& service : services) policies_.push_back(service.policy);
  const int on = 1;
  // Inherited by what is accepted: an answer is one write and should not wait for an acknowledgement.
  for (const Listener& listener : listeners) {
    CHECK(listener.service < services.size());
    setsockopt(listener.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  }
  const std::unique_ptr<Random> random = options.make_random();
  shared_ = std::make_unique<Shared>(std::move(options), std::move(services), std::move(listeners), keys, aead, clock,
                                     *random);
  for (std::size_t i = 0; i < contexts.size(); ++i) Use(i, std::move(contexts[i]));
  for (std::size_t i = 0; i < shared_->options.worker_count; ++i) {
    workers_.push_back(std::make_unique<Worker>(*shared_, i));
  }
  shared_->listening_workers.store(workers_.size());
}

Server::~Server() {
  Drain(Duration::zero());
  // The last worker that stopped accepting has closed the listeners, if they ever began.
  if (shared_->listening_workers.load() == 0) return;
  for (const Listener& listener : shared_->listeners) close(listener.fd);
}

void Server::Start() {
  CHECK(threads_.empty());
  shared_->running_workers.store(workers_.size());
  for (const std::unique_ptr<Worker>& worker : workers_) {
    threads_.emplace_back([&worker = *worker] { worker.Run(); });
  }
}

std::size_t Server::Drain(Duration patience) {
  if (threads_.empty()) return 0;
  shared_->draining.store(true);
  for (const std::unique_ptr<Worker>& worker : workers_) worker->Wake();
  // A wait that nobody can hang on: the workers look for themselves when their last connection has gone.
  const MonotonicTime deadline = shared_->clock.Monotonic() + patience;
  while (shared_->running_workers.load() > 0 && shared_->clock.Monotonic() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  shared_->stopping.store(true);
  for (const std::unique_ptr<Worker>& worker : workers_) worker->Wake();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  std::size_t cut_count = 0;
  for (const std::unique_ptr<Worker>& worker : workers_) cut_count += worker->CutOff();
  return cut_count;
}

void Server::Use(std::size_t service, std::shared_ptr<const TlsContext> context) {
  CHECK(context != nullptr);
  const std::lock_guard lock(shared_->mutex);
  Publish(service, std::move(context));
}

void Server::Use(std::size_t service, KePolicy policy) {
  const std::lock_guard lock(shared_->mutex);
  policies_[service] = std::move(policy);
  Publish(service, shared_->states[service]->tls);
}

void Server::Publish(std::size_t service, std::shared_ptr<const TlsContext> context) {
  KePolicy policy = Complete(policies_[service], *context);
  shared_->states[service] = std::make_shared<const ServiceState>(ServiceState{std::move(context), std::move(policy)});
  shared_->generation.fetch_add(1, std::memory_order_release);
}

std::shared_ptr<const TlsContext> Server::Context(std::size_t service) const {
  const std::lock_guard lock(shared_->mutex);
  return shared_->states[service]->tls;
}

Snapshot Server::Read() const {
  Snapshot snapshot;
  for (const std::unique_ptr<Worker>& worker : workers_) worker->AddTo(snapshot);
  snapshot.active = shared_->occupancy.Active();
  return snapshot;
}

}  // namespace ntsd::ke
