#include "server/ntsctl/text.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <array>
#include <cmath>
#include <ctime>

#include "core/base/ip_address.h"

namespace ntsd {

std::string FormatSeconds(double seconds) {
  struct Unit {
    std::string_view name;
    double seconds;
  };
  constexpr std::array<Unit, 4> kUnits = {{{"s", 1}, {"ms", 1e-3}, {"us", 1e-6}, {"ns", 1e-9}}};
  if (!std::isfinite(seconds)) return "unknown";
  for (const Unit& unit : kUnits) {
    const double value = seconds / unit.seconds;
    if (std::abs(value) < 0.9995) continue;
    const int digits = std::abs(value) < 10 ? 3 : std::abs(value) < 100 ? 2 : 1;
    return fmt::format("{:.{}f} {}", value, digits, unit.name);
  }
  return "0 s";
}

std::string FormatOffset(double seconds) {
  const std::string text = FormatSeconds(seconds);
  return text.front() == '-' ? text : "+" + text;
}

std::string FormatAge(double seconds) {
  struct Unit {
    std::string_view name;
    std::int64_t seconds;
  };
  constexpr std::array<Unit, 4> kUnits = {{{"d", 86400}, {"h", 3600}, {"min", 60}, {"s", 1}}};
  if (!std::isfinite(seconds) || std::abs(seconds) > 1e12) return "unknown";
  std::int64_t left = std::llround(std::max(0.0, seconds));
  std::string text;
  for (std::size_t i = 0; i < kUnits.size(); ++i) {
    const std::int64_t count = left / kUnits[i].seconds;
    if (count == 0) continue;
    text = fmt::format("{} {}", count, kUnits[i].name);
    left %= kUnits[i].seconds;
    if (i + 1 < kUnits.size() && left >= kUnits[i + 1].seconds) {
      text += fmt::format(" {} {}", left / kUnits[i + 1].seconds, kUnits[i + 1].name);
    }
    return text;
  }
  return "0 s";
}

std::string FormatDate(std::int64_t unix_time_s) {
  // Years that people write with four digits; others break the calendar functions.
  if (unix_time_s < 0 || unix_time_s > 253'402'300'799) return "unknown";
  return fmt::format("{:%Y-%m-%d %H:%M:%S} UTC", fmt::gmtime(static_cast<std::time_t>(unix_time_s)));
}

std::string FormatDays(std::int64_t then_s, std::int64_t now_s) {
  const std::int64_t days = (then_s - now_s) / 86400;
  const std::string_view word = std::abs(days) == 1 ? "day" : "days";
  if (then_s < now_s) return days == 0 ? "a moment ago" : fmt::format("{} {} ago", -days, word);
  return days == 0 ? "in less than a day" : fmt::format("in {} {}", days, word);
}

std::string_view LeapText(LeapIndicator leap) {
  switch (leap) {
    case LeapIndicator::kNone:
      return "none";
    case LeapIndicator::kInsert:
      return "insert";
    case LeapIndicator::kDelete:
      return "delete";
    case LeapIndicator::kUnsynchronized:
      return "unsynchronized";
  }
  return "unknown";
}

std::string ReferenceIdText(int stratum, std::uint32_t id) {
  if (stratum > 1) return IpAddress::V4(id).ToString();
  std::string text;
  for (int shift = 24; shift >= 0; shift -= 8) {
    const char c = static_cast<char>(id >> shift & 0xFF);
    if (c != '\0') text += c;
  }
  return Printable(text);
}

std::string Printable(std::string_view text) {
  std::string printable;
  for (const char c : text) {
    const auto octet = static_cast<unsigned char>(c);
    if (octet < 0x20 || octet == 0x7F) {
      printable += fmt::format("\\x{:02x}", octet);
    } else {
      printable += c;
    }
  }
  return printable;
}

}  // namespace ntsd
