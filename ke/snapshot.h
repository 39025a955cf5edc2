// What the front end has counted since its start: for metrics and status.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "core/crypto/aead.h"
#include "ke/ending.h"

namespace ntsd::ke {

// Upper bounds in seconds of the buckets; a last one has no bound.
inline constexpr std::array<double, 12> kSecondsBounds{0.001, 0.002, 0.005, 0.01, 0.02, 0.05,
                                                       0.1,   0.2,   0.5,   1.0,  2.0,  5.0};

inline constexpr std::array<AeadId, 3> kAeads{AeadId::kAesSivCmac256, AeadId::kAesSivCmac512, AeadId::kAes128GcmSiv};

struct Snapshot {
  std::array<std::uint64_t, kConnectionEndCount> ends{};  // by ConnectionEnd; refused connections included
  std::array<std::uint64_t, kAeads.size()> aeads{};       // cookies given, by kAeads; requests of pools included
  std::uint64_t pool_answers = 0;                         // on connections that were kept alive
  std::uint64_t accept_failures = 0;                      // times when no descriptor or memory was left for a client
  std::uint64_t active = 0;                               // connections now
  // From accept to the answer, of connections that got one: not cumulative.
  std::array<std::uint64_t, kSecondsBounds.size() + 1> seconds_buckets{};
  double seconds_sum = 0;
  double cpu_seconds = 0;  // of all workers
};

}  // namespace ntsd::ke
