#include "core/ntp/card_clock.h"

#include <algorithm>
#include <cmath>

namespace ntsd {
namespace {

Duration Share(Duration time, double share) {
  return Duration(std::llround(static_cast<double>(time.count()) * share));
}

}  // namespace

std::string_view CardLookName(CardLook look) {
  switch (look) {
    case CardLook::kTaken:
      return "taken";
    case CardLook::kUnread:
      return "unread";
    case CardLook::kWide:
      return "wide";
    case CardLook::kJumped:
      return "jumped";
    case CardLook::kCount:
      break;
  }
  return "unknown";
}

Expected<UnixTime, CardRefusal> CardMapping::Map(CardTime stamp, UnixTime by_kernel) const {
  if (!is_usable) return Unexpected(CardRefusal::kNotMapped);
  const Duration elapsed = stamp - card;
  // Datagrams that waited in a socket are older than the last look.
  if (std::chrono::abs(elapsed) > kCardMappingAgeMax) return Unexpected(CardRefusal::kStale);
  const UnixTime came = system + elapsed + Share(elapsed, rate);
  const Duration lead = by_kernel - came;
  if (lead > kCardLeadMax || lead < -(error + kCardJumpMax)) return Unexpected(CardRefusal::kDisagrees);
  // Within the error it may seem to come after the kernel saw it, which cannot be.
  return std::min(came, by_kernel);
}

CardLook CardClockModel::Learn(std::span<const CardReading> readings) {
  if (readings.empty()) return Miss(CardLook::kUnread);
  const auto width = [](const CardReading& reading) { return reading.after - reading.before; };
  const CardReading* best = nullptr;
  for (const CardReading& reading : readings) {
    // Below zero the system clock was set between the two.
    if (width(reading) < Duration::zero() || width(reading) > kCardReadingWindowMax) continue;
    if (best == nullptr || width(reading) < width(*best)) best = &reading;
  }
  if (best == nullptr) return Miss(CardLook::kWide);
  const Look look{
      .card = best->card, .system = best->before + width(*best) / 2, .error = (width(*best) + Duration(1)) / 2};
  misses_ = 0;
  if (count_ > 0 && !IsForetold(look)) {
    Reset();
    Add(look);
    return CardLook::kJumped;
  }
  Add(look);
  return CardLook::kTaken;
}

CardLook CardClockModel::Miss(CardLook why) {
  if (++misses_ >= kCardMissesMax) Reset();
  return why;
}

// Whether the looks so far let this one be expected. The second may show any rate that a clock can have.
bool CardClockModel::IsForetold(const Look& look) const {
  const Duration elapsed = look.card - Newest().card;
  if (elapsed <= Duration::zero() || elapsed > kCardMappingAgeMax) return false;
  const Duration gained = look.system - Newest().system - elapsed;
  const Duration expected = Share(elapsed, mapping_.rate);
  const Duration tolerance = look.error + Newest().error + kCardJumpMax;
  if (count_ == 1) return std::chrono::abs(gained) <= Share(elapsed, kCardRateMax) + tolerance;
  return std::chrono::abs(gained - expected) <= tolerance;
}

void CardClockModel::Add(const Look& look) {
  looks_[next_] = look;
  next_ = (next_ + 1) % kCardLooksKept;
  count_ = std::min(count_ + 1, kCardLooksKept);
  mapping_.card = look.card;
  mapping_.system = look.system;
  mapping_.error = look.error;
  mapping_.is_usable = count_ >= kCardLooksMin;
  const Duration span = look.card - Oldest().card;
  if (span <= Duration::zero()) return;
  const Duration gained = look.system - Oldest().system - span;
  mapping_.rate = static_cast<double>(gained.count()) / static_cast<double>(span.count());
}

void CardClockModel::Reset() {
  next_ = 0;
  count_ = 0;
  mapping_ = {};
}

}  // namespace ntsd
