// The network cards whose stamps are used: opened at start, looked at every second, asked for every datagram.
//
// Threads: made and opened by main before privileges go; Look() by main; Map() by the workers; Statuses() by anyone.
// Memory: all of it is taken at construction.
// Errors: a card that cannot be used is none of ours any more: the log and Statuses() say why, the kernel's stamps
// serve.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/base/published.h"
#include "core/ntp/card_clock.h"
#include "server/udp/network_card.h"

namespace ntsd {

struct CardStatus {
  std::string interface;
  bool is_used = false;  // at this moment its stamps become receive timestamps
  std::string detail;    // how well its clock is known, or why the kernel's stamps are used instead
  Duration error{};      // of its clock against ours, while it is used
};

class CardClocks {
 public:
  // Says what changes: that a card is used from now on, or no longer.
  using Report = std::function<void(const CardStatus&)>;

  // At most kCardsMax interfaces. `cards` outlives this.
  CardClocks(std::span<const std::string> interfaces, NetworkCards& cards, Report report);

  // Whether there is any card that could be used.
  bool HasAny() const;
  // Reads all clocks; every second. A driver that hangs holds up its caller.
  void Look();
  std::vector<CardStatus> Statuses() const;

  // When the datagram came that this interface's card stamped with `stamp`, and the kernel later with `by_kernel`.
  Expected<UnixTime, CardRefusal> Map(unsigned interface, CardTime stamp, UnixTime by_kernel) const;

 private:
  struct Card {
    unsigned index = 0;  // of the interface
    Descriptor clock;    // none: it cannot be used
    std::string name;    // of the clock
    CardClockModel model;
    Published<CardMapping> mapping{CardMapping{}};
    CardStatus status;  // under status_mutex_
    std::optional<bool> reported_used;
    unsigned looks_unreported = 0;
  };

  void Open(Card& card);
  void LookAt(Card& card);
  void Settle(Card& card, CardLook look);

  NetworkCards& cards_system_;
  const Report report_;
  mutable std::mutex status_mutex_;
  std::vector<std::unique_ptr<Card>> cards_;
};

}  // namespace ntsd
