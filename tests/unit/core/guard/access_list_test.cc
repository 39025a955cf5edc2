#include "core/guard/access_list.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

#include "tests/support/fakes.h"

namespace ntsd {
namespace {

using testing::FakeRandom;

std::vector<IpPrefix> Prefixes(const std::vector<std::string>& texts) {
  std::vector<IpPrefix> prefixes;
  for (const std::string& text : texts) prefixes.push_back(IpPrefix::Parse(text).value());
  return prefixes;
}

AccessList MakeList(const std::vector<std::string>& allow, const std::vector<std::string>& deny,
                    const std::vector<std::string>& exempt = {}) {
  return AccessList({Prefixes(allow), Prefixes(deny), Prefixes(exempt)});
}

Access LookUp(const AccessList& list, const std::string& address) {
  return list.LookUp(IpAddress::Parse(address).value());
}

// The rule as the header states it, word for word and slow.
Access ByTheRule(const AccessRules& rules, const IpAddress& address) {
  const auto longest = [&address](const std::vector<IpPrefix>& prefixes) {
    int length = -1;
    for (const IpPrefix& prefix : prefixes) {
      if (prefix.Contains(address)) length = std::max(length, static_cast<int>(prefix.length));
    }
    return length;
  };
  if (longest(rules.deny) >= longest(rules.allow)) return Access::kDenied;
  return longest(rules.exempt) >= 0 ? Access::kExempt : Access::kAllowed;
}

TEST(AccessList, TheDefaultAllowsEverybody) {
  const AccessList list = MakeList({"0.0.0.0/0", "::/0"}, {});
  for (const char* address :
       {"0.0.0.0", "192.0.2.1", "255.255.255.255", "::", "2001:db8::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}) {
    EXPECT_EQ(LookUp(list, address), Access::kAllowed) << address;
  }
}

TEST(AccessList, WhatNoPrefixHoldsIsDenied) {
  const AccessList nothing = MakeList({}, {});
  EXPECT_EQ(LookUp(nothing, "192.0.2.1"), Access::kDenied);
  EXPECT_EQ(LookUp(nothing, "2001:db8::1"), Access::kDenied);
  const AccessList v4_only = MakeList({"0.0.0.0/0"}, {});
  EXPECT_EQ(LookUp(v4_only, "192.0.2.1"), Access::kAllowed);
  EXPECT_EQ(LookUp(v4_only, "2001:db8::1"), Access::kDenied);
  EXPECT_EQ(LookUp(v4_only, "::ffff:192.0.2.1"), Access::kDenied);
}

TEST(AccessList, TheLongestPrefixWinsWhicheverListItIsIn) {
  const AccessList list = MakeList({"0.0.0.0/0", "10.1.0.0/16", "10.1.2.3/32"}, {"10.0.0.0/8", "10.1.2.0/24"});
  EXPECT_EQ(LookUp(list, "9.255.255.255"), Access::kAllowed);
  EXPECT_EQ(LookUp(list, "10.0.0.0"), Access::kDenied);
  EXPECT_EQ(LookUp(list, "10.0.255.255"), Access::kDenied);
  EXPECT_EQ(LookUp(list, "10.1.0.0"), Access::kAllowed);
  EXPECT_EQ(LookUp(list, "10.1.1.255"), Access::kAllowed);
  EXPECT_EQ(LookUp(list, "10.1.2.0"), Access::kDenied);
  EXPECT_EQ(LookUp(list, "10.1.2.2"), Access::kDenied);
  EXPECT_EQ(LookUp(list, "10.1.2.3"), Access::kAllowed);
  EXPECT_EQ(LookUp(list, "10.1.2.4"), Access::kDenied);
  EXPECT_EQ(LookUp(list, "10.1.3.0"), Access::kAllowed);
  EXPECT_EQ(LookUp(list, "10.1.255.255"), Access::kAllowed);
  EXPECT_EQ(LookUp(list, "10.2.0.0"), Access::kDenied);
  EXPECT_EQ(LookUp(list, "11.0.0.0"), Access::kAllowed);
}

TEST(AccessList, DenyWinsATie) {
  const AccessList list = MakeList({"0.0.0.0/0", "192.0.2.0/24", "2001:db8::/32"}, {"192.0.2.0/24", "2001:db8::/32"});
  EXPECT_EQ(LookUp(list, "192.0.2.77"), Access::kDenied);
  EXPECT_EQ(LookUp(list, "2001:db8::1"), Access::kDenied);
  EXPECT_EQ(LookUp(MakeList({"0.0.0.0/0"}, {"0.0.0.0/0"}), "192.0.2.77"), Access::kDenied);
}

TEST(AccessList, ExemptSparesTheLimitButDoesNotLetAnybodyIn) {
  const AccessList list = MakeList({"0.0.0.0/0", "10.0.0.1/32"}, {"10.0.0.0/8"}, {"10.0.0.0/30", "192.0.2.0/24"});
  EXPECT_EQ(LookUp(list, "10.0.0.1"), Access::kExempt);
  EXPECT_EQ(LookUp(list, "10.0.0.2"), Access::kDenied);
  EXPECT_EQ(LookUp(list, "192.0.2.9"), Access::kExempt);
  EXPECT_EQ(LookUp(list, "192.0.3.9"), Access::kAllowed);
}

TEST(AccessList, SeesInsideASlash64) {
  const AccessList list = MakeList({"::/0", "2001:db8:0:2::/127"}, {"2001:db8:0:1::5/128", "2001:db8:0:2::/96"});
  EXPECT_EQ(LookUp(list, "2001:db8:0:1::4"), Access::kAllowed);
  EXPECT_EQ(LookUp(list, "2001:db8:0:1::5"), Access::kDenied);
  EXPECT_EQ(LookUp(list, "2001:db8:0:1::6"), Access::kAllowed);
  EXPECT_EQ(LookUp(list, "2001:db8:0:1:ffff:ffff:ffff:ffff"), Access::kAllowed);
  EXPECT_EQ(LookUp(list, "2001:db8:0:2::"), Access::kAllowed);
  EXPECT_EQ(LookUp(list, "2001:db8:0:2::1"), Access::kAllowed);
  EXPECT_EQ(LookUp(list, "2001:db8:0:2::2"), Access::kDenied);
  EXPECT_EQ(LookUp(list, "2001:db8:0:2::ffff:ffff"), Access::kDenied);
  EXPECT_EQ(LookUp(list, "2001:db8:0:2:0:1::"), Access::kAllowed);
  EXPECT_EQ(LookUp(list, "2001:db8:0:3::"), Access::kAllowed);
}

TEST(AccessList, DecidesAtBothEndsOfTheAddressSpace) {
  const AccessList list = MakeList({"0.0.0.0/0", "::/0"}, {"0.0.0.0/32", "255.255.255.255/32", "::/128",
                                                           "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128"});
  EXPECT_EQ(LookUp(list, "0.0.0.0"), Access::kDenied);
  EXPECT_EQ(LookUp(list, "0.0.0.1"), Access::kAllowed);
  EXPECT_EQ(LookUp(list, "255.255.255.254"), Access::kAllowed);
  EXPECT_EQ(LookUp(list, "255.255.255.255"), Access::kDenied);
  EXPECT_EQ(LookUp(list, "::"), Access::kDenied);
  EXPECT_EQ(LookUp(list, "::1"), Access::kAllowed);
  EXPECT_EQ(LookUp(list, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe"), Access::kAllowed);
  EXPECT_EQ(LookUp(list, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), Access::kDenied);
}

// Addresses of a small corner of the space, so that random prefixes nest, touch and repeat.
class CornerOfTheSpace {
 public:
  CornerOfTheSpace(std::uint64_t seed, bool is_v4) : random_(seed), is_v4_(is_v4) {}

  IpAddress Address() {
    const bool at_the_end = Low() < 64;
    if (is_v4_) return IpAddress::V4(at_the_end ? 0xFFFF'FFFF - Low() : 0xC000'0200 + Low());
    if (at_the_end) {
      IpAddress address = IpAddress::Parse("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ff00").value();
      address.octets[15] = static_cast<std::uint8_t>(Low());
      return address;
    }
    IpAddress address = IpAddress::Parse("2001:db8::").value();
    address.octets[7] = static_cast<std::uint8_t>(Low() & 3);  // networks side by side
    address.octets[8] = static_cast<std::uint8_t>(Low());
    address.octets[15] = static_cast<std::uint8_t>(Low());
    return address;
  }
  IpPrefix Prefix() {
    IpPrefix prefix{Address(), 0};
    const std::size_t width = prefix.address.size() * 8;
    const bool any_length = random_.Below(4) == 0;
    prefix.length =
        static_cast<std::uint8_t>(any_length ? random_.Below(width + 1) : width - random_.Below(is_v4_ ? 9 : 70));
    for (std::size_t bit = prefix.length; bit < width; ++bit) {
      prefix.address.octets[bit / 8] &= static_cast<std::uint8_t>(~(0x80 >> bit % 8));
    }
    return prefix;
  }
  std::vector<IpPrefix> Prefixes(std::size_t count_max) {
    std::vector<IpPrefix> prefixes(random_.Below(count_max + 1));
    std::generate(prefixes.begin(), prefixes.end(), [this] { return Prefix(); });
    return prefixes;
  }

 private:
  std::uint32_t Low() { return static_cast<std::uint32_t>(random_.Below(256)); }

  FakeRandom random_;
  bool is_v4_;
};

// The address, the next one and the one before.
std::vector<IpAddress> Neighbourhood(const IpAddress& address) {
  std::vector<IpAddress> addresses{address};
  for (const int step : {1, -1}) {
    IpAddress next = address;
    for (std::size_t i = next.size(); i-- > 0;) {
      next.octets[i] = static_cast<std::uint8_t>(next.octets[i] + step);
      if (next.octets[i] != (step == 1 ? 0x00 : 0xFF)) break;
    }
    addresses.push_back(next);
  }
  return addresses;
}

TEST(AccessList, AgreesWithTheRuleForRandomLists) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    CornerOfTheSpace corner(seed, seed % 2 == 0);
    const AccessRules rules{corner.Prefixes(30), corner.Prefixes(30), corner.Prefixes(5)};
    const AccessList list(rules);
    std::vector<IpAddress> addresses;
    for (const auto* prefixes : {&rules.allow, &rules.deny, &rules.exempt}) {
      for (const IpPrefix& prefix : *prefixes) {
        for (const IpAddress& address : Neighbourhood(prefix.address)) addresses.push_back(address);
      }
    }
    for (int i = 0; i < 100; ++i) addresses.push_back(corner.Address());
    for (const IpAddress& address : addresses) {
      ASSERT_EQ(list.LookUp(address), ByTheRule(rules, address)) << "seed " << seed << ", " << address.ToString();
    }
  }
}

// Prefixes that crowd ever closer together, at every distance from one another: what makes slots within slots.
TEST(AccessList, AgreesWithTheRuleInCrowdsWithinCrowds) {
  for (const bool is_v4 : {true, false}) {
    FakeRandom random(is_v4 ? 4 : 6);
    const std::size_t bits = is_v4 ? 32 : 64;
    AccessRules rules{Prefixes({"0.0.0.0/0", "::/0"}), {}, {}};
    std::vector<IpAddress> addresses;
    for (int i = 0; i < 400; ++i) {
      // As many leading bits alike as chance has it, so that half of the prefixes stand in half of the room, and so on.
      std::uint64_t word = random.Next() >> random.Below(bits);
      if (i % 3 == 0) word = ~word;
      IpAddress address;
      address.is_v4 = is_v4;
      for (std::size_t octet = 0; octet < bits / 8; ++octet) {
        address.octets[octet] = static_cast<std::uint8_t>(word >> (8 * (octet + (is_v4 ? 4 : 0))));
      }
      std::reverse(address.octets.begin(), address.octets.begin() + static_cast<std::ptrdiff_t>(bits / 8));
      rules.deny.push_back({address, static_cast<std::uint8_t>(bits)});
      for (const IpAddress& next : Neighbourhood(address)) addresses.push_back(next);
    }
    const AccessList list(rules);
    EXPECT_GT(list.interval_count(), 400U);
    for (const IpAddress& address : addresses) {
      ASSERT_EQ(list.LookUp(address), ByTheRule(rules, address)) << address.ToString();
    }
  }
}

TEST(AccessList, ABatchOfMixedFamiliesGivesWhatSingleLookUpsGive) {
  CornerOfTheSpace v4(1, true);
  CornerOfTheSpace v6(2, false);
  AccessRules rules{v4.Prefixes(500), v6.Prefixes(500), {}};
  for (const IpPrefix& prefix : v6.Prefixes(500)) rules.allow.push_back(prefix);
  const AccessList list(rules);
  for (std::size_t size = 0; size <= kBatchSizeMax; ++size) {
    std::vector<IpAddress> addresses(size);
    for (std::size_t i = 0; i < size; ++i) addresses[i] = i % 3 == 0 ? v4.Address() : v6.Address();
    std::vector<Access> access(size);
    list.LookUp(addresses, access);
    for (std::size_t i = 0; i < size; ++i) ASSERT_EQ(access[i], list.LookUp(addresses[i])) << size;
  }
}

TEST(AccessList, AHundredThousandPrefixesTakeAtMostTwoIntervalsEach) {
  FakeRandom random(7);
  AccessRules rules{Prefixes({"0.0.0.0/0", "::/0"}), {}, {}};
  std::set<std::uint32_t> denied;
  while (denied.size() < 50'000) {
    const auto host = static_cast<std::uint32_t>(random.Next());
    if (!denied.insert(host).second) continue;
    rules.deny.push_back({IpAddress::V4(host), 32});
    IpPrefix network{IpAddress::Parse("2001:db8::").value(), 48};
    for (const std::size_t i : {2U, 3U, 4U, 5U}) network.address.octets[i] = static_cast<std::uint8_t>(random.Next());
    rules.deny.push_back(network);
  }
  const AccessList list(rules);
  EXPECT_LE(list.interval_count(), 2 * rules.deny.size() + 2);
  for (const IpPrefix& prefix : rules.deny) ASSERT_EQ(list.LookUp(prefix.address), Access::kDenied);
  for (int i = 0; i < 10'000; ++i) {
    const auto host = static_cast<std::uint32_t>(random.Next());
    ASSERT_EQ(list.LookUp(IpAddress::V4(host)) == Access::kDenied, denied.contains(host));
  }
}

}  // namespace
}  // namespace ntsd
