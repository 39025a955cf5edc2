#include "server/main/listeners.h"

#include <utility>

namespace ntsd {
namespace {

Expected<void, std::string> CheckAllFree(const Config& config) {
  for (const NtpConfig& table : config.ntp) {
    for (const IpEndpoint& address : table.listen) {
      if (auto free = CheckUdpAddressFree(address); !free) return free;
    }
  }
  for (const KeConfig& table : config.ke) {
    for (const IpEndpoint& address : table.listen) {
      if (auto free = CheckTcpAddressFree(address); !free) return free;
    }
  }
  return {};
}

Expected<NtpListener, std::string> OpenNtp(const NtpConfig& table, const IpEndpoint& address,
                                           std::size_t worker_count) {
  NtpListener listener{.address = address, .sockets = {}};
  for (std::size_t i = 0; i < worker_count; ++i) {
    auto socket = OpenUdpSocket(address, table.dscp);
    if (!socket) return Unexpected(std::move(socket.error()));
    listener.sockets.push_back(std::move(*socket));
  }
  return listener;
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

Expected<Listeners, std::string> OpenListeners(const Config& config, std::size_t ntp_worker_count) {
  if (auto free = CheckAllFree(config); !free) return Unexpected(std::move(free.error()));
  Listeners listeners;
  for (const NtpConfig& table : config.ntp) {
    for (const IpEndpoint& address : table.listen) {
      auto listener = OpenNtp(table, address, ntp_worker_count);
      if (!listener) return Unexpected(std::move(listener.error()));
      listeners.ntp.push_back(std::move(*listener));
    }
  }
  for (std::size_t table = 0; table < config.ke.size(); ++table) {
    for (const IpEndpoint& address : config.ke[table].listen) {
      auto socket = OpenTcpListener(address);
      if (!socket) return Unexpected(std::move(socket.error()));
      listeners.ke.push_back({.table = table, .address = address, .socket = std::move(*socket)});
    }
  }
  return listeners;
}

}  // namespace ntsd
