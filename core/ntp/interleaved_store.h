// When answers left, remembered until their clients ask for it (RFC 9769 §2, interleaved client/server mode).
//
// An answer is found by its receive timestamp, which the client sends back as origin: not by an address, so clients
// behind one NAT do not get each other's, and a client may change its port or address. Receive timestamps have their
// lowest bit set and transmit timestamps have not, so that neither is ever taken for the other, and so that it can be
// seen which clients speak interleaved mode: for the others nothing is stored and nothing is looked up.
//
// Threads: any number use one store, without locks. Whoever meets another at work on the cell that it looks for goes
// without, and its client gets a basic answer.
// Memory: 16 octets a cell, taken at construction. Of each line of kInterleavedCellsPerLine cells the oldest makes
// room. Errors: none.
//
// Proof. A cell is a key and a value. Whoever wants to change either first makes the key kBusy by compare-and-swap from
// what it saw, and so is alone until it stores a key again: no value is ever under a key that is not its own.
//   Take() loads the key, then the value, then swaps the key for "empty". The swap of one key succeeds once, so nothing
// is answered twice. That the value is the key's: another one is stored only after the key was made kBusy. If our load
// (acquire) saw such a store (release), our swap comes after that kBusy in the key's modification order, and fails,
// unless the same key was stored again, and then by Improve() with a better value.
//   Two answers with one receive timestamp could give a client the departure of the other's answer. Whoever stores a
// key therefore looks through the line after that. Stores and looks are sequentially consistent, so of two threads that
// store the same key the later one in their total order sees the other's; and who sees it takes both away, which makes
// both clients get basic answers.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/base/counters.h"
#include "core/base/time.h"
#include "core/limits.h"

namespace ntsd {

// What must be the same when a departure is remembered and when it is told.
struct InterleavedContext {
  std::uint32_t clock_epoch = 0;  // times of another epoch are of another clock
  bool is_smeared = false;        // so are times that are smeared, or not

  friend bool operator==(InterleavedContext, InterleavedContext) = default;
};

// When an answer left, and whether that was measured or reckoned before it did.
struct RememberedDeparture {
  NtpTimestamp transmit;
  bool is_measured = false;

  friend bool operator==(RememberedDeparture, RememberedDeparture) = default;
};

class InterleavedStore {
 public:
  // `cell_count` is a power of two, at least one line.
  explicit InterleavedStore(std::size_t cell_count = kInterleavedCellsDefault);

  // What a receive timestamp becomes, and what a transmit timestamp becomes. Neither is zero, nor like the other.
  static NtpTimestamp MarkReceive(NtpTimestamp stamp) { return {stamp.bits | 1}; }
  static NtpTimestamp MarkTransmit(NtpTimestamp stamp) { return {stamp.bits < 2 ? 2 : stamp.bits & ~std::uint64_t{1}}; }

  // Whether a request's origin and receive timestamp are those of a client that asks for interleaved mode, now or from
  // its next request on. Then, and only then, its answer is worth remembering.
  static bool IsAskedFor(NtpTimestamp origin, NtpTimestamp receive, NtpTimestamp transmit) {
    return (origin.bits & 1) != 0 && receive != transmit;
  }

  // Brings the cells of `receive` into the cache.
  void Prefetch(NtpTimestamp receive) const { __builtin_prefetch(&LineOf(receive), 1); }

  // The departure of the answer whose receive timestamp was `origin`, at most once. Nothing when it is not known, older
  // than kInterleavedAgeMax_s at `now`, not before `now`, or of another context.
  std::optional<RememberedDeparture> Take(NtpTimestamp origin, NtpTimestamp now, InterleavedContext context);

  // Remembers that the answer with `receive` (marked) will leave at `transmit`, less than a second later. False when it
  // is not remembered: another answer has the same receive timestamp, or somebody else was at work on the line.
  bool Save(NtpTimestamp receive, NtpTimestamp transmit, InterleavedContext context);
  // The same answer was seen to leave at `transmit`. False when nobody waits for it any more.
  bool Improve(NtpTimestamp receive, NtpTimestamp transmit, InterleavedContext context);

  std::size_t cell_count() const { return lines_.size() * kInterleavedCellsPerLine; }

 private:
  struct Cell {
    std::atomic<std::uint64_t> key{0};  // a marked receive timestamp, kEmpty or kBusy
    // Transmit minus receive timestamp above (in units of 2^-32 s, so below a second), then the context, and lowest
    // whether it was measured.
    std::atomic<std::uint64_t> value{0};
  };
  struct alignas(kCacheLineSize) Line {
    std::array<Cell, kInterleavedCellsPerLine> cells;
  };
  static_assert(sizeof(Line) == kCacheLineSize);

  Line& LineOf(NtpTimestamp receive) { return lines_[LineIndex(receive)]; }
  const Line& LineOf(NtpTimestamp receive) const { return lines_[LineIndex(receive)]; }
  std::size_t LineIndex(NtpTimestamp receive) const;
  static Cell* ClaimOldest(Line& line, std::uint64_t receive);
  static bool RemoveOthers(Line& line, std::uint64_t key, const Cell* own);
  static bool Publish(Line& line, Cell& cell, std::uint64_t key, std::uint64_t value);

  std::vector<Line> lines_;
  unsigned shift_;
};

}  // namespace ntsd
