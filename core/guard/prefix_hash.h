// A keyed hash of the network that an address belongs to: who shares a bucket, and where the bucket stands.
//
// Threads: never changes once it is made.
// Strength: the key is secret and random, so nobody outside can choose addresses that meet in one place. Any two
// networks have the same hash with probability 2^-64 over the key (multilinear hashing modulo 2^128, upper half); the
// last steps are a permutation, which keeps that and makes neighbouring networks independent for all practical needs.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "core/base/check.h"
#include "core/base/ip_address.h"
#include "core/base/random.h"

namespace ntsd {

// How many leading bits of an address name the one who is counted.
struct PrefixLengths {
  std::uint8_t v4 = 32;
  std::uint8_t v6 = 64;

  friend bool operator==(const PrefixLengths&, const PrefixLengths&) = default;
};

// The same lengths as masks, so that no address costs a branch.
class PrefixMasks {
 public:
  explicit PrefixMasks(PrefixLengths lengths) : masks_{MakeMask(lengths.v6), MakeMask(lengths.v4)} {
    CHECK(lengths.v4 <= 32 && lengths.v6 <= 128);
  }

  // The octets that are left of an address, as two words in memory order.
  std::array<std::uint64_t, 2> Apply(const IpAddress& address) const {
    std::array<std::uint64_t, 2> words;
    std::memcpy(words.data(), address.octets.data(), sizeof(words));
    const auto& mask = masks_[address.is_v4 ? 1 : 0];
    return {words[0] & mask[0], words[1] & mask[1]};
  }

 private:
  static std::array<std::uint64_t, 2> MakeMask(std::size_t length) {
    std::array<std::uint8_t, 16> octets{};
    for (std::size_t bit = 0; bit < length; ++bit) octets[bit / 8] |= static_cast<std::uint8_t>(0x80 >> bit % 8);
    std::array<std::uint64_t, 2> words;
    std::memcpy(words.data(), octets.data(), sizeof(words));
    return words;
  }

  std::array<std::array<std::uint64_t, 2>, 2> masks_;  // IPv6, IPv4
};

class PrefixHash {
 public:
  explicit PrefixHash(Random& random) {
    for (Wide* const key : {&offset_[0], &offset_[1], &upper_, &lower_}) {
      *key = Wide{random.NextU64()} << 64;
      *key |= random.NextU64();
    }
  }

  std::uint64_t operator()(const IpAddress& address, const PrefixMasks& masks) const {
    const auto [upper, lower] = masks.Apply(address);
    const Wide sum = offset_[address.is_v4 ? 1 : 0] + upper_ * upper + lower_ * lower;
    return Permute(static_cast<std::uint64_t>(sum >> 64));
  }

 private:
  __extension__ using Wide = unsigned __int128;

  // The finishing steps of MurmurHash3, a published bijection of 64-bit words.
  static std::uint64_t Permute(std::uint64_t word) {
    word = (word ^ word >> 33) * 0xFF51'AFD7'ED55'8CCD;
    word = (word ^ word >> 33) * 0xC4CE'B9FE'1A85'EC53;
    return word ^ word >> 33;
  }

  std::array<Wide, 2> offset_;  // one a family: equal octets of IPv4 and IPv6 are different networks
  Wide upper_;
  Wide lower_;
};

}  // namespace ntsd
