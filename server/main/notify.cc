#include "server/main/notify.h"

#include <systemd/sd-daemon.h>
#include <time.h>

namespace ntsd::notify {
namespace {

void Send(const std::string& text) { sd_notify(/*unset_environment=*/0, text.c_str()); }

}  // namespace

void Ready(const std::string& status) { Send("READY=1\nSTATUS=" + status); }

void Status(const std::string& status) { Send("STATUS=" + status); }

void Reloading() {
  // The manager wants to know when, by its own clock (sd_notify(3)).
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  Send("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(now.tv_sec * 1'000'000 + now.tv_nsec / 1000));
}

void Stopping() { Send("STOPPING=1\nSTATUS=draining"); }

void Watchdog() { Send("WATCHDOG=1"); }

std::optional<Duration> WatchdogInterval() {
  std::uint64_t interval_us = 0;
  if (sd_watchdog_enabled(/*unset_environment=*/0, &interval_us) <= 0) return std::nullopt;
  return std::chrono::microseconds(interval_us);
}

}  // namespace ntsd::notify
