#include "server/udp/network_card.h"

#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/ptp_clock.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace ntsd {
namespace {

// Settings of interfaces are asked for through any socket. 0 or errno.
int AskInterface(const std::string& interface, unsigned long request, void* argument) {
  const Descriptor socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket) return errno;
  ifreq question{};
  if (interface.size() >= sizeof(question.ifr_name)) return ENODEV;
  std::memcpy(question.ifr_name, interface.data(), interface.size());
  question.ifr_data = static_cast<char*>(argument);
  return ioctl(socket.get(), request, &question) == 0 ? 0 : errno;
}

UnixTime ToUnix(const ptp_clock_time& time) {
  return UnixTime(std::chrono::seconds(time.sec) + std::chrono::nanoseconds(time.nsec));
}
CardTime ToCard(const ptp_clock_time& time) { return {time.sec * 1'000'000'000 + time.nsec}; }

constexpr std::uint32_t Bit(int filter) { return std::uint32_t{1} << filter; }

}  // namespace

unsigned SystemCards::IndexOf(const std::string& interface) { return if_nametoindex(interface.c_str()); }

Expected<CardAbilities, int> SystemCards::AbilitiesOf(const std::string& interface) {
  ethtool_ts_info info{};
  info.cmd = ETHTOOL_GET_TS_INFO;
  if (const int error = AskInterface(interface, SIOCETHTOOL, &info); error != 0) return Unexpected(error);
  constexpr std::uint32_t kNeeded = SOF_TIMESTAMPING_RX_HARDWARE | SOF_TIMESTAMPING_RAW_HARDWARE;
  return CardAbilities{.can_stamp_received = (info.so_timestamping & kNeeded) == kNeeded,
                       .clock_index = info.phc_index,
                       .receive_filters = info.rx_filters};
}

Expected<hwtstamp_config, int> SystemCards::SettingsOf(const std::string& interface) {
  hwtstamp_config settings{};
  if (const int error = AskInterface(interface, SIOCGHWTSTAMP, &settings); error != 0) return Unexpected(error);
  return settings;
}

Expected<hwtstamp_config, int> SystemCards::Change(const std::string& interface, hwtstamp_config settings) {
  if (const int error = AskInterface(interface, SIOCSHWTSTAMP, &settings); error != 0) return Unexpected(error);
  return settings;
}

Expected<Descriptor, int> SystemCards::OpenClock(int clock_index) {
  Descriptor clock(open(("/dev/ptp" + std::to_string(clock_index)).c_str(), O_RDONLY | O_CLOEXEC));
  if (!clock) return Unexpected(errno);
  return clock;
}

std::span<const CardReading> SystemCards::Read(int clock_fd, std::span<CardReading, kCardReadingsPerLook> room) {
  // Some cards latch both clocks in one moment.
  ptp_sys_offset_precise precise{};
  if (ioctl(clock_fd, PTP_SYS_OFFSET_PRECISE, &precise) == 0) {
    room[0] = {
        .before = ToUnix(precise.sys_realtime), .card = ToCard(precise.device), .after = ToUnix(precise.sys_realtime)};
    return room.first(1);
  }
  static_assert(kCardReadingsPerLook <= PTP_MAX_SAMPLES);
  ptp_sys_offset_extended extended{};
  extended.n_samples = kCardReadingsPerLook;
  if (ioctl(clock_fd, PTP_SYS_OFFSET_EXTENDED, &extended) != 0) return {};
  for (std::size_t i = 0; i < room.size(); ++i) {
    room[i] = {
        .before = ToUnix(extended.ts[i][0]), .card = ToCard(extended.ts[i][1]), .after = ToUnix(extended.ts[i][2])};
  }
  return room;
}

bool StampsNtp(const hwtstamp_config& settings) {
  return settings.rx_filter == HWTSTAMP_FILTER_ALL || settings.rx_filter == HWTSTAMP_FILTER_NTP_ALL;
}

Expected<std::optional<hwtstamp_config>, std::string> WidenFilter(const hwtstamp_config& current,
                                                                  std::uint32_t offered_filters) {
  if (StampsNtp(current)) return std::nullopt;
  hwtstamp_config wanted = current;
  // The filter for everything holds what anybody else wants, too; that for NTP only when nobody wants anything.
  if (current.rx_filter == HWTSTAMP_FILTER_NONE && (offered_filters & Bit(HWTSTAMP_FILTER_NTP_ALL)) != 0) {
    wanted.rx_filter = HWTSTAMP_FILTER_NTP_ALL;
    return wanted;
  }
  if ((offered_filters & Bit(HWTSTAMP_FILTER_ALL)) != 0) {
    wanted.rx_filter = HWTSTAMP_FILTER_ALL;
    return wanted;
  }
  if (current.rx_filter == HWTSTAMP_FILTER_NONE) return Unexpected(std::string("it stamps PTP only, not NTP"));
  return Unexpected(std::string("another program has set it to stamp PTP, and it cannot stamp NTP beside that"));
}

}  // namespace ntsd
