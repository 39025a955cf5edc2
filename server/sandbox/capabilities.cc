#include "server/sandbox/capabilities.h"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <system_error>

namespace ntsd {
namespace {

// The number of the last capability grows with the kernel; asking for one beyond it fails, which ends the loop.
constexpr unsigned kCapabilitiesMax = 64;

}  // namespace

void EmptyBoundingSet() {
  for (unsigned capability = 0; capability < kCapabilitiesMax; ++capability) {
    if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) return;
  }
}

Expected<CapabilitiesLeft, std::string> DropCapabilities() {
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> held{};
  if (syscall(SYS_capget, &header, held.data()) != 0) {
    return Unexpected("cannot read our capabilities: " + std::generic_category().message(errno));
  }
  // Not more than we have: a container may have taken even this.
  const std::uint32_t kept = geteuid() == 0 ? held[0].permitted & (1U << CAP_DAC_OVERRIDE) : 0;
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> left{};
  left[0].effective = left[0].permitted = kept;
  if (syscall(SYS_capset, &header, left.data()) != 0) {
    return Unexpected("cannot give up capabilities: " + std::generic_category().message(errno));
  }
  return kept == 0 ? CapabilitiesLeft::kNone : CapabilitiesLeft::kFileAccess;
}

}  // namespace ntsd
