#include "core/guard/busy_clients.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>
#include <tuple>

namespace ntsd {
namespace {

constexpr std::chrono::seconds kHalfLife(60);
// A steady stream of r a second settles at r * half-life / ln 2.
constexpr double kPerSecond = std::numbers::ln2 / static_cast<double>(kHalfLife.count());

}  // namespace

BusyClients::BusyClients() : sets_(std::make_unique<Set[]>(kSetCount)) {}

void BusyClients::Entry::FadeTo(MonotonicTime now) {
  // Workers' clocks are read one after another; time does not run back here.
  if (now <= touched) return;
  const float age = std::chrono::duration<float>(now - touched) / kHalfLife;
  const float share = std::exp2(-age);
  requests *= share;
  refused *= share;
  overcount *= share;
  touched = now;
}

void BusyClients::Add(const IpAddress& source, PrefixLengths lengths, std::uint64_t hash, bool refused,
                      MonotonicTime now) {
  empty_ = false;
  Set& set = sets_[hash % kSetCount];
  // The bits that choose neither the set here nor the line of the rate limiter's table; never 0, which means empty.
  const std::uint32_t tag = static_cast<std::uint32_t>(hash >> 32) | 1;
  const auto own = std::find(set.tags.begin(), set.tags.end(), tag);
  if (own != set.tags.end()) {
    Published<Entry>& place = set.places[static_cast<std::size_t>(own - set.tags.begin())].entry;
    Entry entry = place.Read();
    entry.FadeTo(now);
    entry.requests += 1;
    entry.refused += refused ? 1.0F : 0.0F;
    place.Publish(entry);
    return;
  }

  std::size_t least = 0;
  Entry least_entry;
  for (std::size_t way = 0; way < kWayCount; ++way) {
    Entry entry = set.places[way].entry.Read();
    entry.FadeTo(now);
    if (way > 0 && entry.requests >= least_entry.requests) continue;
    least = way;
    least_entry = entry;
  }
  Entry entry;
  const auto words = PrefixMasks(lengths).Apply(source);
  std::memcpy(entry.octets.data(), words.data(), sizeof(entry.octets));
  entry.is_v4 = source.is_v4;
  entry.length = source.is_v4 ? lengths.v4 : lengths.v6;
  entry.requests = least_entry.requests + 1;
  entry.refused = refused ? 1.0F : 0.0F;
  entry.overcount = least_entry.requests;
  entry.touched = now;
  set.tags[least] = tag;
  set.places[least].entry.Publish(entry);
}

void BusyClients::Clear() {
  if (empty_) return;
  for (Set& set : std::span(sets_.get(), kSetCount)) {
    set.tags.fill(0);
    for (Place& place : set.places) place.entry.Publish(Entry{});
  }
  empty_ = true;
}

std::vector<BusyClient> MergeBusyClients(std::span<const BusyClients* const> tables, MonotonicTime now) {
  std::map<std::tuple<bool, std::array<std::uint8_t, 16>, std::uint8_t>, BusyClient> sums;
  for (const BusyClients* const table : tables) {
    for (const BusyClients::Set& set : std::span(table->sets_.get(), BusyClients::kSetCount)) {
      for (const BusyClients::Place& place : set.places) {
        BusyClients::Entry entry = place.entry.Read();
        if (entry.requests == 0) continue;
        entry.FadeTo(now);
        BusyClient& sum = sums[{entry.is_v4, entry.octets, entry.length}];
        sum.network = {{entry.octets, entry.is_v4}, entry.length};
        sum.requests_per_s += static_cast<double>(entry.requests) * kPerSecond;
        sum.refused_per_s += static_cast<double>(entry.refused) * kPerSecond;
        sum.overcount_per_s += static_cast<double>(entry.overcount) * kPerSecond;
      }
    }
  }
  std::vector<BusyClient> clients;
  clients.reserve(sums.size());
  for (const auto& [key, client] : sums) clients.push_back(client);
  std::stable_sort(clients.begin(), clients.end(),
                   [](const BusyClient& a, const BusyClient& b) { return a.requests_per_s > b.requests_per_s; });
  return clients;
}

}  // namespace ntsd
