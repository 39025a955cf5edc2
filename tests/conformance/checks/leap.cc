#include <fmt/format.h>

#include <chrono>

#include "tests/conformance/checks/checks.h"
#include "tests/conformance/checks/common.h"
#include "tests/conformance/probe/udp.h"

namespace ntsd::conformance {
namespace {

bool Announces(const NtpHeader& header) {
  return header.leap == LeapIndicator::kInsert || header.leap == LeapIndicator::kDelete;
}

std::string LeapText(const NtpHeader& header) { return fmt::format("LI {}", static_cast<unsigned>(header.leap)); }

// The day of the month, and how many days the month still has.
int DaysLeft() {
  const auto today = std::chrono::floor<std::chrono::days>(WallClock());
  const std::chrono::year_month_day date(today);
  const std::chrono::sys_days last = date.year() / date.month() / std::chrono::last;
  return static_cast<int>((last - today).count());
}

Finding OnlyAtMonthsEnd(Probe& probe) {
  const NtpReply came = probe.Ask(probe.Plain());
  if (!came.answer) return JudgeNtp(false, "an NTPv4 request", "an answer", came);
  // IERS has put leap seconds at the end of June and December alone, and may put them at any month's end.
  return Judge(!Announces(came.answer->header) || DaysLeft() <= 30, "an NTPv4 request",
               "LI 1 or 2 only for the end of this month", LeapText(came.answer->header));
}

Finding OnlyOnTheLastDay(Probe& probe) {
  const NtpReply came = probe.Ask(probe.Plain());
  if (!came.answer) return JudgeNtp(false, "an NTPv4 request", "an answer", came);
  return Judge(!Announces(came.answer->header) || DaysLeft() == 0, "an NTPv4 request",
               "LI 1 or 2 on the last day of the month alone", LeapText(came.answer->header));
}

Finding AlarmWithoutTime(Probe& probe) {
  const NtpReply came = probe.Ask(probe.Plain());
  if (!came.answer) return JudgeNtp(false, "an NTPv4 request", "an answer", came);
  const NtpHeader& header = came.answer->header;
  const bool has_no_time = header.stratum == 0 || header.stratum > 15;
  return Judge(has_no_time == (header.leap == LeapIndicator::kUnsynchronized), "an NTPv4 request",
               "LI 3 exactly when there is no stratum",
               fmt::format("{}, stratum {}", LeapText(header), header.stratum));
}

constexpr Check kChecks[] = {
    {"R-LEAP-01", "RFC 5905 §7.3", Level::kMust, "LI 1 and 2 are for the end of this month", OnlyAtMonthsEnd},
    {"R-LEAP-02", "RFC 8633 §3.7", Level::kRecommended, "A leap second is announced on the last day", OnlyOnTheLastDay},
    {"R-LEAP-03", "RFC 8633 §3.7.1", Level::kMust, "A public server does not smear", nullptr,
     "it shows only around a leap second"},
    {"R-LEAP-04", "RFC 8633 §3.7.1", Level::kMust, "No announcement while smearing", nullptr,
     "it shows only around a leap second"},
    {"R-LEAP-05", "RFC 5905 §7.3", Level::kMust, "LI 3 whenever unsynchronised", AlarmWithoutTime},
};

}  // namespace

std::span<const Check> LeapChecks() { return kChecks; }

}  // namespace ntsd::conformance
