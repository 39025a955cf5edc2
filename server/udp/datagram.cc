#include "server/udp/datagram.h"

#include <algorithm>
#include <cstring>

namespace ntsd {
namespace {

// A control message that was cut off has a shortened length, or reaches past the end.
template <typename Value>
std::optional<Value> ReadControl(const msghdr& message, const cmsghdr* header) {
  const auto* const end = static_cast<const std::uint8_t*>(message.msg_control) + message.msg_controllen;
  const std::uint8_t* const data = CMSG_DATA(header);
  if (header->cmsg_len < CMSG_LEN(sizeof(Value)) || end - data < static_cast<std::ptrdiff_t>(sizeof(Value))) {
    return std::nullopt;
  }
  Value value;
  std::memcpy(&value, data, sizeof(value));
  return value;
}

ByteView OctetsOf(const in_addr& address) { return {reinterpret_cast<const std::uint8_t*>(&address), sizeof(address)}; }
ByteView OctetsOf(const in6_addr& address) {
  return {reinterpret_cast<const std::uint8_t*>(&address), sizeof(address)};
}

UnixTime ToUnix(const timespec& time) {
  return UnixTime(std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec));
}

// The kernel's own stamp, the first of the three; the last is the network card's. Zero: there is none.
std::optional<UnixTime> SoftwareStamp(const scm_timestamping& stamps) {
  const timespec time{.tv_sec = static_cast<time_t>(stamps.ts[0].tv_sec), .tv_nsec = stamps.ts[0].tv_nsec};
  if (time.tv_sec == 0 && time.tv_nsec == 0) return std::nullopt;
  return ToUnix(time);
}

void ReadStamps(const scm_timestamping& stamps, Arrival& arrival) {
  arrival.received = SoftwareStamp(stamps);
  const auto& raw = stamps.ts[2];
  if (raw.tv_sec == 0 && raw.tv_nsec == 0) return;
  arrival.card =
      CardStamp{.time = {static_cast<std::int64_t>(raw.tv_sec) * 1'000'000'000 + raw.tv_nsec}, .interface = 0};
}

void ReadPacketInfo(const in_pktinfo& info, Arrival& arrival) {
  arrival.local = IpAddress::FromOctets(OctetsOf(info.ipi_spec_dst));
  arrival.interface = static_cast<unsigned>(info.ipi_ifindex);
  // They differ when the datagram went to a multicast or broadcast address (R-NTP-23).
  arrival.to_unicast = info.ipi_spec_dst.s_addr == info.ipi_addr.s_addr;
}

void ReadPacketInfo(const in6_pktinfo& info, Arrival& arrival) {
  arrival.local = IpAddress::FromOctets(OctetsOf(info.ipi6_addr));
  arrival.interface = info.ipi6_ifindex;
  arrival.to_unicast = !arrival.local->IsMulticastOrBroadcast();
}

template <typename Value>
std::size_t WriteControl(int level, int type, const Value& value, void* control) {
  cmsghdr header{};
  header.cmsg_len = CMSG_LEN(sizeof(Value));
  header.cmsg_level = level;
  header.cmsg_type = type;
  std::memset(control, 0, CMSG_SPACE(sizeof(Value)));
  std::memcpy(control, &header, sizeof(header));
  std::memcpy(static_cast<std::uint8_t*>(control) + CMSG_LEN(0), &value, sizeof(value));
  return CMSG_SPACE(sizeof(Value));
}

}  // namespace

Arrival ReadArrival(msghdr& message) {
  Arrival arrival;
  unsigned card_interface = 0;
  // Ends: CMSG_NXTHDR moves on within msg_controllen.
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_TIMESTAMPING) {
      if (const auto stamps = ReadControl<scm_timestamping>(message, header)) ReadStamps(*stamps, arrival);
    } else if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_TIMESTAMPNS) {
      if (const auto stamp = ReadControl<timespec>(message, header)) arrival.received = ToUnix(*stamp);
    } else if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_TIMESTAMPING_PKTINFO) {
      if (const auto info = ReadControl<scm_ts_pktinfo>(message, header)) card_interface = info->if_index;
    } else if (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_PKTINFO) {
      if (const auto info = ReadControl<in_pktinfo>(message, header)) ReadPacketInfo(*info, arrival);
    } else if (header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_PKTINFO) {
      if (const auto info = ReadControl<in6_pktinfo>(message, header)) ReadPacketInfo(*info, arrival);
    }
  }
  if (arrival.card) arrival.card->interface = card_interface;
  return arrival;
}

std::optional<KernelDeparture> ReadDeparture(msghdr& message) {
  std::optional<UnixTime> left;
  std::optional<std::uint32_t> number;
  // Ends: CMSG_NXTHDR moves on within msg_controllen.
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    const bool is_error = (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_RECVERR) ||
                          (header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_RECVERR);
    if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_TIMESTAMPING) {
      if (const auto stamps = ReadControl<scm_timestamping>(message, header)) left = SoftwareStamp(*stamps);
    } else if (is_error) {
      const auto error = ReadControl<sock_extended_err>(message, header);
      if (error && error->ee_origin == SO_EE_ORIGIN_TIMESTAMPING) number = error->ee_data;
    }
  }
  if (!left || !number) return std::nullopt;
  return KernelDeparture{.number = *number, .left = *left};
}

std::size_t WriteSourceControl(const IpAddress& local, unsigned interface, void* control) {
  if (local.is_v4) {
    // No interface: the answer takes the route to the client, whichever way the request came.
    in_pktinfo info{};
    std::memcpy(&info.ipi_spec_dst, local.octets.data(), sizeof(info.ipi_spec_dst));
    return WriteControl(IPPROTO_IP, IP_PKTINFO, info, control);
  }
  in6_pktinfo info{};
  std::memcpy(&info.ipi6_addr, local.octets.data(), sizeof(info.ipi6_addr));
  if (IsLinkLocal(local)) info.ipi6_ifindex = interface;
  return WriteControl(IPPROTO_IPV6, IPV6_PKTINFO, info, control);
}

std::size_t WriteDepartureRequest(void* control) {
  const std::uint32_t request = SOF_TIMESTAMPING_TX_SOFTWARE;
  return WriteControl(SOL_SOCKET, SO_TIMESTAMPING, request, control);
}

}  // namespace ntsd
