#include "core/nts/transmit_stamper.h"

#include <algorithm>

namespace ntsd {
namespace {

// What asking for a departure delays it by: the control message, and the memory that the kernel takes for its answer
// before it stamps, on a path that is taken so seldom that no cache holds it. All other answers leave so much earlier.
// Half-loaded servers stamped 1.0 µs (mmsg) and 1.3 µs (io_uring) too late without it (bench/peers/stamps.py).
constexpr Duration kAskingDelay(1000);

}  // namespace

void TransmitStamper::Begin(UnixTime wall, MonotonicTime now, std::uint32_t clock_epoch, std::size_t answer_count,
                            bool is_sealed) {
  if (clock_epoch != clock_epoch_) {
    model_.Reset();
    pending_ = {};
  }
  clock_epoch_ = clock_epoch;
  wall_ = wall;
  place_ = {.is_sealed = is_sealed, .group_size = static_cast<std::uint8_t>(answer_count), .position = 0};
  budget_.Earn(now);
}

TransmitStamper::Stamp TransmitStamper::Next(std::uint32_t dice, const std::optional<NtpTimestamp>& remembered,
                                             bool is_smeared) {
  const Duration expected = model_.DelayAt(place_);
  Stamp stamp{.departure = wall_ + expected};
  if (is_sampling_ && budget_.Spend(remembered.has_value(), dice)) {
    // Until something has been learned, nothing is foretold.
    if (expected > Duration::zero()) stamp.departure += kAskingDelay;
    // Never 0, also after a round of 2^32.
    last_sample_ = std::max(last_sample_ + 1, std::uint32_t{1});
    stamp.sample = last_sample_;
    pending_[last_sample_ % kDepartureSamplesPending] = {
        .sample = last_sample_,
        .place = place_,
        .read = wall_,
        .promised = stamp.departure,
        .remembered = remembered,
        .context = {.clock_epoch = clock_epoch_, .is_smeared = is_smeared}};
    counters_.samples.Add(TransmitCounters::kAsked);
  }
  ++place_.position;
  return stamp;
}

std::optional<TransmitStamper::Measured> TransmitStamper::Learn(std::uint32_t sample, UnixTime departure) {
  counters_.samples.Add(TransmitCounters::kTold);
  Pending& pending = pending_[sample % kDepartureSamplesPending];
  const Duration delay = departure - pending.read;
  if (sample == 0 || pending.sample != sample || delay < Duration::zero() || delay > kDeparturePlausibleMax) {
    counters_.samples.Add(TransmitCounters::kImpossible);
    return std::nullopt;
  }
  pending.sample = 0;
  model_.Learn(pending.place, delay - kAskingDelay);
  const Duration error = std::chrono::abs(departure - pending.promised);
  const auto bucket =
      std::lower_bound(TransmitCounters::kErrorBounds.begin(), TransmitCounters::kErrorBounds.end(), error) -
      TransmitCounters::kErrorBounds.begin();
  counters_.errors.Add(static_cast<std::size_t>(bucket));
  counters_.error_ns.Add(0, static_cast<std::uint64_t>(error.count()));
  if (!pending.remembered) return std::nullopt;
  return Measured{.receive = *pending.remembered, .context = pending.context};
}

}  // namespace ntsd
