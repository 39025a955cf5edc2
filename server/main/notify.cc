#include "server/main/notify.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>

namespace ntsd {
namespace {

std::string AddressFromEnvironment() {
  const char* const address = std::getenv("NOTIFY_SOCKET");  // NOLINT(concurrency-mt-unsafe): before other threads
  if (address == nullptr || std::strlen(address) >= sizeof(sockaddr_un::sun_path)) return {};
  return address[0] == '/' || address[0] == '@' ? address : "";
}

}  // namespace

Notifier::Notifier() : address_(AddressFromEnvironment()) {
  if (!address_.empty()) socket_ = Descriptor(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
}

// Not connected: the manager may be executed anew and bind its address again.
void Notifier::Send(const std::string& text) const {
  if (!socket_) return;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, address_.data(), address_.size());
  if (address.sun_path[0] == '@') address.sun_path[0] = '\0';
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address_.size());
  sendto(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&address), size);
}

void Notifier::Ready(const std::string& status) const { Send("READY=1\nSTATUS=" + status); }

void Notifier::Reloading() const {
  // The manager wants to know when, by its own clock (sd_notify(3)).
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  Send("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(now.tv_sec * 1'000'000 + now.tv_nsec / 1000));
}

void Notifier::Stopping() const { Send("STOPPING=1\nSTATUS=draining"); }

void Notifier::Watchdog() const { Send("WATCHDOG=1"); }

std::optional<Duration> WatchdogInterval() {
  std::uint64_t interval_us = 0;
  if (sd_watchdog_enabled(/*unset_environment=*/0, &interval_us) <= 0) return std::nullopt;
  return std::chrono::microseconds(interval_us);
}

}  // namespace ntsd
