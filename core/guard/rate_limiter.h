// Token buckets for millions of networks in bounded memory, shared by all workers without a lock.
//
// What it promises, and how:
// * A bucket is one time: when it will be full again (GCRA). Every answer moves that time on by one interval; what is
//   refused moves nothing, so a flood does not postpone the refill. A full bucket needs no memory at all, since a
//   stranger's bucket is full too.
// * Each network may stand in any cell of two cache lines, chosen by a keyed hash. A new one goes into the first line
//   while that has some room, so that most are found with one miss, and then where more cells are free. When no cell is
//   free it takes over the one nearest to full: strangers with a few packets each push out one another, not the heavy
//   ones. Under a flood of strangers that owe k times as many buckets as there are cells, the limit loosens to about k
//   times the rate, and nobody new is refused.
// * When three quarters of those cells belong to heavy networks, a new one inherits the debt of the cell that it takes
//   over, so that heavy ones beyond the size of the table do not escape by taking turns. Only then may somebody new be
//   refused: when about as many networks as there are cells exceed the rate at the same time.
// * Part of the excess is answered all the same (`leak`), by chance, so that nobody silences a victim with packets in
//   its name, and part is answered with RATE (`kod`).
//
// Threads: Prepare() and Decide() by any number of threads at once; Sweep() beside them.
// Memory: kRateCellsPerLine cells of 8 octets a cache line, allocated when it is made; nothing afterwards.
// Errors: none while it runs.
// Speed: the first lines of a batch are fetched together and searched a line at once (tag_search.h), then the second
// lines of those who were not found.
//
// Proof. All that is known about a network is in one 64-bit cell, and it only changes by compare-and-swap, so no thread
// sees half of a change and no token is taken twice. Relaxed order suffices: a cell publishes nothing but itself. A
// late reader tries to swap from a value that is not there any more, fails and looks again. When a cell has the same
// value again after changes, it means the same again. What can go wrong without an order between cells: two threads
// that see a new network at the same moment may put it into two cells. Only the first one in the order of looking is
// used from then on, and the other is forgotten when it is full; such a network had at most one burst twice.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "core/base/expected.h"
#include "core/base/random.h"
#include "core/base/time.h"
#include "core/guard/prefix_hash.h"
#include "core/guard/rate_cell.h"
#include "core/guard/tag_search.h"
#include "core/limits.h"

namespace ntsd {

// As an operator writes it ([limits.ntp], [limits.ke]).
struct RateLimits {
  double rate = 0;          // answers a second, sustained, for each network; 0 = no limit
  std::uint32_t burst = 1;  // answers that may come at once after a pause
  PrefixLengths prefixes;
  double leak = 0;  // share of the excess that is served all the same
  double kod = 0;   // share of the excess that is answered with RATE

  friend bool operator==(const RateLimits&, const RateLimits&) = default;
};

enum class RateLimitsError : std::uint8_t {
  kRate,          // neither 0 nor within kRateMin … kRateMax
  kBurst,         // no token at all, or more than refill within kRefillTimeMax_s
  kPrefixLength,  // beyond 32 or 128
  kShare,         // leak or kod outside 0 … 1, or more than 1 together
};

// The same limits in the units of the cells. Never changes once it is made.
class RatePolicy {
 public:
  static Expected<RatePolicy, RateLimitsError> Make(const RateLimits& limits);

  bool limited() const { return interval_ != 0; }
  const PrefixMasks& masks() const { return masks_; }

  // Makes debts of an earlier policy count until they are paid, though its buckets were deeper.
  void Succeed(const RatePolicy& earlier);

 private:
  friend class RateLimiter;
  explicit RatePolicy(PrefixLengths prefixes) : masks_(prefixes) {}

  PrefixMasks masks_;
  std::uint64_t interval_ = 0;    // ticks a token takes to come back
  std::uint64_t depth_ = 0;       // ticks an empty bucket takes to be full
  std::uint64_t debt_max_ = 0;    // a cell that seems to owe more is a forgotten one
  std::uint32_t leak_below_ = 0;  // of 2^16
  std::uint32_t kod_below_ = 0;
};

enum class RateVerdict : std::uint8_t {
  kWithin,   // serve
  kLeaked,   // serve, though it is too much
  kRate,     // answer with the kiss code RATE (RFC 5905 §7.4)
  kDropped,  // silence
};

class RateLimiter {
 public:
  // `cell_count` is rounded up to whole cache lines and a power of two, at most kRateCellsMax. `random` gives the key.
  RateLimiter(std::size_t cell_count, Random& random);
  RateLimiter(const RateLimiter&) = delete;
  RateLimiter& operator=(const RateLimiter&) = delete;

  // First pass over a batch: names the networks by their hashes and begins to fetch their cells.
  void Prepare(const RatePolicy& policy, std::span<const IpAddress> sources, std::span<std::uint64_t> hashes) const;
  // Second pass, best after some other work: takes the tokens. At most kBatchSizeMax hashes; `policy` is limited().
  // `random` is asked only when something exceeds its rate. `now` may differ a little between threads.
  void Decide(const RatePolicy& policy, std::span<const std::uint64_t> hashes, MonotonicTime now, Random& random,
              std::span<RateVerdict> verdicts);

  // Frees the cells whose buckets are full, and returns how many are not: how full the table is. To be called at least
  // every kRateSweepInterval_s, because time in a cell is modular: a cell left alone for 48 days would seem to owe
  // again.
  std::size_t Sweep(const RatePolicy& policy, MonotonicTime now);

  std::size_t cell_count() const { return line_count_ * kRateCellsPerLine; }

 private:
  struct Candidate;
  struct Room;

  RateLine& FirstLine(std::uint64_t hash) const;
  RateLine& SecondLine(std::uint64_t hash) const;
  static RateCell* FindIn(RateLine& line, std::uint64_t hash);
  static Candidate OwnIn(RateCell& cell, const RatePolicy& policy, std::uint64_t hash, std::uint64_t now);
  bool Take(const RatePolicy& policy, Candidate candidate, std::uint64_t hash, std::uint64_t now);
  Candidate FindOwn(const RatePolicy& policy, std::uint64_t hash, std::uint64_t now) const;
  Candidate FindPlace(const RatePolicy& policy, std::uint64_t hash, std::uint64_t now) const;
  Room LookAround(RateLine& line, const RatePolicy& policy, std::uint64_t now) const;

  PrefixHash hash_;
  TagSearch search_;
  std::size_t line_count_;
  std::unique_ptr<RateLine[]> lines_;
};

}  // namespace ntsd
