#include "core/crypto/lane_kernels.h"
#include "core/crypto/vector_512.h"

namespace ntsd {

constinit const LaneKernels kVaes512Kernels =
    MakeLaneKernels<Vector512, 4, Widths<1, 2, 3, 4>, Widths<2, 4>>("vaes512");

}  // namespace ntsd
