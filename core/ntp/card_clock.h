// The clock of a network card, put in terms of the system clock, so that stamps of the card become times that we serve.
//
// A card stamps datagrams as they pass its connector, by a clock of its own that starts anywhere and runs at its own
// rate. From readings of that clock between two of the system clock a CardClockModel learns the offset and the rate;
// its CardMapping says for a stamp what time it was, or why that cannot be known. Whoever is refused takes the kernel's
// stamp.
//
// Threads: a model belongs to one thread; a mapping is a value. Memory: inside.
// Errors: reasons; nothing that a card says is believed without the kernel's stamp beside it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "core/base/expected.h"
#include "core/base/time.h"
#include "core/limits.h"

namespace ntsd {

// Nanoseconds of a card's clock. Only differences mean something.
struct CardTime {
  std::int64_t ns = 0;

  friend Duration operator-(CardTime later, CardTime earlier) { return Duration(later.ns - earlier.ns); }
  friend bool operator==(CardTime, CardTime) = default;
};

// The card's clock was read after the one and before the other.
struct CardReading {
  UnixTime before{};
  CardTime card;
  UnixTime after{};
};

// Why a stamp of a card is not used.
enum class CardRefusal : std::uint8_t {
  kNotMapped,  // the card's clock is not known, or not yet
  kStale,      // the stamp is too far from the last look at the card's clock
  kDisagrees,  // with the kernel's stamp: too early for one and the same datagram, or after it
  kCount,
};

// A card's clock as it was at the last look. Trivially copyable, so that it can be published.
struct CardMapping {
  bool is_usable = false;
  CardTime card;     // at this time of the card
  UnixTime system;   // it was this,
  Duration error{};  // give or take;
  double rate = 0;   // and since then the system clock has gained this share on the card's

  // When the datagram came that the card stamped with `stamp`, and the kernel later with `by_kernel`.
  Expected<UnixTime, CardRefusal> Map(CardTime stamp, UnixTime by_kernel) const;
};

// What came of a look at a card's clock.
enum class CardLook : std::uint8_t {
  kTaken,
  kUnread,  // there was no reading
  kWide,    // every reading was interrupted
  kJumped,  // one of the clocks was set, or changes its rate too quickly: what was learned is forgotten
  kCount,
};
// "taken", "unread" …
std::string_view CardLookName(CardLook look);

class CardClockModel {
 public:
  // Takes the readings of one look, made in a row; none when they could not be made.
  CardLook Learn(std::span<const CardReading> readings);

  const CardMapping& mapping() const { return mapping_; }

 private:
  struct Look {
    CardTime card;
    UnixTime system{};
    Duration error{};
  };

  CardLook Miss(CardLook why);
  bool IsForetold(const Look& look) const;
  void Add(const Look& look);
  void Reset();
  const Look& Oldest() const { return looks_[(next_ + kCardLooksKept - count_) % kCardLooksKept]; }
  const Look& Newest() const { return looks_[(next_ + kCardLooksKept - 1) % kCardLooksKept]; }

  std::array<Look, kCardLooksKept> looks_{};  // a ring
  std::size_t next_ = 0;
  std::size_t count_ = 0;
  unsigned misses_ = 0;  // in a row
  CardMapping mapping_;
};

}  // namespace ntsd
