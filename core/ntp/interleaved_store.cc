#include "core/ntp/interleaved_store.h"

#include <bit>

#include "core/base/check.h"

namespace ntsd {
namespace {

// Neither is a marked receive timestamp, as those are odd.
constexpr std::uint64_t kEmpty = 0;
constexpr std::uint64_t kBusy = 2;

// More than there are threads that could be at work on one line.
constexpr int kTurnsMax = 1000;

constexpr std::uint64_t kSecond = std::uint64_t{1} << 32;
constexpr std::uint64_t kAgeMax = kInterleavedAgeMax_s * kSecond;
constexpr std::uint64_t kMeasured = 1;
constexpr std::uint64_t kContextMask = kSecond - 1 - kMeasured;

std::uint64_t ContextBits(InterleavedContext context) {
  return (std::uint64_t{context.clock_epoch} << 2 | (context.is_smeared ? 2 : 0)) & kContextMask;
}

std::uint64_t Pack(std::uint64_t receive, NtpTimestamp transmit, InterleavedContext context) {
  return (transmit.bits - receive) << 32 | ContextBits(context);
}

bool IsUnderOneSecond(std::uint64_t receive, NtpTimestamp transmit) { return transmit.bits - receive < kSecond; }

}  // namespace

InterleavedStore::InterleavedStore(std::size_t cell_count) : lines_(cell_count / kInterleavedCellsPerLine) {
  CHECK(std::has_single_bit(cell_count) && cell_count >= kInterleavedCellsPerLine);
  shift_ = 64U - static_cast<unsigned>(std::bit_width(lines_.size()) - 1);
}

std::size_t InterleavedStore::LineIndex(NtpTimestamp receive) const {
  if (shift_ == 64) return 0;
  // Receive timestamps are ours, with random lowest bits: nobody can aim at a line.
  return static_cast<std::size_t>(receive.bits * 0x9E3779B97F4A7C15 >> shift_);
}

std::optional<RememberedDeparture> InterleavedStore::Take(NtpTimestamp origin, NtpTimestamp now,
                                                          InterleavedContext context) {
  // Modular: a time in the future has a large age.
  if ((origin.bits & 1) == 0 || now == origin || now.bits - origin.bits > kAgeMax) return std::nullopt;
  for (Cell& cell : LineOf(origin).cells) {
    std::uint64_t key = cell.key.load(std::memory_order_acquire);
    if (key != origin.bits) continue;
    const std::uint64_t value = cell.value.load(std::memory_order_acquire);
    if ((value & kContextMask) != ContextBits(context)) return std::nullopt;
    if (!cell.key.compare_exchange_strong(key, kEmpty, std::memory_order_acq_rel, std::memory_order_relaxed)) {
      return std::nullopt;
    }
    return RememberedDeparture{.transmit = {origin.bits + (value >> 32)}, .is_measured = (value & kMeasured) != 0};
  }
  return std::nullopt;
}

// Whether there were others of that key.
bool InterleavedStore::RemoveOthers(Line& line, std::uint64_t key, const Cell* own) {
  bool found = false;
  for (Cell& cell : line.cells) {
    if (&cell == own) continue;
    std::uint64_t seen = cell.key.load(std::memory_order_seq_cst);
    if (seen != key) continue;
    found = true;
    // Failing, somebody else has taken it away.
    cell.key.compare_exchange_strong(seen, kEmpty, std::memory_order_seq_cst, std::memory_order_relaxed);
  }
  return found;
}

// Fills a cell that is ours (its key is kBusy). False when the key turned out not to be the only one.
bool InterleavedStore::Publish(Line& line, Cell& cell, std::uint64_t key, std::uint64_t value) {
  cell.value.store(value, std::memory_order_release);
  cell.key.store(key, std::memory_order_seq_cst);
  if (!RemoveOthers(line, key, &cell)) return true;
  cell.key.compare_exchange_strong(key, kEmpty, std::memory_order_seq_cst, std::memory_order_relaxed);
  return false;
}

bool InterleavedStore::Save(NtpTimestamp receive, NtpTimestamp transmit, InterleavedContext context) {
  CHECK((receive.bits & 1) != 0);
  if (!IsUnderOneSecond(receive.bits, transmit)) return false;
  Line& line = LineOf(receive);
  if (RemoveOthers(line, receive.bits, nullptr)) return false;
  // Each turn after the first means that another thread has just taken a cell of this line.
  for (int turn = 0; turn < kTurnsMax; ++turn) {
    Cell* const cell = ClaimOldest(line, receive.bits);
    if (cell != nullptr) return Publish(line, *cell, receive.bits, Pack(receive.bits, transmit, context));
  }
  return false;
}

// Makes the oldest cell of the line ours; nullptr when another thread was quicker.
InterleavedStore::Cell* InterleavedStore::ClaimOldest(Line& line, std::uint64_t receive) {
  Cell* oldest = nullptr;
  std::uint64_t oldest_key = 0;
  std::uint64_t oldest_age = 0;
  for (Cell& cell : line.cells) {
    const std::uint64_t key = cell.key.load(std::memory_order_relaxed);
    if (key == kBusy) continue;
    // Times in the future are of an earlier epoch: the oldest of all but empty cells.
    const std::uint64_t age = key == kEmpty ? ~std::uint64_t{0} : receive - key;
    if (oldest != nullptr && age <= oldest_age) continue;
    oldest = &cell;
    oldest_key = key;
    oldest_age = age;
  }
  const bool is_ours =
      oldest != nullptr &&
      oldest->key.compare_exchange_strong(oldest_key, kBusy, std::memory_order_acq_rel, std::memory_order_relaxed);
  return is_ours ? oldest : nullptr;
}

bool InterleavedStore::Improve(NtpTimestamp receive, NtpTimestamp transmit, InterleavedContext context) {
  if (!IsUnderOneSecond(receive.bits, transmit)) return false;
  Line& line = LineOf(receive);
  for (Cell& cell : line.cells) {
    std::uint64_t key = receive.bits;
    if (cell.key.load(std::memory_order_relaxed) != key) continue;
    if (!cell.key.compare_exchange_strong(key, kBusy, std::memory_order_acq_rel, std::memory_order_relaxed)) {
      return false;
    }
    return Publish(line, cell, receive.bits, Pack(receive.bits, transmit, context) | kMeasured);
  }
  return false;
}

}  // namespace ntsd
