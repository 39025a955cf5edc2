#include "core/guard/access_list.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <utility>

#include "core/base/check.h"

namespace ntsd {
namespace {

__extension__ using Uint128 = unsigned __int128;

// In this order when they name the same prefix: deny overrules allow, exempt stands beside both.
enum class RuleKind : std::uint8_t { kAllow, kDeny, kExempt };

struct Rule {
  Uint128 first;
  Uint128 last;
  RuleKind kind;
};

// What the rules around a point of the address space say together.
struct Standing {
  bool allowed = false;
  bool exempt = false;

  Access ToAccess() const {
    if (!allowed) return Access::kDenied;
    return exempt ? Access::kExempt : Access::kAllowed;
  }
};

struct Interval {
  Uint128 start;
  Access access;
};

// Eight octets in network order as a number: one load and one swap, where ByteReader takes twenty instructions.
std::uint64_t LoadHalf(const std::uint8_t* octets) {
  std::uint64_t word;
  std::memcpy(&word, octets, sizeof(word));
  return std::endian::native == std::endian::little ? __builtin_bswap64(word) : word;
}
std::uint64_t UpperHalf(const IpAddress& address) { return LoadHalf(address.octets.data()); }
std::uint64_t LowerHalf(const IpAddress& address) { return LoadHalf(address.octets.data() + 8); }
std::uint32_t V4Key(const IpAddress& address) { return static_cast<std::uint32_t>(UpperHalf(address) >> 32); }

Uint128 KeyMax(bool is_v4) { return is_v4 ? Uint128{0xFFFF'FFFF} : ~Uint128{0}; }

Uint128 ToKey(const IpAddress& address) {
  if (address.is_v4) return V4Key(address);
  return Uint128{UpperHalf(address)} << 64 | LowerHalf(address);
}

void AppendRules(std::span<const IpPrefix> prefixes, bool is_v4, RuleKind kind, std::vector<Rule>& rules) {
  for (const IpPrefix& prefix : prefixes) {
    if (prefix.address.is_v4 != is_v4) continue;
    const Uint128 first = ToKey(prefix.address);
    // A whole address is one key; shifting by the whole width would be undefined.
    const Uint128 span = prefix.length == prefix.address.size() * 8 ? 0 : KeyMax(is_v4) >> prefix.length;
    rules.push_back({first, first | span, kind});
  }
}

// All rules of one family, each prefix after those that hold it.
std::vector<Rule> NestedRules(const AccessRules& access, bool is_v4) {
  std::vector<Rule> rules;
  AppendRules(access.allow, is_v4, RuleKind::kAllow, rules);
  AppendRules(access.deny, is_v4, RuleKind::kDeny, rules);
  AppendRules(access.exempt, is_v4, RuleKind::kExempt, rules);
  std::sort(rules.begin(), rules.end(), [](const Rule& a, const Rule& b) {
    if (a.first != b.first) return a.first < b.first;
    if (a.last != b.last) return a.last > b.last;
    return a.kind < b.kind;
  });
  return rules;
}

Standing Apply(Standing outer, RuleKind kind) {
  switch (kind) {
    case RuleKind::kAllow:
      outer.allowed = true;
      break;
    case RuleKind::kDeny:
      outer.allowed = false;
      break;
    case RuleKind::kExempt:
      outer.exempt = true;
      break;
  }
  return outer;
}

// Walks the address space from its first address to its last, with the prefixes around the current point on a stack.
class Sweep {
 public:
  explicit Sweep(Uint128 key_max) : key_max_(key_max) {
    open_.push_back({key_max, {}});
    intervals_.push_back({0, Access::kDenied});
  }

  void Open(const Rule& rule) {
    while (open_.back().last < rule.first) Close();
    open_.push_back({rule.last, Apply(open_.back().standing, rule.kind)});
    Begin(rule.first);
  }

  std::vector<Interval> Finish() {
    while (open_.size() > 1) Close();
    return std::move(intervals_);
  }

 private:
  struct OpenPrefix {
    Uint128 last;
    Standing standing;
  };

  void Close() {
    const Uint128 last = open_.back().last;
    open_.pop_back();
    if (last != key_max_) Begin(last + 1);
  }

  // From `start` on, the innermost open prefix decides. The last word about a start wins, and neighbours that say the
  // same become one interval.
  void Begin(Uint128 start) {
    const Access access = open_.back().standing.ToAccess();
    if (intervals_.back().start == start) {
      intervals_.back().access = access;
      if (intervals_.size() > 1 && intervals_[intervals_.size() - 2].access == access) intervals_.pop_back();
    } else if (intervals_.back().access != access) {
      intervals_.push_back({start, access});
    }
  }

  Uint128 key_max_;
  std::vector<OpenPrefix> open_;
  std::vector<Interval> intervals_;
};

std::vector<Interval> MakeIntervals(const AccessRules& access, bool is_v4) {
  Sweep sweep(KeyMax(is_v4));
  for (const Rule& rule : NestedRules(access, is_v4)) sweep.Open(rule);
  return sweep.Finish();
}

}  // namespace

// The tables as plain columns, before the search trees are made of them.
struct AccessList::Builder {
  explicit Builder(const AccessRules& rules) {
    for (const Interval& interval : MakeIntervals(rules, true)) {
      v4_starts.push_back(static_cast<std::uint32_t>(interval.start));
      v4_values.push_back(static_cast<std::uint8_t>(interval.access));
    }
    const std::vector<Interval> intervals = MakeIntervals(rules, false);
    for (std::size_t i = 0; i < intervals.size();) i = AddNetwork(intervals, i);
  }

  // Takes the intervals that begin in the same /64 as number `i`. Returns the first one that does not.
  std::size_t AddNetwork(const std::vector<Interval>& intervals, std::size_t i) {
    const auto upper = static_cast<std::uint64_t>(intervals[i].start >> 64);
    std::size_t end = i;
    while (end < intervals.size() && static_cast<std::uint64_t>(intervals[end].start >> 64) == upper) ++end;
    const bool begins_whole = static_cast<std::uint64_t>(intervals[i].start) == 0;
    if (begins_whole && end == i + 1) {
      AddV6(upper, static_cast<std::uint8_t>(intervals[i].access));
      return end;
    }

    AddV6(upper, kDeep);
    const std::size_t first = deep_starts.size();
    if (!begins_whole) AddDeep(0, intervals[i - 1].access);
    for (; i < end; ++i) AddDeep(static_cast<std::uint64_t>(intervals[i].start), intervals[i].access);
    deep_networks.push_back(
        {upper, static_cast<std::uint32_t>(first), static_cast<std::uint32_t>(deep_starts.size() - first)});

    const bool next_begins_there = end < intervals.size() && intervals[end].start == Uint128{upper + 1} << 64;
    if (upper != ~std::uint64_t{0} && !next_begins_there) {
      // When that network is deep itself, what comes next replaces this.
      AddV6(upper + 1, static_cast<std::uint8_t>(intervals[end - 1].access));
    }
    return end;
  }

  void AddV6(std::uint64_t upper, std::uint8_t value) {
    if (!v6_starts.empty() && v6_starts.back() == upper) {
      v6_values.back() = value;
      return;
    }
    v6_starts.push_back(upper);
    v6_values.push_back(value);
  }
  void AddDeep(std::uint64_t lower, Access access) {
    deep_starts.push_back(lower);
    deep_values.push_back(access);
  }

  std::vector<std::uint32_t> v4_starts;
  std::vector<std::uint8_t> v4_values;
  std::vector<std::uint64_t> v6_starts;
  std::vector<std::uint8_t> v6_values;
  std::vector<DeepNetwork> deep_networks;
  std::vector<std::uint64_t> deep_starts;
  std::vector<Access> deep_values;
};

AccessList::AccessList(const AccessRules& rules) : AccessList(Builder(rules)) {}

AccessList::AccessList(Builder&& builder)
    : v4_(builder.v4_starts, builder.v4_values),
      v6_(builder.v6_starts, builder.v6_values),
      deep_networks_(std::move(builder.deep_networks)),
      deep_starts_(std::move(builder.deep_starts)),
      deep_values_(std::move(builder.deep_values)) {}

void AccessList::LookUp(std::span<const IpAddress> addresses, std::span<Access> access) const {
  CHECK(addresses.size() <= kBatchSizeMax && access.size() == addresses.size());
  // Each family's keys side by side, and where they came from.
  std::array<std::uint32_t, kBatchSizeMax> v4_keys;
  std::array<std::uint64_t, kBatchSizeMax> v6_keys;
  std::array<std::uint8_t, kBatchSizeMax> v4_origin;
  std::array<std::uint8_t, kBatchSizeMax> v6_origin;
  std::size_t v4_count = 0;
  std::size_t v6_count = 0;
  // Written to both, and kept in one: which family comes next cannot be foreseen.
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    const std::size_t is_v4 = addresses.data()[i].is_v4 ? 1 : 0;
    const std::uint64_t upper = UpperHalf(addresses.data()[i]);
    v4_keys[v4_count] = static_cast<std::uint32_t>(upper >> 32);
    v6_keys[v6_count] = upper;
    v4_origin[v4_count] = v6_origin[v6_count] = static_cast<std::uint8_t>(i);
    v4_count += is_v4;
    v6_count += 1 - is_v4;
  }

  std::array<std::uint8_t, kBatchSizeMax> values;
  v4_.Find(std::span(v4_keys).first(v4_count), std::span(values).first(v4_count));
  for (std::size_t i = 0; i < v4_count; ++i) access[v4_origin[i]] = static_cast<Access>(values[i]);
  v6_.Find(std::span(v6_keys).first(v6_count), std::span(values).first(v6_count));
  for (std::size_t i = 0; i < v6_count; ++i) {
    const std::size_t origin = v6_origin[i];
    access[origin] = values[i] == kDeep ? LookUpDeep(addresses[origin]) : static_cast<Access>(values[i]);
  }
}

Access AccessList::LookUp(const IpAddress& address) const {
  Access access;
  LookUp(std::span(&address, 1), std::span(&access, 1));
  return access;
}

// One by one: only the operator's own rules about single hosts make a network deep.
Access AccessList::LookUpDeep(const IpAddress& address) const {
  const std::uint64_t upper = UpperHalf(address);
  const auto network =
      std::partition_point(deep_networks_.begin(), deep_networks_.end(),
                           [upper](const DeepNetwork& candidate) { return candidate.upper_half < upper; });
  CHECK(network != deep_networks_.end() && network->upper_half == upper);
  const auto first = deep_starts_.begin() + network->first;
  // Never the first itself: every deep network begins with 0.
  const auto after = std::upper_bound(first, first + network->count, LowerHalf(address));
  return deep_values_[static_cast<std::size_t>(after - deep_starts_.begin()) - 1];
}

}  // namespace ntsd
