#include "server/reference/kernel_source.h"

namespace ntsd {

KernelClock ReadKernelClock(int state, const timex& figures) {
  KernelClock kernel;
  kernel.synchronized = state >= 0 && state != TIME_ERROR && (figures.status & STA_UNSYNC) == 0;
  // TIME_OOP: in the middle of the inserted second. The status bits stay set afterwards, so they do not tell.
  if (state == TIME_INS || state == TIME_OOP) kernel.leap = LeapIndicator::kInsert;
  if (state == TIME_DEL) kernel.leap = LeapIndicator::kDelete;
  kernel.error_max = std::chrono::microseconds(figures.maxerror);
  kernel.error_estimated = std::chrono::microseconds(figures.esterror);
  kernel.tai_offset = figures.tai;
  return kernel;
}

KernelSource::KernelSource(std::uint8_t stratum, std::uint32_t reference_id, const Clock& clock, Adjtimex adjtimex)
    : stratum_(stratum), reference_id_(reference_id), clock_(clock), adjtimex_(std::move(adjtimex)) {}

Expected<ReferenceSample, ReferenceFault> KernelSource::Poll() {
  timex figures{};  // modes = 0: read only
  const int state = adjtimex_(&figures);
  if (state < 0) return Unexpected(ReferenceFault::kSystem);
  const ClockReading now = ReadClocks(clock_);
  const KernelClock kernel = ReadKernelClock(state, figures);
  if (!last_error_max_ || kernel.error_max < *last_error_max_) updated_ = now.wall;
  last_error_max_ = kernel.error_max;
  return SampleFromKernel(kernel, stratum_, reference_id_, updated_, now);
}

}  // namespace ntsd
