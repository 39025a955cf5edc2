#include "server/udp/card_clocks.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "core/base/check.h"

namespace ntsd {
namespace {

// A clock that is lost and found all the time is reported once a minute.
constexpr unsigned kLooksPerReport = 60;
// And one that is not found at first.
constexpr unsigned kLooksBeforeFirstReport = 5;

std::string With(const char* what, int error) { return std::string(what) + ": " + std::strerror(error); }

std::string MicrosecondsText(Duration duration) {
  std::array<char, 32> text;
  const int size = std::snprintf(text.data(), text.size(), "%.2f µs", static_cast<double>(duration.count()) / 1000);
  return {text.data(), static_cast<std::size_t>(size)};
}

// Makes the card stamp what it receives. An empty text: it does.
std::string SetUp(NetworkCards& cards, const std::string& interface, std::uint32_t offered_filters) {
  const auto current = cards.SettingsOf(interface);
  if (!current) return With("its driver does not tell how it is set up, so it is left alone", current.error());
  const auto wanted = WidenFilter(*current, offered_filters);
  if (!wanted) return wanted.error();
  if (!*wanted) return {};
  const auto in_force = cards.Change(interface, **wanted);
  if (!in_force) return With("it cannot be set up (this needs CAP_NET_ADMIN)", in_force.error());
  return StampsNtp(*in_force) ? std::string()
                              : std::string("its driver has chosen another filter than it was asked for");
}

// Why the kernel's stamps are used while the model knows nothing.
const char* WhyNot(CardLook look) {
  switch (look) {
    case CardLook::kTaken:
      return "its clock is being learned";
    case CardLook::kUnread:
      return "its clock cannot be read";
    case CardLook::kWide:
      return "readings of its clock take too long";
    case CardLook::kJumped:
      return "its clock or the system clock was set, or changes its rate too quickly";
    case CardLook::kCount:
      break;
  }
  return "unknown";
}

}  // namespace

CardClocks::CardClocks(std::span<const std::string> interfaces, NetworkCards& cards, Report report)
    : cards_system_(cards), report_(std::move(report)) {
  CHECK(interfaces.size() <= kCardsMax);
  for (const std::string& interface : interfaces) {
    cards_.push_back(std::make_unique<Card>());
    cards_.back()->status.interface = interface;
    Open(*cards_.back());
    if (!cards_.back()->clock) report_(cards_.back()->status);
  }
}

void CardClocks::Open(Card& card) {
  const std::string& interface = card.status.interface;
  std::string& detail = card.status.detail;
  card.index = cards_system_.IndexOf(interface);
  if (card.index == 0) {
    detail = "there is no such interface";
    return;
  }
  const auto abilities = cards_system_.AbilitiesOf(interface);
  if (!abilities || !abilities->can_stamp_received || abilities->clock_index < 0) {
    detail = "its card or driver stamps nothing that it receives";
    return;
  }
  detail = SetUp(cards_system_, interface, abilities->receive_filters);
  if (!detail.empty()) return;
  card.name = "ptp" + std::to_string(abilities->clock_index);
  auto clock = cards_system_.OpenClock(abilities->clock_index);
  if (!clock) {
    detail = With(("its clock /dev/" + card.name).c_str(), clock.error());
    return;
  }
  card.clock = std::move(*clock);
  detail = WhyNot(CardLook::kTaken);
}

bool CardClocks::HasAny() const {
  return std::any_of(cards_.begin(), cards_.end(), [](const auto& card) { return static_cast<bool>(card->clock); });
}

void CardClocks::Look() {
  for (const auto& card : cards_) {
    if (card->clock) LookAt(*card);
  }
}

void CardClocks::LookAt(Card& card) {
  std::array<CardReading, kCardReadingsPerLook> room;
  const CardLook look = card.model.Learn(cards_system_.Read(card.clock.get(), room));
  card.mapping.Publish(card.model.mapping());
  Settle(card, look);
}

// Puts the outcome where it is seen: into the status always, into the log when it is news.
void CardClocks::Settle(Card& card, CardLook look) {
  const CardMapping& mapping = card.model.mapping();
  CardStatus status;
  {
    const std::lock_guard lock(status_mutex_);
    card.status.is_used = mapping.is_usable;
    card.status.error = mapping.error;
    if (mapping.is_usable) {
      card.status.detail = "its clock " + card.name + " is known to " + MicrosecondsText(mapping.error);
    } else if (look != CardLook::kTaken) {
      card.status.detail = WhyNot(look);
    }
    status = card.status;
  }
  ++card.looks_unreported;
  const bool is_due = card.reported_used
                          ? *card.reported_used != status.is_used && card.looks_unreported >= kLooksPerReport
                          : status.is_used || card.looks_unreported >= kLooksBeforeFirstReport;
  if (!is_due) return;
  card.reported_used = status.is_used;
  card.looks_unreported = 0;
  report_(status);
}

std::vector<CardStatus> CardClocks::Statuses() const {
  const std::lock_guard lock(status_mutex_);
  std::vector<CardStatus> statuses;
  for (const auto& card : cards_) statuses.push_back(card->status);
  return statuses;
}

Expected<UnixTime, CardRefusal> CardClocks::Map(unsigned interface, CardTime stamp, UnixTime by_kernel) const {
  for (const auto& card : cards_) {
    if (card->index == interface && card->clock) return card->mapping.Read().Map(stamp, by_kernel);
  }
  return Unexpected(CardRefusal::kNotMapped);
}

}  // namespace ntsd
