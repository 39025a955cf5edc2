// How many connections there are, in all and for each prefix, and whether one more may come in.
//
// Prefixes are counted in fixed memory, however many there are: each in two cells, chosen by a keyed hash, and its
// count is the smaller one. Prefixes that share a cell look larger than they are, but only one that shares both with
// large ones is ever wronged, and nobody who does not know the key can arrange that.
//
// Threads: any number at once. Every cell is a count of its own, compared with its own bound alone, so relaxed order
// suffices; workers that come at the same moment never pass a bound together, but may both be turned away at it.
// Memory: 256 KiB, allocated at construction.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/base/ip_address.h"
#include "core/base/random.h"
#include "core/guard/prefix_hash.h"
#include "ke/ending.h"
#include "ke/settings.h"

namespace ntsd::ke {

class Occupancy {
 public:
  Occupancy(const std::vector<Settings>& services, PrefixLengths prefixes, Random& random);

  // Counts one connection more, unless that would pass a bound: then it says how the connection ends.
  std::optional<ConnectionEnd> Enter(std::size_t service, const IpAddress& peer);
  // One that has entered has gone.
  void Leave(std::size_t service, const IpAddress& peer);
  bool IsFull(std::size_t service) const;
  std::size_t Active() const;

  // The connections that pools keep open. Asking and counting are apart: several workers may pass the bound by one
  // each.
  bool HasRoomToKeep(std::size_t service) const;
  void Keep(std::size_t service) { services_[service].kept.fetch_add(1, std::memory_order_relaxed); }
  void StopKeeping(std::size_t service) { services_[service].kept.fetch_sub(1, std::memory_order_relaxed); }

 private:
  static constexpr std::size_t kCellsPerRow = std::size_t{1} << 15;
  using Cell = std::atomic<std::uint32_t>;
  struct Service {
    std::size_t active_max = 0;
    std::size_t prefix_max = 0;
    std::size_t kept_max = 0;
    std::atomic<std::size_t> active{0};
    std::atomic<std::size_t> kept{0};
  };
  struct Cells {
    Cell& first;
    Cell& second;
  };
  Cells CellsOf(const IpAddress& peer);

  PrefixMasks masks_;
  PrefixHash hash_;
  std::vector<Service> services_;
  std::vector<Cell> cells_;
};

}  // namespace ntsd::ke
