#include "core/base/ip_address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

#include "core/base/check.h"

namespace ntsd {
namespace {

template <typename Integer>
std::optional<Integer> ParseDecimal(std::string_view text) {
  Integer value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

// True when all bits of `octets` from bit `first` on are zero.
bool ZeroFromBit(ByteView octets, std::size_t first) {
  for (std::size_t bit = first; bit < octets.size() * 8; ++bit) {
    if ((octets[bit / 8] >> (7 - bit % 8) & 1) != 0) return false;
  }
  return true;
}

}  // namespace

IpAddress IpAddress::V4(std::uint32_t host_order) {
  IpAddress address;
  ByteWriter(address.octets).WriteU32(host_order);
  return address;
}

IpAddress IpAddress::FromOctets(ByteView network_order) {
  CHECK(network_order.size() == 4 || network_order.size() == 16);
  IpAddress address;
  address.is_v4 = network_order.size() == 4;
  std::copy(network_order.begin(), network_order.end(), address.octets.begin());
  return address;
}

std::optional<IpAddress> IpAddress::Parse(std::string_view text) {
  const std::string terminated(text);
  IpAddress address;
  if (inet_pton(AF_INET, terminated.c_str(), address.octets.data()) == 1) return address;
  address.is_v4 = false;
  if (inet_pton(AF_INET6, terminated.c_str(), address.octets.data()) == 1) return address;
  return std::nullopt;
}

bool IpAddress::IsLoopback() const {
  if (is_v4) return octets[0] == 127;
  return ZeroFromBit(ByteView(octets).first(15), 0) && octets[15] == 1;
}

std::string IpAddress::ToString() const {
  char text[INET6_ADDRSTRLEN] = "";
  inet_ntop(is_v4 ? AF_INET : AF_INET6, octets.data(), text, sizeof(text));
  return text;
}

std::optional<IpPrefix> IpPrefix::Parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto address = IpAddress::Parse(text.substr(0, slash));
  if (!address) return std::nullopt;
  IpPrefix prefix{*address, static_cast<std::uint8_t>(address->size() * 8)};
  if (slash != std::string_view::npos) {
    const auto length = ParseDecimal<std::uint8_t>(text.substr(slash + 1));
    if (!length || *length > address->size() * 8) return std::nullopt;
    prefix.length = *length;
  }
  if (!ZeroFromBit(address->view(), prefix.length)) return std::nullopt;
  return prefix;
}

bool IpPrefix::Contains(const IpAddress& other) const {
  if (other.is_v4 != address.is_v4) return false;
  for (std::size_t bit = 0; bit < length; ++bit) {
    if (((other.octets[bit / 8] ^ address.octets[bit / 8]) >> (7 - bit % 8) & 1) != 0) return false;
  }
  return true;
}

std::string IpPrefix::ToString() const { return address.ToString() + "/" + std::to_string(length); }

std::optional<IpEndpoint> IpEndpoint::Parse(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto port = ParseDecimal<std::uint16_t>(text.substr(colon + 1));
  std::string_view host = text.substr(0, colon);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  const auto address = IpAddress::Parse(host);
  // Brackets exactly around IPv6: without them "::1:123" would be an address, not an endpoint.
  if (!port || !address || bracketed == address->is_v4) return std::nullopt;
  return IpEndpoint{*address, *port};
}

std::string IpEndpoint::ToString() const {
  const std::string host = address.ToString();
  return (address.is_v4 ? host : "[" + host + "]") + ":" + std::to_string(port);
}

}  // namespace ntsd
