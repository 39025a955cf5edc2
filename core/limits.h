// Every bound of the service by name, and the relations that must hold between them.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace ntsd {

// --- NTP datagrams (sizes in octets of UDP payload) ---

// The NTPv4 header (RFC 5905 §7.3), the smallest request and the size of every plain answer.
inline constexpr std::size_t kNtpHeaderSize = 48;
// Larger datagrams are dropped unread; no client needs them (AEAD 17 with 7 placeholders is 1,468).
inline constexpr std::size_t kRequestSizeMax = 2048;
// IPv6's minimum MTU: an answer is never fragmented (R-NTS-22).
inline constexpr std::size_t kReplySizeMax = 1280;
// RFC 7822 §4 asks for a cap; a complete request with 7 placeholders has 10 fields.
inline constexpr std::size_t kExtensionFieldCountMax = 24;
// RFC 8915 §5.7: one cookie for the one that was spent, and one for each of up to 7 placeholders.
inline constexpr std::size_t kCookiesPerReplyMax = 8;

// --- Batches ---

// Datagrams that one worker takes through the phases together.
inline constexpr std::size_t kBatchSizeMax = 64;
// New cookies that one batch may seal.
inline constexpr std::size_t kBatchCookiesMax = kBatchSizeMax * kCookiesPerReplyMax;
// Answers that share one reading of the clock, one sealing and one system call. Every send after the reading makes it
// older (about 1.5 µs each), and the stamp is authenticated, so it cannot be corrected once the answer is sealed.
// Groups of 8 would cost 3 % less CPU, with larger errors of the stamps under load; groups of 2 would cost 15 % more.
inline constexpr std::size_t kSendGroupSizeMax = 4;
// Batches up to this size are stamped and sent one by one. A send that wakes its receiver takes several microseconds,
// any other one or two, and nobody knows before which it will be: what stands behind it in a group is stamped wrong by
// that. As long as half a batch or less comes at once there is time; where it is not enough, batches grow, and groups
// save a fifth of the CPU.
inline constexpr std::size_t kLoneSendBatchMax = kBatchSizeMax / 2;

// --- Timestamps ---

// Departures that the middle is taken of, for each place that an answer can have in a group. Odd, so that there is a
// middle one; half of them have to be late before the correction is. At 256 samples a second it follows a change of
// load within a tenth of a second.
inline constexpr std::size_t kDepartureWindow = 31;
// Fewer than these say nothing.
inline constexpr std::size_t kDepartureSamplesMin = 3;
// Answers whose departure the kernel has still to tell: those of one batch. Older ones are given up.
inline constexpr std::size_t kDepartureSamplesPending = 64;
// Longer delays are taken for these: no correction shall move a timestamp by more, whatever the kernel said.
inline constexpr std::chrono::nanoseconds kDepartureDelayMax = std::chrono::microseconds(200);
// No answer waits so long between its stamp and its departure; the clock was stepped.
inline constexpr std::chrono::nanoseconds kDeparturePlausibleMax = std::chrono::seconds(1);

// Answers whose departure is remembered for the whole server, 16 octets each: 4 MiB. Only clients that ask for it are
// remembered, so this is a quarter of a million of them, polling as seldom as they like.
inline constexpr std::size_t kInterleavedCellsDefault = std::size_t{1} << 18;
// One cache line of them: the oldest of a line makes room for a new one.
inline constexpr std::size_t kInterleavedCellsPerLine = 4;
// The longest poll interval of any client (2^17 s): what is older is of nobody who still asks.
inline constexpr unsigned kInterleavedAgeMax_s = 1U << 17;

// Network cards whose clocks are read. A host has a few; each costs some system calls a second.
inline constexpr std::size_t kCardsMax = 8;
// Readings of a card's clock in a row, of which the quickest is taken, and how many such the rate is reckoned from.
inline constexpr std::size_t kCardReadingsPerLook = 8;
inline constexpr std::size_t kCardLooksKept = 8;
// Fewer looks than these, one second apart, do not make a mapping: two lie on a line whatever they are.
inline constexpr std::size_t kCardLooksMin = 3;
// A reading over the bus takes one or two microseconds. One that took longer than this was interrupted, and tells less
// than the kernel's own stamp does.
inline constexpr std::chrono::nanoseconds kCardReadingWindowMax = std::chrono::microseconds(20);
// How far a look may be from what the looks before it foretold, beside the widths of their windows. What is slewed by
// more within a second (10 ppm) is a clock that is being set, and is not followed but waited for.
inline constexpr std::chrono::nanoseconds kCardJumpMax = std::chrono::microseconds(10);
// Crystals are within 100 ppm, daemons slew by up to 500: what is faster is no clock.
inline constexpr double kCardRateMax = 1e-3;
// Looks come every second. After this time without one, on the card's clock, a mapping is not used any more: two may
// fail, and what is learned is wrong by no more than three times what a second can do to it.
inline constexpr std::chrono::nanoseconds kCardMappingAgeMax = std::chrono::milliseconds(3500);
// Looks in a row that may fail before the mapping is given up.
inline constexpr unsigned kCardMissesMax = 3;
// The kernel stamps a datagram after its card does, by the time that the card holds its interrupt back (tens of
// microseconds, a quarter of a millisecond in the longest defaults) and the driver takes to come to it. When it is
// longer, the one or the other is wrong, and it cannot be told which: the kernel's is taken, for it is of the clock
// that we serve.
inline constexpr std::chrono::nanoseconds kCardLeadMax = std::chrono::milliseconds(1);

// --- Access and rate limits ---

// Cells of 8 octets in the table of rate limits: 16 MiB hold two million networks that are in debt.
inline constexpr std::size_t kRateCellsDefault = std::size_t{1} << 21;
// Handshakes are dearer and rarer: 2 MiB.
inline constexpr std::size_t kKeRateCellsDefault = std::size_t{1} << 18;
inline constexpr std::size_t kRateCellsMax = std::size_t{1} << 23;
inline constexpr std::size_t kRateCellsPerLine = 8;
// Answers a second for one network: from one a day to what a tick of the table still tells apart.
inline constexpr double kRateMin = 1.0 / 86'400;
inline constexpr double kRateMax = 10'000;
// How long an empty bucket may take to be full again (burst / rate).
inline constexpr unsigned kRefillTimeMax_s = 7 * 86'400;
// Full buckets must be swept out of the table before its modular time comes round (48 days).
inline constexpr unsigned kRateSweepInterval_s = 30 * 86'400;
// Threads that may pin the settings of one guard.
inline constexpr std::size_t kGuardReadersMax = 1024;

// --- Cookies and keys ---

// The largest cookie of this layout: key id 4, nonce 16, tag 16, two 64-octet keys of AEAD 17.
inline constexpr std::size_t kCookieSizeMax = 164;
// Keys in one ring: future, current and past ones. Bounds `keys.keep`.
inline constexpr std::size_t kKeysPerRingMax = 32;
// Ids of revoked keys that are remembered, so that none comes back from an old file. Revoking is done by hand; beyond
// this many the oldest are forgotten.
inline constexpr std::size_t kRevokedKeysMax = 4096;
// Octets of a key file: every key and every revoked id, with room for comments.
inline constexpr std::size_t kKeyFileSizeMax = 128 * 1024;
// Threads that may pin the key ring: NTP workers, KE workers, control.
inline constexpr std::size_t kKeyRingReadersMax = 1024;

// --- NTS-KE ---

// RFC 8915 §4: at least 1,024 octets must be accepted.
inline constexpr std::size_t kKeRequestSizeMax = 4096;
// NTPsec's client reads at most 2,048 octets (R-TLS-22).
inline constexpr std::size_t kKeResponseSizeMax = 2047;
inline constexpr std::size_t kKeCookieCount = 8;

static_assert(kKeysPerRingMax * 160 + kRevokedKeysMax * 18 + 1024 <= kKeyFileSizeMax);
static_assert(kReplySizeMax <= kRequestSizeMax);
static_assert(kSendGroupSizeMax <= kBatchSizeMax && kLoneSendBatchMax < kBatchSizeMax);
static_assert(kBatchSizeMax <= kDepartureSamplesPending);
static_assert(kDepartureWindow % 2 == 1 && kDepartureSamplesMin <= kDepartureWindow);
static_assert((kInterleavedCellsDefault & (kInterleavedCellsDefault - 1)) == 0);
static_assert(kCardLooksMin >= 3 && kCardLooksMin <= kCardLooksKept);
static_assert(kCardReadingWindowMax + kCardJumpMax < kCardLeadMax);
static_assert(kKeRequestSizeMax >= 1024);
static_assert(kKeCookieCount * (4 + kCookieSizeMax) + 256 <= kKeResponseSizeMax);

}  // namespace ntsd
