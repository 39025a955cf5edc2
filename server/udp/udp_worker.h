// One NTP worker: a thread on its CPU that takes datagrams through the responder, batch by batch.
//
// Threads: made, started and stopped by main; Ping() and the counters by anyone.
// Memory: everything is allocated when it is made. Errors: Start() says why the engine cannot run.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "core/nts/responder.h"
#include "server/udp/udp_port.h"

namespace ntsd {

class UdpWorker {
 public:
  // `cpu`: where the thread is pinned; nothing = wherever the kernel puts it.
  UdpWorker(std::unique_ptr<UdpPort> port, std::unique_ptr<Random> random, std::unique_ptr<Responder> responder,
            std::optional<unsigned> cpu);
  ~UdpWorker();
  UdpWorker(const UdpWorker&) = delete;
  UdpWorker& operator=(const UdpWorker&) = delete;

  // Waits until the thread runs. An empty text: it does; otherwise why not.
  std::string Start();
  // Answers what the sockets still hold, then ends the thread. Returns when it has ended.
  void Stop();

  // Asks for a sign of life; AnsweredPings() tells that the loop has come round since.
  std::uint64_t Ping();
  std::uint64_t AnsweredPings() const { return answered_pings_.load(std::memory_order_acquire); }

  const ResponderCounters& counters() const { return responder_->counters(); }
  const TransmitCounters& transmit_counters() const { return responder_->transmit_counters(); }
  const Guard::Worker* guard() const { return responder_->guard(); }
  const Counters<kPortEventCount>& port_counters() const { return port_->counters(); }
  std::optional<unsigned> cpu() const { return cpu_; }

 private:
  void Run(std::function<void(std::string)> on_begin);
  void Serve(std::span<Exchange> batch);
  void Pin() const;

  std::unique_ptr<UdpPort> port_;
  std::unique_ptr<Random> random_;  // the responder's
  std::unique_ptr<Responder> responder_;
  const std::optional<unsigned> cpu_;
  std::thread thread_;
  std::atomic<bool> stopping_{false};
  std::atomic<std::uint64_t> pings_{0};
  std::atomic<std::uint64_t> answered_pings_{0};
};

}  // namespace ntsd
