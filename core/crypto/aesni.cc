#include "core/crypto/lane_kernels.h"
#include "core/crypto/vector_128.h"

namespace ntsd {

constinit const LaneKernels kAesNiKernels = MakeLaneKernels<Vector128, 8, Widths<1, 4, 8>, Widths<1, 8>>("aesni");

}  // namespace ntsd
