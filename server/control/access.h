// Who may do what over the control socket, by what the kernel says of the peer.
//
// Threads: a function of its arguments. Errors: none.
#pragma once

#include <sys/types.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

namespace ntsd {

enum class ControlAccess : std::uint8_t { kNone, kRead, kChange };

struct PeerIdentity {
  uid_t uid = 0;
  std::vector<gid_t> groups;  // the primary one and all others
};

// Root and the user that the service runs as may change things; members of `group` may read.
inline ControlAccess AccessOf(const PeerIdentity& peer, uid_t own_uid, std::optional<gid_t> group) {
  if (peer.uid == 0 || peer.uid == own_uid) return ControlAccess::kChange;
  const bool is_member = group && std::find(peer.groups.begin(), peer.groups.end(), *group) != peer.groups.end();
  return is_member ? ControlAccess::kRead : ControlAccess::kNone;
}

}  // namespace ntsd
