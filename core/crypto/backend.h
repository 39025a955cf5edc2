// The implementations of Aead, one for each instruction set, and what they share. Only this folder includes it.
#pragma once

#include "core/crypto/aead.h"

namespace ntsd {

// Each gives nullptr when this build or this CPU does not have it. The object lives for ever.
const Aead* PortableAead();

}  // namespace ntsd
