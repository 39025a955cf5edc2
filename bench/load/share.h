// An evenly random number from 0 up to, but not including, 1.
#pragma once

#include "core/base/random.h"

namespace ntsd::load {

inline double RandomShare(Random& random) {
  constexpr double kUnit = 1.0 / 9007199254740992.0;  // 2^-53
  return static_cast<double>(random.NextU64() >> 11) * kUnit;
}

}  // namespace ntsd::load
