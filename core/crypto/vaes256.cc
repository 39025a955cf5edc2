#include "core/crypto/lane_kernels.h"
#include "core/crypto/vector_256.h"

namespace ntsd {

constinit const LaneKernels kVaes256Kernels =
    MakeLaneKernels<Vector256, 6, Widths<1, 2, 4, 6>, Widths<2, 6>>("vaes256");

}  // namespace ntsd
