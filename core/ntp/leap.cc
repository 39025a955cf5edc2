#include "core/ntp/leap.h"

namespace ntsd {

UnixTime EndOfMonth(UnixTime time) {
  using namespace std::chrono;
  const year_month_day today(floor<days>(time));
  return sys_days((today.year() / today.month() + months(1)) / day(1));
}

LeapIndicator AnnouncedLeap(const LeapSecond& leap, UnixTime now) {
  const UnixTime last_day = leap.at - std::chrono::hours(24);
  if (leap.change == 0 || now < last_day || now >= leap.at) return LeapIndicator::kNone;
  return leap.change > 0 ? LeapIndicator::kInsert : LeapIndicator::kDelete;
}

}  // namespace ntsd
