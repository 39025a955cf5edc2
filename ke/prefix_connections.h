// How many connections each prefix has open, in fixed memory for any number of prefixes.
//
// A prefix is counted in two cells, each chosen by a keyed hash; its count is the smaller. Two prefixes may share a
// cell and look larger than they are, but only one that shares both with large ones is ever wronged, and nobody who
// does not know the key can arrange that.
//
// Threads: any number at once. The cells are independent counts; nothing else is read on the strength of one, so
// relaxed order suffices.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/base/ip_address.h"
#include "core/base/random.h"

namespace ntsd::ke {

class PrefixConnections {
 public:
  PrefixConnections(std::uint8_t prefix_v4, std::uint8_t prefix_v6, Random& random);

  // Counts one connection more, unless that would be more than `limit`.
  bool Enter(const IpAddress& peer, std::size_t limit);
  // One that has entered has gone.
  void Leave(const IpAddress& peer);

 private:
  static constexpr std::size_t kCellsPerRow = std::size_t{1} << 15;

  struct Cells {
    std::atomic<std::uint32_t>* first;
    std::atomic<std::uint32_t>* second;
  };
  Cells Find(const IpAddress& peer);

  std::uint8_t prefix_v4_;
  std::uint8_t prefix_v6_;
  std::uint64_t key_[2];
  std::vector<std::atomic<std::uint32_t>> cells_;
};

}  // namespace ntsd::ke
