#include "ke/prefix_connections.h"

#include <algorithm>

#include "core/base/bytes.h"

namespace ntsd::ke {

namespace {

// A strong mixture of 64 bits (the finaliser of MurmurHash3); with a secret key in front nobody can aim at a cell.
std::uint64_t Mix(std::uint64_t value) {
  value ^= value >> 33;
  value *= 0xFF51AFD7ED558CCD;
  value ^= value >> 33;
  value *= 0xC4CEB9FE1A85EC53;
  return value ^ value >> 33;
}

std::uint64_t KeepFirstBits(std::uint64_t word, unsigned bits) {
  if (bits == 0) return 0;
  return bits >= 64 ? word : word & ~(~std::uint64_t{0} >> bits);
}

}  // namespace

PrefixConnections::PrefixConnections(std::uint8_t prefix_v4, std::uint8_t prefix_v6, Random& random)
    : prefix_v4_(prefix_v4),
      prefix_v6_(prefix_v6),
      key_{random.NextU64(), random.NextU64()},
      cells_(2 * kCellsPerRow) {}

PrefixConnections::Cells PrefixConnections::Find(const IpAddress& peer) {
  ByteReader reader(peer.octets);
  const unsigned bits = peer.is_v4 ? prefix_v4_ : prefix_v6_;
  const std::uint64_t high = KeepFirstBits(reader.ReadU64(), bits);
  const std::uint64_t low = KeepFirstBits(reader.ReadU64(), bits > 64 ? bits - 64 : 0);
  const std::uint64_t hash = Mix(Mix(Mix(high ^ key_[0]) + low + (peer.is_v4 ? 1 : 0)) ^ key_[1]);
  return {&cells_[hash % kCellsPerRow], &cells_[kCellsPerRow + (hash >> 32) % kCellsPerRow]};
}

bool PrefixConnections::Enter(const IpAddress& peer, std::size_t limit) {
  const Cells cells = Find(peer);
  const std::uint32_t first = cells.first->fetch_add(1, std::memory_order_relaxed);
  const std::uint32_t second = cells.second->fetch_add(1, std::memory_order_relaxed);
  if (std::min(first, second) < limit) return true;
  Leave(peer);
  return false;
}

void PrefixConnections::Leave(const IpAddress& peer) {
  const Cells cells = Find(peer);
  cells.first->fetch_sub(1, std::memory_order_relaxed);
  cells.second->fetch_sub(1, std::memory_order_relaxed);
}

}  // namespace ntsd::ke
