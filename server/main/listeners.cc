#include "server/main/listeners.h"

#include <fmt/format.h>

#include <utility>

namespace ntsd {
namespace {

// An address of the service manager's is in use, and shall be.
Expected<void, std::string> CheckAllFree(const Config& config, const InheritedSockets& inherited) {
  for (const NtpConfig& table : config.ntp) {
    for (const IpEndpoint& address : table.listen) {
      if (inherited.Has(address, /*is_udp=*/true)) continue;
      if (auto free = CheckUdpAddressFree(address); !free) return free;
    }
  }
  for (const KeConfig& table : config.ke) {
    for (const IpEndpoint& address : table.listen) {
      if (inherited.Has(address, /*is_udp=*/false)) continue;
      if (auto free = CheckTcpAddressFree(address); !free) return free;
    }
  }
  return {};
}

// The kernel spreads clients over all sockets of an address, so one without a worker would be a hole.
Expected<NtpListener, std::string> TakeNtp(const NtpConfig& table, const IpEndpoint& address, std::size_t worker_count,
                                           std::vector<Descriptor> sockets) {
  if (sockets.size() != worker_count) {
    return Unexpected(
        fmt::format("the service manager passed {} UDP sockets for {}, and there are {} workers: pass one "
                    "for each (ListenDatagram= as often, with ReusePort=yes), or set workers.ntp = {}",
                    sockets.size(), address.ToString(), worker_count, sockets.size()));
  }
  for (const Descriptor& socket : sockets) {
    if (auto prepared = PrepareUdpSocket(socket.get(), address, table.dscp); !prepared) {
      return Unexpected(std::move(prepared.error()));
    }
  }
  return NtpListener{.address = address, .sockets = std::move(sockets)};
}

Expected<NtpListener, std::string> OpenNtp(const NtpConfig& table, const IpEndpoint& address, std::size_t worker_count,
                                           InheritedSockets& inherited) {
  if (inherited.Has(address, /*is_udp=*/true)) {
    return TakeNtp(table, address, worker_count, inherited.Release(address, /*is_udp=*/true));
  }
  NtpListener listener{.address = address, .sockets = {}};
  for (std::size_t i = 0; i < worker_count; ++i) {
    auto socket = OpenUdpSocket(address, table.dscp);
    if (!socket) return Unexpected(std::move(socket.error()));
    listener.sockets.push_back(std::move(*socket));
  }
  return listener;
}

Expected<Descriptor, std::string> OpenKe(const IpEndpoint& address, InheritedSockets& inherited) {
  if (!inherited.Has(address, /*is_udp=*/false)) return OpenTcpListener(address);
  std::vector<Descriptor> sockets = inherited.Release(address, /*is_udp=*/false);
  if (sockets.size() == 1) return std::move(sockets.front());
  return Unexpected(fmt::format("the service manager passed {} TCP sockets for {}; all workers share one",
                                sockets.size(), address.ToString()));
}

}  // namespace

std::vector<UdpSocket> Listeners::SocketsOf(std::size_t worker) const {
  std::vector<UdpSocket> sockets;
  for (std::size_t i = 0; i < ntp.size(); ++i) {
    sockets.push_back(
        {.fd = ntp[i].sockets[worker].get(), .listener = i, .has_packet_info = ntp[i].address.address.IsUnspecified()});
  }
  return sockets;
}

std::uint64_t Listeners::SocketDrops() const {
  std::uint64_t drops = 0;
  for (const NtpListener& listener : ntp) {
    for (const Descriptor& socket : listener.sockets) drops += ReadSocketDrops(socket.get());
  }
  return drops;
}

Expected<Listeners, std::string> OpenListeners(const Config& config, std::size_t ntp_worker_count,
                                               InheritedSockets inherited) {
  if (auto free = CheckAllFree(config, inherited); !free) return Unexpected(std::move(free.error()));
  Listeners listeners;
  for (const NtpConfig& table : config.ntp) {
    for (const IpEndpoint& address : table.listen) {
      auto listener = OpenNtp(table, address, ntp_worker_count, inherited);
      if (!listener) return Unexpected(std::move(listener.error()));
      listeners.ntp.push_back(std::move(*listener));
    }
  }
  for (std::size_t table = 0; table < config.ke.size(); ++table) {
    for (const IpEndpoint& address : config.ke[table].listen) {
      auto socket = OpenKe(address, inherited);
      if (!socket) return Unexpected(std::move(socket.error()));
      listeners.ke.push_back({.table = table, .address = address, .socket = std::move(*socket)});
    }
  }
  if (std::string leftover = inherited.Leftover(); !leftover.empty()) return Unexpected(std::move(leftover));
  return listeners;
}

Expected<void, std::string> SpreadByCpu(const Listeners& listeners,
                                        std::span<const std::optional<unsigned>> worker_cpus) {
  std::vector<unsigned> cpus;
  for (const std::optional<unsigned>& cpu : worker_cpus) {
    if (!cpu) {
      return Unexpected(fmt::format(
          "workers.spread = \"cpu\" needs a CPU for each of the {} NTP workers: lower workers.ntp, name the CPUs "
          "(workers.ntp = \"0-3\"), or use \"hash\"",
          worker_cpus.size()));
    }
    cpus.push_back(*cpu);
  }
  for (const NtpListener& listener : listeners.ntp) {
    // A program that one socket brings holds for the whole group.
    auto spread = SpreadByCpu(listener.sockets.front().get(), listener.address, cpus);
    if (!spread) return spread;
  }
  return {};
}

}  // namespace ntsd
