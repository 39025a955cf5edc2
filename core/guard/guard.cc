#include "core/guard/guard.h"

#include <utility>

#include "core/base/check.h"

namespace ntsd {
namespace {

// Before the limiter has spoken: only kWithinRate is still open.
GuardReason ToReason(Access access) {
  switch (access) {
    case Access::kAllowed:
      return GuardReason::kWithinRate;
    case Access::kExempt:
      return GuardReason::kExempt;
    case Access::kDenied:
      break;
  }
  return GuardReason::kDeniedByAccess;
}

GuardReason ToReason(RateVerdict verdict) {
  switch (verdict) {
    case RateVerdict::kWithin:
      return GuardReason::kWithinRate;
    case RateVerdict::kLeaked:
      return GuardReason::kLeaked;
    case RateVerdict::kRate:
      return GuardReason::kRateKod;
    case RateVerdict::kDropped:
      break;
  }
  return GuardReason::kRateDropped;
}

}  // namespace

std::string_view GuardReasonName(GuardReason reason) {
  switch (reason) {
    case GuardReason::kWithinRate:
      return "within_rate";
    case GuardReason::kExempt:
      return "rate_exempt";
    case GuardReason::kLeaked:
      return "rate_leaked";
    case GuardReason::kRateKod:
      return "rate_kod";
    case GuardReason::kRateDropped:
      return "rate_dropped";
    case GuardReason::kDeniedByAccess:
      break;
  }
  return "access_denied";
}

Expected<std::unique_ptr<GuardPolicy>, RateLimitsError> GuardPolicy::Make(const GuardSettings& settings) {
  const auto rate = RatePolicy::Make(settings.rate);
  if (!rate) return Unexpected(rate.error());
  return std::unique_ptr<GuardPolicy>(new GuardPolicy(settings, *rate));
}

GuardPolicy::GuardPolicy(const GuardSettings& settings, const RatePolicy& rate)
    : access_(settings.access), rate_(rate), prefixes_(settings.rate.prefixes), list_clients_(settings.list_clients) {}

Guard::Guard(std::size_t cell_count, std::unique_ptr<GuardPolicy> policy, Random& random)
    : limiter_(cell_count, random), policy_(std::move(policy)) {}

void Guard::Reload(std::unique_ptr<GuardPolicy> policy) {
  CHECK(policy != nullptr);
  policy->rate_.Succeed(policy_.Current()->rate_);
  policy_.Publish(std::move(policy));
}

std::size_t Guard::Housekeep(MonotonicTime now) {
  policy_.Reclaim();
  return limiter_.Sweep(policy_.Current()->rate_, now);
}

void Guard::Worker::Decide(std::span<const IpAddress> sources, MonotonicTime now, Random& random,
                           std::span<GuardReason> reasons) {
  CHECK(sources.size() <= kBatchSizeMax && reasons.size() == sources.size());
  const auto policy = policy_.Acquire();
  Hashes hashes;
  // The buckets are on their way from memory while the access lists are looked up.
  guard_->limiter_.Prepare(policy->rate_, sources, std::span(hashes).first(sources.size()));
  std::array<Access, kBatchSizeMax> access;
  policy->access_.LookUp(sources, std::span(access).first(sources.size()));
  for (std::size_t i = 0; i < sources.size(); ++i) reasons[i] = ToReason(access[i]);
  if (policy->rate_.limited()) Limit(*policy, hashes, now, random, reasons);
  Survey(*policy, sources, hashes, now, reasons);
}

// Asks the limiter about those who are allowed and not exempt.
void Guard::Worker::Limit(const GuardPolicy& policy, const Hashes& hashes, MonotonicTime now, Random& random,
                          std::span<GuardReason> reasons) {
  std::array<std::uint64_t, kBatchSizeMax> limited;
  std::array<std::uint8_t, kBatchSizeMax> origin;
  std::size_t count = 0;
  for (std::size_t i = 0; i < reasons.size(); ++i) {
    limited[count] = hashes[i];
    origin[count] = static_cast<std::uint8_t>(i);
    count += reasons[i] == GuardReason::kWithinRate ? 1 : 0;
  }
  std::array<RateVerdict, kBatchSizeMax> verdicts;
  guard_->limiter_.Decide(policy.rate_, std::span(limited).first(count), now, random, std::span(verdicts).first(count));
  for (std::size_t i = 0; i < count; ++i) reasons[origin[i]] = ToReason(verdicts[i]);
}

// Counts what was decided: by reason, and of whom.
void Guard::Worker::Survey(const GuardPolicy& policy, std::span<const IpAddress> sources, const Hashes& hashes,
                           MonotonicTime now, std::span<const GuardReason> reasons) {
  std::array<std::uint32_t, kGuardReasonCount> counts{};
  Hashes served;
  std::size_t served_count = 0;
  for (std::size_t i = 0; i < reasons.size(); ++i) {
    ++counts[static_cast<std::size_t>(reasons[i])];
    served[served_count] = hashes[i];
    served_count += ActionOf(reasons[i]) == GuardAction::kServe ? 1 : 0;
  }
  for (std::size_t i = 0; i < kGuardReasonCount; ++i) {
    if (counts[i] != 0) counters_.Add(i, counts[i]);
  }
  unique_clients_.Add(std::span(served).first(served_count), now);

  if (!policy.list_clients_) {
    busy_clients_.Clear();
    return;
  }
  for (std::size_t i = 0; i < sources.size(); ++i) {
    const bool refused = ActionOf(reasons[i]) != GuardAction::kServe;
    busy_clients_.Add(sources[i], policy.prefixes_, hashes[i], refused, now);
  }
}

}  // namespace ntsd
