#include "server/main/privileges.h"

#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace ntsd {
namespace {

constexpr rlim_t kLockedMemory = 64 << 20;

void Raise(__rlimit_resource resource, rlim_t wanted) {
  rlimit limit{};
  if (getrlimit(resource, &limit) != 0) return;
  limit.rlim_cur = std::max(limit.rlim_cur, std::min(wanted, limit.rlim_max));
  setrlimit(resource, &limit);
  if (limit.rlim_cur >= wanted || geteuid() != 0) return;
  limit.rlim_cur = limit.rlim_max = wanted;
  setrlimit(resource, &limit);
}

}  // namespace

Expected<std::optional<ServiceUser>, std::string> FindServiceUser(const std::string& name) {
  if (geteuid() != 0 || name.empty()) return std::optional<ServiceUser>();
  std::array<char, 16384> memory;
  passwd entry{};
  passwd* found = nullptr;
  getpwnam_r(name.c_str(), &entry, memory.data(), memory.size(), &found);
  if (found == nullptr) {
    return Unexpected("the user '" + name + "' (process.user) does not exist: create it with `useradd --system " +
                      name + "`, or name another one");
  }
  return std::optional(ServiceUser{name, entry.pw_uid, entry.pw_gid});
}

void SetLimits() {
  rlimit descriptors{};
  if (getrlimit(RLIMIT_NOFILE, &descriptors) == 0) Raise(RLIMIT_NOFILE, descriptors.rlim_max);
  Raise(RLIMIT_MEMLOCK, kLockedMemory);
  const rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
}

Expected<void, std::string> BecomeUser(const ServiceUser& user) {
  if (initgroups(user.name.c_str(), user.gid) != 0 || setresgid(user.gid, user.gid, user.gid) != 0 ||
      setresuid(user.uid, user.uid, user.uid) != 0) {
    return Unexpected("cannot become the user '" + user.name + "': " + std::strerror(errno));
  }
  if (user.uid != 0 && setuid(0) == 0) return Unexpected(std::string("root did not go away"));
  return {};
}

void ForbidNewPrivileges() {
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

}  // namespace ntsd
