// When answers really leave, reckoned before they do: learned from the few whose departure the kernel tells.
//
// A transmit timestamp is authenticated, so it is written before the answer is sealed and sent, which takes some
// microseconds more. How many depends on what is done in between: on how many answers are sealed and sent together, and
// on the answer's place among them. For each such place this keeps the delays of the last few that were measured, and
// expects the middle one: one answer that was held up by an interrupt moves it by one place, not by its delay.
//
// Threads: belongs to one thread. Memory: some kilobytes, inside. Errors: none.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "core/base/time.h"
#include "core/limits.h"

namespace ntsd {

// An answer's place in the group that it is sealed and sent with.
struct SendPlace {
  bool is_sealed = false;       // the group holds NTS answers
  std::uint8_t group_size = 1;  // 1 to kSendGroupSizeMax
  std::uint8_t position = 0;    // below group_size
};

class DepartureModel {
 public:
  // From the clock reading to the departure. Zero until kDepartureSamplesMin were learned.
  // By reference, here and below: a copy would wait for the octet that was just counted up.
  Duration DelayAt(const SendPlace& place) const { return places_[IndexOf(place)].expected; }

  // An answer of that place left `delay` after the clock reading.
  void Learn(SendPlace place, Duration delay);

  // Forgets all of it.
  void Reset() { places_ = {}; }

 private:
  struct Place {
    Duration expected{};
    std::array<std::int32_t, kDepartureWindow> delays_ns{};  // a ring
    std::uint32_t next = 0;
    std::uint32_t count = 0;
  };

  static std::size_t IndexOf(const SendPlace& place);

  std::array<Place, 2 * kSendGroupSizeMax * kSendGroupSizeMax> places_{};
};

// Which answers the kernel is asked to stamp: one in so many, so that it costs next to nothing under load, but some
// each second even when there are few. Answers to interleaved clients, who will be told what the kernel says, come
// first.
//
// Threads: belongs to one thread. Memory: a value. Errors: none.
class SampleBudget {
 public:
  // One stamp costs the kernel and us about half an answer. That is 1 % at 1 in 64, and no more than half of a percent
  // at this.
  static constexpr std::int64_t kAnswersPerSample = 128;
  // And what time gives: 256 stamps a second, which are less than a thousandth of a CPU, so that a server with little
  // to do learns soon and can measure every answer that an interleaved client will ask about.
  static constexpr std::int64_t kSamplesPerSecond = 256;
  static constexpr Duration kTimePerCredit =
      std::chrono::nanoseconds(1'000'000'000 / (kSamplesPerSecond * kAnswersPerSample));

  // Time goes on; once a group.
  void Earn(MonotonicTime now);
  // Whether the next answer is to be stamped. `dice` is random, so that samples do not keep step with the groups.
  bool Spend(bool is_preferred, std::uint32_t dice);

 private:
  static constexpr std::int64_t kCreditMax = 32 * kAnswersPerSample;
  // Half of it is for those who are preferred.
  static constexpr std::int64_t kReserve = kCreditMax / 2;

  std::int64_t credit_ = kCreditMax;
  std::int64_t threshold_ = kReserve;
  MonotonicTime earned_at_{};
};

}  // namespace ntsd
