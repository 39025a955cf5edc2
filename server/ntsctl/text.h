// The small words of ntsctl's output: times, ages, dates, and colours for terminals.
//
// Threads: functions of their arguments.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/time.h"
#include "core/ntp/header.h"

namespace ntsd {

// Escape sequences, or nothing at all when the output is no terminal.
struct Palette {
  std::string_view good;
  std::string_view bad;
  std::string_view bold;
  std::string_view plain;

  static Palette ForTerminal() { return {"\x1b[32m", "\x1b[31m", "\x1b[1m", "\x1b[0m"}; }
  static Palette None() { return {}; }

  std::string Good(std::string_view text) const { return std::string(good) + std::string(text) + std::string(plain); }
  std::string Bad(std::string_view text) const { return std::string(bad) + std::string(text) + std::string(plain); }
  std::string Bold(std::string_view text) const { return std::string(bold) + std::string(text) + std::string(plain); }
};

// "12.3 us", "-1.500 s": four digits in the unit that suits; 0 is "0 s".
std::string FormatSeconds(double seconds);
// With a sign in any case: "+12.3 us".
std::string FormatOffset(double seconds);
// "3 d 4 h", "5 min 6 s", "7 s": two units at most.
std::string FormatAge(double seconds);
// "2026-11-21 14:00:00 UTC".
std::string FormatDate(std::int64_t unix_time_s);
// "in 61 days", "today", "3 days ago": how far `then` is from `now`.
std::string FormatDays(std::int64_t then_s, std::int64_t now_s);
// "none", "insert", "delete", "unsynchronized".
std::string_view LeapText(LeapIndicator leap);
// "GPS" for stratum 1 and kisses, "192.0.2.1" else (RFC 5905 §7.3).
std::string ReferenceIdText(int stratum, std::uint32_t id);
// Control characters, which another host may have sent, cannot reach the terminal.
std::string Printable(std::string_view text);

}  // namespace ntsd
