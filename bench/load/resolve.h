// Names to addresses.
//
// Threads: any; blocks. Errors: one line.
#pragma once

#include <string>

#include "core/base/expected.h"
#include "core/base/ip_address.h"

namespace ntsd::load {

enum class Family : std::uint8_t { kAny, kV4, kV6 };

// The first address of a name, in the order in which the system wants them tried.
Expected<IpEndpoint, std::string> Resolve(const std::string& host, std::uint16_t port, Family family);

}  // namespace ntsd::load
