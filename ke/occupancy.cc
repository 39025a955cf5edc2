#include "ke/occupancy.h"

#include <algorithm>

namespace ntsd::ke {

Occupancy::Occupancy(const std::vector<Settings>& services, PrefixLengths prefixes, Random& random)
    : masks_(prefixes), hash_(random), services_(services.size()), cells_(2 * kCellsPerRow) {
  for (std::size_t i = 0; i < services.size(); ++i) {
    services_[i].active_max = services[i].max_connections;
    services_[i].prefix_max = services[i].max_connections_per_prefix;
    services_[i].kept_max = services[i].max_kept_alive;
  }
}

Occupancy::Cells Occupancy::CellsOf(const IpAddress& peer) {
  const std::uint64_t hash = hash_(peer, masks_);
  return {cells_[hash % kCellsPerRow], cells_[kCellsPerRow + (hash >> 32) % kCellsPerRow]};
}

std::optional<ConnectionEnd> Occupancy::Enter(std::size_t service, const IpAddress& peer) {
  Service& entered = services_[service];
  const Cells cells = CellsOf(peer);
  const std::size_t active = entered.active.fetch_add(1, std::memory_order_relaxed);
  const std::uint32_t first = cells.first.fetch_add(1, std::memory_order_relaxed);
  const std::uint32_t second = cells.second.fetch_add(1, std::memory_order_relaxed);
  if (active >= entered.active_max) {
    Leave(service, peer);
    return ConnectionEnd::kTableFull;
  }
  if (std::min(first, second) >= entered.prefix_max) {
    Leave(service, peer);
    return ConnectionEnd::kPrefixFull;
  }
  return std::nullopt;
}

void Occupancy::Leave(std::size_t service, const IpAddress& peer) {
  const Cells cells = CellsOf(peer);
  services_[service].active.fetch_sub(1, std::memory_order_relaxed);
  cells.first.fetch_sub(1, std::memory_order_relaxed);
  cells.second.fetch_sub(1, std::memory_order_relaxed);
}

bool Occupancy::IsFull(std::size_t service) const {
  return services_[service].active.load(std::memory_order_relaxed) >= services_[service].active_max;
}

std::size_t Occupancy::Active() const {
  std::size_t sum = 0;
  for (const Service& service : services_) sum += service.active.load(std::memory_order_relaxed);
  return sum;
}

bool Occupancy::HasRoomToKeep(std::size_t service) const {
  return services_[service].kept.load(std::memory_order_relaxed) < services_[service].kept_max;
}

}  // namespace ntsd::ke
