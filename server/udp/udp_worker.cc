#include "server/udp/udp_worker.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <future>

#include "core/limits.h"

namespace ntsd {
namespace {

// What a stopping worker still takes from its sockets: more than their buffers hold.
constexpr std::size_t kLastBatchesMax = 4096;

}  // namespace

UdpWorker::UdpWorker(std::unique_ptr<UdpPort> port, std::unique_ptr<Random> random,
                     std::unique_ptr<Responder> responder, std::optional<unsigned> cpu)
    : port_(std::move(port)), random_(std::move(random)), responder_(std::move(responder)), cpu_(cpu) {}

UdpWorker::~UdpWorker() { Stop(); }

std::string UdpWorker::Start() {
  std::promise<std::string> begun;
  std::future<std::string> complaint = begun.get_future();
  thread_ = std::thread([this, &begun] { Run([&begun](std::string text) { begun.set_value(std::move(text)); }); });
  return complaint.get();
}

void UdpWorker::Stop() {
  if (!thread_.joinable()) return;
  stopping_.store(true, std::memory_order_release);
  port_->Wake();
  thread_.join();
}

std::uint64_t UdpWorker::Ping() {
  const std::uint64_t number = pings_.fetch_add(1, std::memory_order_acq_rel) + 1;
  port_->Wake();
  return number;
}

void UdpWorker::Run(std::function<void(std::string)> on_begin) {
  pthread_setname_np(pthread_self(), "ntp-worker");
  Pin();
  std::string complaint = port_->Begin();
  const bool good = complaint.empty();
  on_begin(std::move(complaint));
  if (!good) return;
  // Ends: with Stop().
  while (!stopping_.load(std::memory_order_acquire)) {
    answered_pings_.store(pings_.load(std::memory_order_acquire), std::memory_order_release);
    Serve(port_->Receive(/*may_wait=*/true));
  }
  // Nobody who asked before we stopped shall ask in vain.
  for (std::size_t i = 0; i < kLastBatchesMax; ++i) {
    const std::span<Exchange> batch = port_->Receive(/*may_wait=*/false);
    const bool was_last = batch.empty();
    Serve(batch);
    if (was_last) break;
  }
}

void UdpWorker::Serve(std::span<Exchange> batch) {
  if (!batch.empty()) {
    responder_->Prepare(batch);
    const std::size_t group_size = batch.size() <= kLoneSendBatchMax ? 1 : kSendGroupSizeMax;
    for (std::size_t first = 0; first < batch.size(); first += group_size) {
      const std::span<Exchange> group = batch.subspan(first, std::min(group_size, batch.size() - first));
      responder_->Finish(group);
      port_->Send(group);
    }
  }
  port_->Release();
  responder_->Learn(port_->Departures());
}

// Best effort: in a container the CPU may have been taken away since it was chosen.
void UdpWorker::Pin() const {
  if (!cpu_) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(*cpu_, &set);
  pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
}

}  // namespace ntsd
