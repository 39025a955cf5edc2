// Gives up every capability that serving does not need, for good.
//
// Threads: before there are others: capabilities belong to threads. Errors: one line for the operator.
#pragma once

#include <string>

#include "core/base/expected.h"

namespace ntsd {

// What is left afterwards.
enum class CapabilitiesLeft {
  kNone,
  kFileAccess,  // of a process that stays root: to read and replace files that belong to others (CAP_DAC_OVERRIDE)
};

// Nothing that is run later can have a capability. Only who may change that set can, root that is, and before it
// becomes somebody else; others have no need to.
void EmptyBoundingSet();

// Ports are bound and buffers are sized by now, so nothing is left; but root keeps what its file accesses rest upon.
Expected<CapabilitiesLeft, std::string> DropCapabilities();

}  // namespace ntsd
