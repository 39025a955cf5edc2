// Words for octets of strangers, so that nothing they send reaches a terminal raw.
//
// Threads: functions of their arguments.
#pragma once

#include <string>
#include <string_view>

#include "core/base/bytes.h"

namespace ntsd::conformance {

// Hexadecimal digits of at most `size_max` octets, and how many there are in all when that is more.
std::string Hex(ByteView octets, std::size_t size_max = 32);
// Printable ASCII as it is, everything else as \xNN; long texts are cut.
std::string Printable(std::string_view text);
std::string Printable(ByteView octets);
// "1 octet", "5 octets".
std::string Count(std::size_t count, std::string_view noun);

}  // namespace ntsd::conformance
