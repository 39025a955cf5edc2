// What a source says of the system clock at one moment, and how each kind of source is put into these words.
//
//   chrony  mirrors chronyd: its stratum, reference id and root delay are ours, because the clock that it disciplines
//           is the clock that we read. What it still has to correct is an error of that clock: added to the dispersion.
//   ntp     mirrors the header that a daemon on this host serves. The measured offset and half the round trip are
//   added. kernel  what the last daemon told the kernel: synchronized or not, and the largest error. local   this clock
//   is the reference by decree.
//
// Threads: functions of their arguments. Errors: a reply that cannot be used is refused with a reason.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/base/bytes.h"
#include "core/base/expected.h"
#include "core/base/time.h"
#include "core/ntp/clock_reading.h"
#include "core/ntp/header.h"

namespace ntsd {

enum class ReferenceKind : std::uint8_t { kChrony, kNtp, kKernel, kLocal };
std::string_view ToString(ReferenceKind kind);

// Why a poll of the source gave no sample.
enum class ReferenceFault : std::uint8_t {
  kNoAnswer,    // none came in time
  kNotRunning,  // nobody listens at the address
  kMalformed,   // not a reply of the protocol
  kMismatched,  // not the answer to our question
  kRefused,     // chronyd's error status, or a kiss code
  kTooSlow,     // the answer took so long that it says little
  kStepped,     // the clock was stepped during the poll
  kSystem,      // the operating system would not let us ask
};
inline constexpr std::size_t kReferenceFaultCount = 8;
std::string_view ToString(ReferenceFault fault);

struct ReferenceSample {
  ClockReading taken;
  bool synchronized = false;
  LeapIndicator leap = LeapIndicator::kUnsynchronized;  // kInsert, kDelete: at the end of this month
  std::uint8_t stratum = 0;
  std::uint32_t reference_id = 0;
  UnixTime reference_time{};  // by the system clock; never after `taken`
  Duration offset{};          // NTP's sign: what is to be added to the system clock
  Duration root_delay{};
  Duration root_dispersion{};  // as of `taken`, with |offset| in it
  std::uint32_t dispersion_rate_ppb = 15'000;
  // The source's own reference time, unchanged: it moves when the source has looked at its own source.
  UnixTime source_update{};
  // The source says itself when a step has made its knowledge void. Of the others a new `source_update` is asked.
  bool knows_of_steps = false;
};

// RFC 5905 §11.1: an undisciplined clock is taken to be wrong by 15 ppm at most.
inline constexpr std::uint32_t kDispersionRate_ppb = 15'000;
// 127.127.1.1: "the local clock" since the first NTP daemons.
inline constexpr std::uint32_t kLocalReferenceId = 0x7F7F0101;
// 127.0.0.1: "the daemon on this host", for the kernel source when nothing else is configured.
inline constexpr std::uint32_t kKernelReferenceId = 0x7F000001;
// The round trip of a poll to a daemon on this host takes microseconds; more than this says little about the clock.
inline constexpr Duration kPollDelayMax = std::chrono::milliseconds(100);

// `reply` to the request with `sequence`, as received at `taken`.
Expected<ReferenceSample, ReferenceFault> SampleFromChrony(ByteView reply, std::uint32_t sequence, ClockReading taken);

// The request of an NTP poll: a client's header that tells nothing but `nonce`, random, in place of a time.
NtpHeader NtpPollRequest(std::uint64_t nonce);
// `reply` to the request with `nonce`, which left at `sent` and was answered at `taken`.
Expected<ReferenceSample, ReferenceFault> SampleFromNtp(ByteView reply, std::uint64_t nonce, ClockReading sent,
                                                        ClockReading taken);

// What adjtimex() says, in our own words.
struct KernelClock {
  bool synchronized = false;
  LeapIndicator leap = LeapIndicator::kNone;
  Duration error_max{};
  Duration error_estimated{};
  int tai_offset = 0;  // 0: nobody told the kernel
};
// `updated`: when the daemon was last seen to speak to the kernel.
ReferenceSample SampleFromKernel(const KernelClock& kernel, std::uint8_t stratum, std::uint32_t reference_id,
                                 UnixTime updated, ClockReading taken);

ReferenceSample LocalSample(std::uint8_t stratum, ClockReading taken);

}  // namespace ntsd
