#include "core/guard/rate_limiter.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "core/base/check.h"

namespace ntsd {
namespace {

constexpr std::uint64_t kTicksPerSecond = std::uint64_t{1} << 18;
static_assert(kRateCellsMax / kRateCellsPerLine <= std::size_t{1} << kRateLineBits);
// The workers read their clocks one after another, so one may look at a bucket with a time from before its last change.
constexpr std::uint64_t kClockSkewMax = 60 * kTicksPerSecond;
// Between two sweeps no full bucket may come round to look like one in debt.
static_assert((kRateSweepInterval_s + 2 * kRefillTimeMax_s) * kTicksPerSecond + kClockSkewMax < kRateTimeMask);

// Another thread took a token of the same bucket each time that we were late. That often, and the bucket is busy.
constexpr int kAttemptsMax = 16;

// A new network inherits the debt of the cell that it takes over only when so many of its cells belong to networks that
// owe more than half a burst. Then there are more heavy ones than cells, one of them may be who comes as new, and who
// inherits nothing would escape. Strangers with a few packets each never bring that about.
constexpr std::size_t kCrowdedBy = 2 * kRateCellsPerLine * 3 / 4;

// A new network goes into its first line while no more cells of it than this are used: who is found there costs one
// miss instead of two. With a higher bound, newcomers would not always be answered beside a botnet of five networks for
// eight cells.
constexpr std::size_t kUsedMaxBeforeSecond = 5;
static_assert(kUsedMaxBeforeSecond < kRateCellsPerLine);

// The second lines of so many are asked for before the first lines of the next have come.
constexpr std::size_t kSearchedTogether = 8;

constexpr double kShareOne = 65'536;

std::uint64_t ToTicks(MonotonicTime time) {
  const auto since_start = time.time_since_epoch();
  const auto seconds = std::chrono::floor<std::chrono::seconds>(since_start);
  const auto fraction_ns = static_cast<std::uint64_t>((since_start - seconds).count());
  return (static_cast<std::uint64_t>(seconds.count()) * kTicksPerSecond +
          fraction_ns * kTicksPerSecond / 1'000'000'000) &
         kRateTimeMask;
}

// How long until the bucket is full. Zero when it is, or when the cell's time lies so far ahead that it must be long
// past: nobody can owe more than `debt_max`.
std::uint64_t DebtOf(std::uint64_t cell, std::uint64_t now, std::uint64_t debt_max) {
  const std::uint64_t debt = (cell - now) & kRateTimeMask;
  return debt <= debt_max && cell != 0 ? debt : 0;
}

}  // namespace

Expected<RatePolicy, RateLimitsError> RatePolicy::Make(const RateLimits& limits) {
  if (limits.prefixes.v4 > 32 || limits.prefixes.v6 > 128) return Unexpected(RateLimitsError::kPrefixLength);
  const auto is_share = [](double share) { return share >= 0 && share <= 1; };
  if (!is_share(limits.leak) || !is_share(limits.kod) || !is_share(limits.leak + limits.kod)) {
    return Unexpected(RateLimitsError::kShare);
  }
  RatePolicy policy(limits.prefixes);
  if (limits.rate == 0) return policy;
  if (!(limits.rate >= kRateMin && limits.rate <= kRateMax)) return Unexpected(RateLimitsError::kRate);
  if (limits.burst == 0 || limits.burst / limits.rate > static_cast<double>(kRefillTimeMax_s)) {
    return Unexpected(RateLimitsError::kBurst);
  }
  // Rounded up: never more than the rate.
  policy.interval_ = static_cast<std::uint64_t>(std::ceil(static_cast<double>(kTicksPerSecond) / limits.rate));
  policy.depth_ = policy.interval_ * limits.burst;
  policy.debt_max_ = policy.depth_ + kClockSkewMax;
  policy.leak_below_ = static_cast<std::uint32_t>(std::lround(limits.leak * kShareOne));
  policy.kod_below_ = static_cast<std::uint32_t>(std::lround((limits.leak + limits.kod) * kShareOne));
  return policy;
}

void RatePolicy::Succeed(const RatePolicy& earlier) { debt_max_ = std::max(debt_max_, earlier.depth_ + kClockSkewMax); }

RateLimiter::RateLimiter(std::size_t cell_count, Random& random)
    : hash_(random),
      search_(AvailableTagSearches().front()),
      line_count_(std::bit_ceil((std::max<std::size_t>(cell_count, 1) + kRateCellsPerLine - 1) / kRateCellsPerLine)),
      lines_(std::make_unique<RateLine[]>(line_count_)) {
  CHECK(cell_count <= kRateCellsMax);
}

inline RateLine& RateLimiter::FirstLine(std::uint64_t hash) const { return lines_[hash & (line_count_ - 1)]; }

inline RateLine& RateLimiter::SecondLine(std::uint64_t hash) const {
  return lines_[hash >> kRateLineBits & (line_count_ - 1)];
}

void RateLimiter::Prepare(const RatePolicy& policy, std::span<const IpAddress> sources,
                          std::span<std::uint64_t> hashes) const {
  CHECK(hashes.size() == sources.size());
  for (std::size_t i = 0; i < sources.size(); ++i) {
    hashes[i] = hash_(sources[i], policy.masks());
    if (!policy.limited()) continue;
    __builtin_prefetch(&FirstLine(hashes[i]), 1);
  }
}

// A cell that may stand for the network, what it held when we looked, and what the network owes by it.
struct RateLimiter::Candidate {
  RateCell* cell = nullptr;
  std::uint64_t value = 0;
  std::uint64_t debt = 0;
};

// What a stranger finds in one line.
struct RateLimiter::Room {
  Candidate least;  // the cell nearest to full
  std::size_t used_count = 0;
  std::size_t heavy_count = 0;
};

void RateLimiter::Decide(const RatePolicy& policy, std::span<const std::uint64_t> hashes, MonotonicTime now,
                         Random& random, std::span<RateVerdict> verdicts) {
  CHECK(hashes.size() <= kBatchSizeMax && verdicts.size() == hashes.size() && policy.limited());
  const std::uint64_t now_ticks = ToTicks(now);
  // Where each one stood when the batch came by. Who is not in its first line has its second one fetched meanwhile.
  std::array<std::uint8_t, kBatchSizeMax> cells;
  for (std::size_t first = 0; first < hashes.size(); first += kSearchedTogether) {
    const std::size_t count = std::min(kSearchedTogether, hashes.size() - first);
    search_.find(lines_.get(), line_count_ - 1, hashes.data() + first, cells.data() + first, count);
    for (std::size_t i = first; i < first + count; ++i) {
      if (cells[i] == kNoCell) __builtin_prefetch(&SecondLine(hashes[i]), 1);
    }
  }
  std::array<std::uint8_t, kBatchSizeMax> excess;
  std::size_t excess_count = 0;
  for (std::size_t i = 0; i < hashes.size(); ++i) {
    verdicts[i] = RateVerdict::kWithin;
    excess[excess_count] = static_cast<std::uint8_t>(i);
    const Candidate found =
        cells[i] == kNoCell ? Candidate{} : OwnIn(FirstLine(hashes[i]).cells[cells[i]], policy, hashes[i], now_ticks);
    excess_count += Take(policy, found, hashes[i], now_ticks) ? 0 : 1;
  }
  if (excess_count == 0) return;

  std::array<std::uint16_t, kBatchSizeMax> lots;
  random.Fill(ByteSpan(reinterpret_cast<std::uint8_t*>(lots.data()), excess_count * sizeof(lots[0])));
  for (std::size_t i = 0; i < excess_count; ++i) {
    verdicts[excess[i]] = lots[i] < policy.leak_below_  ? RateVerdict::kLeaked
                          : lots[i] < policy.kod_below_ ? RateVerdict::kRate
                                                        : RateVerdict::kDropped;
  }
}

// Takes one token out of the network's bucket. False when there is none. `candidate` is where it was just found, if it
// was; whoever comes too late with it looks again.
inline bool RateLimiter::Take(const RatePolicy& policy, Candidate candidate, std::uint64_t hash, std::uint64_t now) {
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    if (candidate.cell == nullptr) candidate = FindOwn(policy, hash, now);
    if (candidate.cell == nullptr) candidate = FindPlace(policy, hash, now);
    if (candidate.debt + policy.interval_ > policy.depth_) return false;
    const std::uint64_t full_at = (now + candidate.debt + policy.interval_) & kRateTimeMask;
    if (candidate.cell->compare_exchange_strong(candidate.value, PackRateCell(full_at, RateTagOf(hash)),
                                                std::memory_order_relaxed, std::memory_order_relaxed)) {
      return true;
    }
    candidate = {};
  }
  return false;
}

// What the network owes by its cell; nothing when the cell was taken over in this moment.
inline RateLimiter::Candidate RateLimiter::OwnIn(RateCell& cell, const RatePolicy& policy, std::uint64_t hash,
                                                 std::uint64_t now) {
  const std::uint64_t value = cell.load(std::memory_order_relaxed);
  if ((value ^ PackRateCell(0, RateTagOf(hash))) > kRateTimeMask) return {};
  return {&cell, value, DebtOf(value, now, policy.debt_max_)};
}

RateLimiter::Candidate RateLimiter::FindOwn(const RatePolicy& policy, std::uint64_t hash, std::uint64_t now) const {
  RateCell* cell = FindIn(FirstLine(hash), hash);
  if (cell == nullptr) cell = FindIn(SecondLine(hash), hash);
  if (cell == nullptr) return {};
  return OwnIn(*cell, policy, hash, now);
}

// The first cell of the line that is the network's, or nullptr. Without a branch: where it stands cannot be foreseen.
inline RateCell* RateLimiter::FindIn(RateLine& line, std::uint64_t hash) {
  const std::uint64_t owned = PackRateCell(0, RateTagOf(hash));
  RateCell* found = nullptr;
#pragma GCC unroll 8  // otherwise half of the work would be counting
  for (std::size_t i = kRateCellsPerLine; i-- > 0;) {
    RateCell& cell = line.cells[i];
    // Its own leaves the time alone.
    found = (cell.load(std::memory_order_relaxed) ^ owned) <= kRateTimeMask ? &cell : found;
  }
  return found;
}

// Where a new network goes: into a free cell of its first line or of the emptier one, else over the cell nearest to
// full.
RateLimiter::Candidate RateLimiter::FindPlace(const RatePolicy& policy, std::uint64_t hash, std::uint64_t now) const {
  const Room first = LookAround(FirstLine(hash), policy, now);
  if (first.used_count <= kUsedMaxBeforeSecond) return first.least;
  const Room second = LookAround(SecondLine(hash), policy, now);
  if (first.least.debt == 0 && second.least.debt == 0) {
    return first.used_count <= second.used_count ? first.least : second.least;
  }
  Candidate place = first.least.debt <= second.least.debt ? first.least : second.least;
  if (first.heavy_count + second.heavy_count < kCrowdedBy) place.debt = 0;
  return place;
}

RateLimiter::Room RateLimiter::LookAround(RateLine& line, const RatePolicy& policy, std::uint64_t now) const {
  const std::uint64_t half_depth = policy.depth_ / 2;
  Room room;
  std::uint64_t least_debt = ~std::uint64_t{0};
  for (RateCell& cell : line.cells) {
    const std::uint64_t value = cell.load(std::memory_order_relaxed);
    const std::uint64_t debt = DebtOf(value, now, policy.debt_max_);
    room.used_count += static_cast<std::size_t>(debt != 0);
    room.heavy_count += static_cast<std::size_t>(debt > half_depth);
    const bool is_less = debt < least_debt;
    room.least.cell = is_less ? &cell : room.least.cell;
    room.least.value = is_less ? value : room.least.value;
    least_debt = is_less ? debt : least_debt;
  }
  room.least.debt = least_debt;
  return room;
}

std::size_t RateLimiter::Sweep(const RatePolicy& policy, MonotonicTime now) {
  const std::uint64_t now_ticks = ToTicks(now);
  std::size_t used_count = 0;
  for (RateLine& line : std::span(lines_.get(), line_count_)) {
    for (RateCell& cell : line.cells) {
      std::uint64_t value = cell.load(std::memory_order_relaxed);
      if (value == 0) continue;
      if (DebtOf(value, now_ticks, policy.debt_max_) != 0) {
        ++used_count;
        continue;
      }
      // When this fails, somebody just used the cell, and it is not free after all.
      if (!cell.compare_exchange_strong(value, 0, std::memory_order_relaxed, std::memory_order_relaxed)) ++used_count;
    }
  }
  return used_count;
}

}  // namespace ntsd
