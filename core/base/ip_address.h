// IP addresses, prefixes and endpoints as values, without the socket API.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/bytes.h"

namespace ntsd {

// IPv4 or IPv6. Octets in network order; an IPv4 address uses the first four and leaves the rest zero.
struct IpAddress {
  std::array<std::uint8_t, 16> octets{};
  bool is_v4 = true;

  static IpAddress V4(std::uint32_t host_order);
  static IpAddress FromOctets(ByteView network_order);  // 4 or 16 octets
  // "192.0.2.1" or "2001:db8::1"; no zone, no brackets. IPv4-mapped IPv6 stays IPv6.
  static std::optional<IpAddress> Parse(std::string_view text);

  std::size_t size() const { return is_v4 ? 4 : 16; }
  ByteView view() const { return ByteView(octets).first(size()); }
  bool IsUnspecified() const {
    std::array<std::uint64_t, 2> words;
    std::memcpy(words.data(), octets.data(), sizeof(words));
    return (words[0] | words[1]) == 0;
  }
  // 224.0.0.0/4, 255.255.255.255 or ff00::/8: never a source of ours (R-NTP-23).
  bool IsMulticastOrBroadcast() const {
    if (!is_v4) return octets[0] == 0xFF;
    return (octets[0] & 0xF0) == 0xE0 || (octets[0] & octets[1] & octets[2] & octets[3]) == 0xFF;
  }
  bool IsLoopback() const;
  std::string ToString() const;

  friend bool operator==(const IpAddress&, const IpAddress&) = default;
};

struct IpPrefix {
  IpAddress address;        // bits past `length` are zero
  std::uint8_t length = 0;  // 0–32 or 0–128

  // "192.0.2.0/24", "2001:db8::/32", or a bare address (all bits). Bits past the length must be zero.
  static std::optional<IpPrefix> Parse(std::string_view text);
  bool Contains(const IpAddress& other) const;
  std::string ToString() const;

  friend bool operator==(const IpPrefix&, const IpPrefix&) = default;
};

struct IpEndpoint {
  IpAddress address;
  std::uint16_t port = 0;  // host order

  // "192.0.2.1:123" or "[2001:db8::1]:123"; the port is required.
  static std::optional<IpEndpoint> Parse(std::string_view text);
  std::string ToString() const;

  friend bool operator==(const IpEndpoint&, const IpEndpoint&) = default;
};

}  // namespace ntsd
