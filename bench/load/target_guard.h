// Keeps load away from servers of other people.
//
// Without --i-own-this-server only two kinds of targets are taken: addresses of this machine itself, which no packet
// has to leave; and neighbours at the other end of a veth pair in a network that leads nowhere, which is what a script
// makes for a test: no route of it has a gateway.
//
// Threads: main's. Errors: one line that says why the target is refused and what to do.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/base/expected.h"
#include "core/base/ip_address.h"

namespace ntsd::load {

// What the kernel says about the way to a target, and about the network around us.
struct RouteFacts {
  bool is_local = false;         // the address is one of this machine's
  bool has_gateway = false;      // the way there
  std::string device;            // by which packets leave
  std::string device_kind;       // "veth", "bridge" …; empty for hardware
  bool leads_elsewhere = false;  // some route of this network has a gateway
};

// Nothing: it may be loaded. Otherwise why not.
std::optional<std::string> JudgeTarget(const IpAddress& target, const RouteFacts& facts);

// Asks the kernel (rtnetlink).
Expected<RouteFacts, std::string> AskForRoute(const IpAddress& target);

// Both together; an empty text: go on.
std::string GuardTarget(const IpAddress& target, bool is_own);

}  // namespace ntsd::load
