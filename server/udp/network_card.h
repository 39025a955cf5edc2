// What we ask of network cards: that they stamp what they receive, and what their clocks say.
//
// Threads: any, one call at a time. Memory: the caller's.
// Errors: errno of the call, or one line for the operator.
#pragma once

#include <linux/net_tstamp.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "core/base/expected.h"
#include "core/ntp/card_clock.h"
#include "server/udp/udp_socket.h"

namespace ntsd {

struct CardAbilities {
  bool can_stamp_received = false;
  int clock_index = -1;               // n of /dev/ptpn; below 0: none
  std::uint32_t receive_filters = 0;  // bit HWTSTAMP_FILTER_…: offered
};

// The system calls; tests have cards of their own.
class NetworkCards {
 public:
  virtual ~NetworkCards() = default;

  // 0: there is no such interface.
  virtual unsigned IndexOf(const std::string& interface) = 0;
  virtual Expected<CardAbilities, int> AbilitiesOf(const std::string& interface) = 0;
  virtual Expected<hwtstamp_config, int> SettingsOf(const std::string& interface) = 0;
  // The settings that are in force then: a driver may choose wider ones.
  virtual Expected<hwtstamp_config, int> Change(const std::string& interface, hwtstamp_config settings) = 0;
  virtual Expected<Descriptor, int> OpenClock(int clock_index) = 0;
  // Reads the clock some times in a row; those that could be made.
  virtual std::span<const CardReading> Read(int clock_fd, std::span<CardReading, kCardReadingsPerLook> room) = 0;
};

// Of this machine. OpenClock() and Change() need privileges, Read() on an open clock does not.
class SystemCards final : public NetworkCards {
 public:
  unsigned IndexOf(const std::string& interface) override;
  Expected<CardAbilities, int> AbilitiesOf(const std::string& interface) override;
  Expected<hwtstamp_config, int> SettingsOf(const std::string& interface) override;
  Expected<hwtstamp_config, int> Change(const std::string& interface, hwtstamp_config settings) override;
  Expected<Descriptor, int> OpenClock(int clock_index) override;
  std::span<const CardReading> Read(int clock_fd, std::span<CardReading, kCardReadingsPerLook> room) override;
};

// Whether received NTP datagrams are stamped under this filter.
bool StampsNtp(const hwtstamp_config& settings);
// What to set so that they are; nothing when they are already. Another program (chronyd, ptp4l) may have set the card
// up for itself: what it set stays, or becomes wider, and the stamps of what is sent are left alone. Otherwise why not.
Expected<std::optional<hwtstamp_config>, std::string> WidenFilter(const hwtstamp_config& current,
                                                                  std::uint32_t offered_filters);

}  // namespace ntsd
