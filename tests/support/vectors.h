// Worked packets, keys and cookies (tests/vectors/nts.json), checked with an independent library when they were made.
#pragma once

#include <cstdint>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/base/check.h"
#include "tests/support/hex.h"

namespace ntsd::testing {

inline const nlohmann::json& Vectors() {
  static const nlohmann::json vectors = [] {
    std::ifstream file(NTSD_TEST_VECTORS "/nts.json");
    CHECK(file.good());
    return nlohmann::json::parse(file);
  }();
  return vectors;
}

inline std::vector<std::uint8_t> Vector(const std::string& name) {
  return FromHex(Vectors().at(name).get<std::string>());
}

}  // namespace ntsd::testing
