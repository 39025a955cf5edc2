#include "core/ntp/reference_sample.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "core/ntp/chrony_report.h"

namespace ntsd {
namespace {

constexpr std::uint16_t kStratumMax = 15;
constexpr std::int8_t kPollInterval_log2_s = 0;

bool IsStratumOfSynchronized(unsigned stratum) { return stratum >= 1 && stratum <= kStratumMax; }

// Stratum 0 without one of these codes (RFC 5905 §7.4) is a daemon that is not synchronized.
bool IsKissOfDeath(const NtpHeader& header) {
  constexpr std::uint32_t kRestricted = 0x52535452;  // "RSTR"
  return header.stratum == 0 &&
         (header.reference_id == static_cast<std::uint32_t>(KissCode::kRate) ||
          header.reference_id == static_cast<std::uint32_t>(KissCode::kDeny) || header.reference_id == kRestricted);
}

ReferenceFault ToFault(ChronyReportFault fault) {
  switch (fault) {
    case ChronyReportFault::kMismatched:
      return ReferenceFault::kMismatched;
    case ChronyReportFault::kRefused:
      return ReferenceFault::kRefused;
    case ChronyReportFault::kMalformed:
      break;
  }
  return ReferenceFault::kMalformed;
}

// What a client cannot be told: negative errors, and a reference time in the future.
void Clean(ReferenceSample& sample) {
  sample.reference_time = std::min(sample.reference_time, sample.taken.wall);
  sample.root_delay = std::max(sample.root_delay, Duration::zero());
  sample.root_dispersion = std::max(sample.root_dispersion, Duration::zero()) + std::chrono::abs(sample.offset);
}

// 15 ppm, or what the daemon admits about its frequency if that is worse.
std::uint32_t DispersionRate(const ChronyTracking& tracking) {
  const double error_ppm = std::abs(tracking.residual_frequency_ppm) + std::abs(tracking.skew_ppm);
  const double rate_ppb = std::clamp(error_ppm * 1000, double{kDispersionRate_ppb}, 1e9);
  return static_cast<std::uint32_t>(rate_ppb);
}

}  // namespace

std::string_view ToString(ReferenceKind kind) {
  switch (kind) {
    case ReferenceKind::kChrony:
      return "chrony";
    case ReferenceKind::kNtp:
      return "ntp";
    case ReferenceKind::kKernel:
      return "kernel";
    case ReferenceKind::kLocal:
      return "local";
  }
  return "unknown";
}

std::string_view ToString(ReferenceFault fault) {
  switch (fault) {
    case ReferenceFault::kNoAnswer:
      return "no-answer";
    case ReferenceFault::kNotRunning:
      return "not-running";
    case ReferenceFault::kMalformed:
      return "malformed";
    case ReferenceFault::kMismatched:
      return "mismatched";
    case ReferenceFault::kRefused:
      return "refused";
    case ReferenceFault::kTooSlow:
      return "too-slow";
    case ReferenceFault::kStepped:
      return "stepped";
    case ReferenceFault::kSystem:
      return "system";
  }
  return "unknown";
}

Expected<ReferenceSample, ReferenceFault> SampleFromChrony(ByteView reply, std::uint32_t sequence, ClockReading taken) {
  const auto tracking = ParseChronyTracking(reply, sequence);
  if (!tracking) return Unexpected(ToFault(tracking.error()));
  ReferenceSample sample;
  sample.taken = taken;
  // Leap alone decides, as for chronyd's own clients: with its `local` directive it serves without being synchronized.
  sample.synchronized = tracking->leap < 3 && IsStratumOfSynchronized(tracking->stratum);
  sample.source_update = tracking->reference_time;
  if (!sample.synchronized) return sample;
  sample.leap = static_cast<LeapIndicator>(tracking->leap);
  sample.stratum = static_cast<std::uint8_t>(tracking->stratum);
  sample.reference_id = tracking->reference_id;
  sample.offset = tracking->correction;
  // chronyd's clock is the system clock plus the correction, and so is its reference time.
  sample.reference_time = tracking->reference_time - tracking->correction;
  sample.root_delay = tracking->root_delay;
  sample.root_dispersion = tracking->root_dispersion;
  sample.dispersion_rate_ppb = DispersionRate(*tracking);
  Clean(sample);
  return sample;
}

NtpHeader NtpPollRequest(std::uint64_t nonce) {
  NtpHeader request;
  request.poll = kPollInterval_log2_s;
  request.transmit.bits = nonce;
  return request;
}

Expected<ReferenceSample, ReferenceFault> SampleFromNtp(ByteView reply, std::uint64_t nonce, ClockReading sent,
                                                        ClockReading taken) {
  const auto header = NtpHeader::Parse(reply);
  if (!header || header->mode != NtpMode::kServer || header->version != 4) {
    return Unexpected(ReferenceFault::kMalformed);
  }
  if (header->origin.bits != nonce) return Unexpected(ReferenceFault::kMismatched);
  const bool is_synchronized =
      header->leap != LeapIndicator::kUnsynchronized && IsStratumOfSynchronized(header->stratum);
  if (IsKissOfDeath(*header)) return Unexpected(ReferenceFault::kRefused);
  ReferenceSample sample;
  sample.taken = taken;
  sample.synchronized = is_synchronized;
  sample.source_update = header->reference.ToUnix(taken.wall);
  if (!is_synchronized) return sample;
  if (header->receive.IsUnknown() || header->transmit.IsUnknown()) return Unexpected(ReferenceFault::kMalformed);

  const Duration there = header->receive.ToUnix(sent.wall) - sent.wall;
  const Duration back = header->transmit.ToUnix(taken.wall) - taken.wall;
  const Duration delay = taken.monotonic - sent.monotonic;
  if (delay > kPollDelayMax) return Unexpected(ReferenceFault::kTooSlow);
  sample.leap = header->leap;
  sample.stratum = header->stratum;
  sample.reference_id = header->reference_id;
  sample.offset = (there + back) / 2;
  sample.reference_time = sample.source_update - sample.offset;
  sample.root_delay = header->root_delay.ToDuration();
  sample.root_dispersion = header->root_dispersion.ToDuration() + delay / 2;
  Clean(sample);
  return sample;
}

ReferenceSample SampleFromKernel(const KernelClock& kernel, std::uint8_t stratum, std::uint32_t reference_id,
                                 UnixTime updated, ClockReading taken) {
  ReferenceSample sample;
  sample.taken = taken;
  sample.knows_of_steps = true;  // setting the clock makes the kernel forget that it was synchronized
  sample.synchronized = kernel.synchronized && IsStratumOfSynchronized(stratum);
  if (!sample.synchronized) return sample;
  sample.leap = kernel.leap;
  sample.stratum = stratum;
  sample.reference_id = reference_id;
  sample.reference_time = updated;
  sample.root_dispersion = kernel.error_max;
  Clean(sample);
  return sample;
}

ReferenceSample LocalSample(std::uint8_t stratum, ClockReading taken) {
  ReferenceSample sample;
  sample.taken = taken;
  sample.knows_of_steps = true;  // by decree, whatever it shows is right
  sample.synchronized = true;
  sample.leap = LeapIndicator::kNone;
  sample.stratum = stratum;
  sample.reference_id = kLocalReferenceId;
  sample.reference_time = taken.wall;
  return sample;
}

}  // namespace ntsd
