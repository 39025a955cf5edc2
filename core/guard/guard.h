// Stands before everything that costs something: says for each source of a batch whether it is served, told to slow
// down, or met with silence. The NTP workers share one guard, the NTS-KE workers another.
//
// Threads: Reload(), Housekeep() by one thread (control). Each worker thread owns one Guard::Worker; its counters and
//          clients may be read by anyone. The table of rates is shared without locks (rate_limiter.h).
// Memory: everything is allocated when guard, policy and worker are made; a batch allocates nothing.
// Errors: settings that cannot be kept are refused by GuardPolicy::Make(), before anything changes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "core/base/counters.h"
#include "core/base/expected.h"
#include "core/base/pinned.h"
#include "core/base/random.h"
#include "core/base/time.h"
#include "core/guard/access_list.h"
#include "core/guard/busy_clients.h"
#include "core/guard/rate_limiter.h"
#include "core/guard/unique_clients.h"
#include "core/limits.h"

namespace ntsd {

// [access] with [limits.ntp] or [limits.ke], as the configuration has them.
struct GuardSettings {
  AccessRules access;
  RateLimits rate;
  bool list_clients = false;  // `clients`: keep the table of the busiest networks
};

// What becomes of a packet, and why: each value has a counter.
enum class GuardReason : std::uint8_t {
  kWithinRate,      // served, and so is everybody else while limits are off
  kExempt,          // served: in a prefix that is never limited
  kLeaked,          // served, as part of the excess, so that a spoofer cannot silence a victim
  kRateKod,         // answered with RATE
  kRateDropped,     // silence: over the rate
  kDeniedByAccess,  // silence: denied by the access lists
};
inline constexpr std::size_t kGuardReasonCount = 6;

enum class GuardAction : std::uint8_t { kServe, kRate, kDrop };

constexpr GuardAction ActionOf(GuardReason reason) {
  switch (reason) {
    case GuardReason::kWithinRate:
    case GuardReason::kExempt:
    case GuardReason::kLeaked:
      return GuardAction::kServe;
    case GuardReason::kRateKod:
      return GuardAction::kRate;
    case GuardReason::kRateDropped:
    case GuardReason::kDeniedByAccess:
      break;
  }
  return GuardAction::kDrop;
}

// "rate_dropped", "access_denied" …: what metrics and `ntsctl stats` call it.
std::string_view GuardReasonName(GuardReason reason);

// The settings in the shape that workers use. Never changes once a guard has it.
class GuardPolicy {
 public:
  static Expected<std::unique_ptr<GuardPolicy>, RateLimitsError> Make(const GuardSettings& settings);

 private:
  friend class Guard;
  GuardPolicy(const GuardSettings& settings, const RatePolicy& rate);

  AccessList access_;
  RatePolicy rate_;
  PrefixLengths prefixes_;
  bool list_clients_;
};

class Guard {
  using Policy = Pinned<GuardPolicy, kGuardReadersMax>;

 public:
  class Worker {
   public:
    explicit Worker(Guard& guard) : guard_(&guard), policy_(guard.policy_) {}

    // reasons[i] = what becomes of a packet from sources[i], in their order. At most kBatchSizeMax.
    void Decide(std::span<const IpAddress> sources, MonotonicTime now, Random& random, std::span<GuardReason> reasons);

    // By GuardReason.
    const Counters<kGuardReasonCount>& counters() const { return counters_; }
    const UniqueClients& unique_clients() const { return unique_clients_; }
    const BusyClients& busy_clients() const { return busy_clients_; }

   private:
    using Hashes = std::array<std::uint64_t, kBatchSizeMax>;

    void Limit(const GuardPolicy& policy, const Hashes& hashes, MonotonicTime now, Random& random,
               std::span<GuardReason> reasons);
    void Survey(const GuardPolicy& policy, std::span<const IpAddress> sources, const Hashes& hashes, MonotonicTime now,
                std::span<const GuardReason> reasons);

    Guard* guard_;
    Policy::Reader policy_;
    Counters<kGuardReasonCount> counters_;
    UniqueClients unique_clients_;
    BusyClients busy_clients_;
  };

  // `cell_count` as in RateLimiter; `random` gives the secret of the table.
  Guard(std::size_t cell_count, std::unique_ptr<GuardPolicy> policy, Random& random);

  // Puts other settings in force for every batch that begins from now on. No bucket is lost, unless the prefix lengths
  // change: then everybody starts with a full one.
  void Reload(std::unique_ptr<GuardPolicy> policy);

  // To be called once a minute or so (see RateLimiter::Sweep for the bound): lets go of old settings and full buckets.
  // Returns how many buckets are in debt, out of cell_count().
  std::size_t Housekeep(MonotonicTime now);
  std::size_t cell_count() const { return limiter_.cell_count(); }

 private:
  RateLimiter limiter_;
  Policy policy_;
};

}  // namespace ntsd
