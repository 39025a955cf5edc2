#include "core/base/secret.h"

#include <sodium.h>

namespace ntsd {

bool EqualInConstantTime(ByteView a, ByteView b) {
  return a.size() == b.size() && sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace ntsd
