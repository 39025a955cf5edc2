// Who may be served: allowed, denied and exempt prefixes, looked up by longest match for a batch of addresses at once.
//
// The rule. The longest prefix of `allow` and `deny` that holds the address decides; when both have that prefix, `deny`
// does. An address that no prefix holds is denied: `allow = ["192.0.2.0/24"]` alone serves that network and nobody
// else, IPv6 included. Whoever is allowed and in any prefix of `exempt` is not rate limited.
// IPv4-mapped IPv6 addresses are IPv6 here; our listeners do not receive any (IPV6_V6ONLY).
//
// Threads: never changes once it is made; Guard publishes it.
// Memory: at most two intervals a prefix, of about 6.5 (IPv4) or 10.5 (IPv6) octets: two megabytes for a hundred
//         thousand.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/base/ip_address.h"
#include "core/guard/interval_map.h"
#include "core/limits.h"

namespace ntsd {

// What an operator wrote, in any order; prefixes may repeat and overlap.
struct AccessRules {
  std::vector<IpPrefix> allow;
  std::vector<IpPrefix> deny;
  std::vector<IpPrefix> exempt;
};

enum class Access : std::uint8_t { kDenied, kAllowed, kExempt };

class AccessList {
 public:
  explicit AccessList(const AccessRules& rules);

  // access[i] = what becomes of addresses[i]. At most kBatchSizeMax addresses.
  void LookUp(std::span<const IpAddress> addresses, std::span<Access> access) const;
  Access LookUp(const IpAddress& address) const;

  // How many intervals the prefixes make: what memory and time go by.
  std::size_t interval_count() const { return v4_.size() + v6_.size() + deep_starts_.size(); }

 private:
  // A /64 that holds longer prefixes: where its intervals stand among the deep ones.
  struct DeepNetwork {
    std::uint64_t upper_half;
    std::uint32_t first;
    std::uint32_t count;
  };
  // A value beside those of Access: the network is deep.
  static constexpr std::uint8_t kDeep = 0xFF;

  struct Builder;
  explicit AccessList(Builder&& builder);

  Access LookUpDeep(const IpAddress& address) const;

  IntervalMap<std::uint32_t> v4_;
  // By the upper halves of IPv6 addresses; networks are rarely longer than /64.
  IntervalMap<std::uint64_t> v6_;
  std::vector<DeepNetwork> deep_networks_;  // in the order of their upper halves
  std::vector<std::uint64_t> deep_starts_;  // lower halves
  std::vector<Access> deep_values_;
};

}  // namespace ntsd
