#include "core/ntp/departure_model.h"

#include <algorithm>

#include "core/base/check.h"

namespace ntsd {

std::size_t DepartureModel::IndexOf(const SendPlace& place) {
  CHECK(place.group_size >= 1 && place.group_size <= kSendGroupSizeMax && place.position < place.group_size);
  return ((place.is_sealed ? kSendGroupSizeMax : 0) + place.group_size - 1U) * kSendGroupSizeMax + place.position;
}

void DepartureModel::Learn(SendPlace place, Duration delay) {
  Place& known = places_[IndexOf(place)];
  const Duration clamped = std::clamp(delay, Duration::zero(), kDepartureDelayMax);
  known.delays_ns[known.next] = static_cast<std::int32_t>(clamped.count());
  known.next = (known.next + 1) % static_cast<std::uint32_t>(kDepartureWindow);
  known.count = std::min<std::uint32_t>(known.count + 1, kDepartureWindow);
  if (known.count < kDepartureSamplesMin) return;
  std::array<std::int32_t, kDepartureWindow> sorted = known.delays_ns;
  const auto middle = sorted.begin() + known.count / 2;
  std::nth_element(sorted.begin(), middle, sorted.begin() + known.count);
  known.expected = Duration(*middle);
}

void SampleBudget::Earn(MonotonicTime now) {
  const std::int64_t earned = (now - earned_at_) / kTimePerCredit;
  if (earned <= 0) return;
  // What is left of the time counts with the next; after a long pause there is no more than fits.
  earned_at_ = earned >= kCreditMax ? now : earned_at_ + earned * kTimePerCredit;
  credit_ = std::min(kCreditMax, credit_ + std::min(earned, kCreditMax));
}

bool SampleBudget::Spend(bool is_preferred, std::uint32_t dice) {
  ++credit_;
  if (credit_ < (is_preferred ? kAnswersPerSample : threshold_)) return false;
  credit_ -= kAnswersPerSample;
  threshold_ = kReserve + dice % kAnswersPerSample;
  return true;
}

}  // namespace ntsd
