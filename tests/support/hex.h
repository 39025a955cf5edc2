// Octets from and to hexadecimal text, for test vectors.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/check.h"

namespace ntsd::testing {

// White space is skipped; anything else that is not a hexadecimal digit is a mistake in the test.
inline std::vector<std::uint8_t> FromHex(std::string_view text) {
  std::vector<std::uint8_t> octets;
  int high = -1;
  for (const char c : text) {
    if (c == ' ' || c == '\n' || c == '\t') continue;
    const std::size_t digit =
        std::string_view("0123456789abcdef").find(c >= 'A' && c <= 'F' ? static_cast<char>(c + 32) : c);
    CHECK(digit != std::string_view::npos);
    if (high < 0) {
      high = static_cast<int>(digit);
    } else {
      octets.push_back(static_cast<std::uint8_t>(high * 16 + static_cast<int>(digit)));
      high = -1;
    }
  }
  CHECK(high < 0);
  return octets;
}

inline std::string ToHex(ByteView octets) {
  std::string text;
  for (const std::uint8_t octet : octets) {
    text += "0123456789abcdef"[octet >> 4];
    text += "0123456789abcdef"[octet & 15];
  }
  return text;
}

}  // namespace ntsd::testing
