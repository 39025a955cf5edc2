// Every bound of the service by name, and the relations that must hold between them.
#pragma once

#include <cstddef>

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
// Answers that share one transmit timestamp. Every send after the stamp makes it older (about 1.5 µs each),
// and the stamp is authenticated, so it cannot be corrected once the answer is sealed.
inline constexpr std::size_t kSendGroupSizeMax = 4;

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
static_assert(kSendGroupSizeMax <= kBatchSizeMax);
static_assert(kKeRequestSizeMax >= 1024);
static_assert(kKeCookieCount * (4 + kCookieSizeMax) + 256 <= kKeResponseSizeMax);

}  // namespace ntsd
