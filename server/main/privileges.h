// Limits, and the user that the service runs as.
//
// Threads: main's, before there are others. Errors: one line for the operator.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "core/base/expected.h"

namespace ntsd {

struct ServiceUser {
  std::string name;
  uid_t uid = 0;
  gid_t gid = 0;
};

// The user to become: nothing when we are not root or `name` is empty, since then we stay who we are.
Expected<std::optional<ServiceUser>, std::string> FindServiceUser(const std::string& name);

// As many descriptors as we may have, as much locked memory as keys need (while we may raise that), no core dumps.
void SetLimits();

// Gives up root for good: groups, user, and every way back.
Expected<void, std::string> BecomeUser(const ServiceUser& user);
// No program that we run can get more than we have, and no debugger may read our keys. To change the user would undo
// the latter.
void ForbidNewPrivileges();

}  // namespace ntsd
