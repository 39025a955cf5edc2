// The busiest networks with their rates, in bounded memory: what `ntsctl clients` lists. Off by default, because it
// keeps addresses.
//
// Space-saving counters: a network that is not in the table takes the place of the least busy of the eight that it may
// displace, and starts from that one's count, so a network that is truly busy cannot be missed for long, and no count
// is too low. `overcount` says how much of a figure may belong to those before. Counts fade with a half-life of a
// minute.
//
// Threads: Add() and Clear() by the owning worker; MergeBusyClients() by anyone at any time.
// Memory: 64 KiB a worker: 1,024 networks.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/base/ip_address.h"
#include "core/base/published.h"
#include "core/base/time.h"
#include "core/guard/prefix_hash.h"

namespace ntsd {

struct BusyClient {
  IpPrefix network;
  double requests_per_s = 0;  // over the last minute or so; not below the truth
  double refused_per_s = 0;   // of these: not served; not above the truth
  double overcount_per_s = 0;
};

class BusyClients {
 public:
  BusyClients();
  BusyClients(const BusyClients&) = delete;
  BusyClients& operator=(const BusyClients&) = delete;

  // Counts one request. `hash` is the PrefixHash of `source` under `lengths`.
  void Add(const IpAddress& source, PrefixLengths lengths, std::uint64_t hash, bool refused, MonotonicTime now);
  // Forgets every address. Costs next to nothing when there is none.
  void Clear();

 private:
  friend std::vector<BusyClient> MergeBusyClients(std::span<const BusyClients* const> tables, MonotonicTime now);

  static constexpr std::size_t kSetCount = 128;
  static constexpr std::size_t kWayCount = 8;

  struct Entry {
    std::array<std::uint8_t, 16> octets{};
    bool is_v4 = true;
    std::uint8_t length = 0;
    float requests = 0;  // faded to `touched`; 0 = the place is empty
    float refused = 0;
    float overcount = 0;
    MonotonicTime touched{};

    void FadeTo(MonotonicTime now);
  };
  struct Place {
    Published<Entry> entry{Entry{}};
  };
  struct Set {
    std::array<std::uint32_t, kWayCount> tags{};  // the worker's own way to find an entry
    std::array<Place, kWayCount> places;
  };

  std::unique_ptr<Set[]> sets_;
  bool empty_ = true;
};

// What all workers together count, busiest first.
std::vector<BusyClient> MergeBusyClients(std::span<const BusyClients* const> tables, MonotonicTime now);

}  // namespace ntsd
