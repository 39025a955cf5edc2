#include "core/ntp/leap_file.h"

#include <openssl/evp.h>

#include <array>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>

#include "core/ntp/smear.h"

namespace ntsd {
namespace {

using Sha1 = std::array<std::uint32_t, 5>;

std::string_view TrimLeft(std::string_view text) {
  const std::size_t start = text.find_first_not_of(" \t\r");
  return start == std::string_view::npos ? std::string_view() : text.substr(start);
}

// Takes the first word off `line`; empty at its end.
std::string_view TakeWord(std::string_view& line) {
  line = TrimLeft(line);
  const std::string_view word = line.substr(0, line.find_first_of(" \t\r"));
  line.remove_prefix(word.size());
  return word;
}

template <typename Integer>
std::optional<Integer> ParseInteger(std::string_view word, int base) {
  Integer value{};
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value, base);
  if (word.empty() || error != std::errc() || end != word.data() + word.size()) return std::nullopt;
  return value;
}

// Decimal seconds since 1900, without eras. Eleven digits would be past the year 5000, and past what UnixTime holds.
std::optional<UnixTime> ParseTime(std::string_view word) {
  const auto seconds = ParseInteger<std::uint64_t>(word, 10);
  if (!seconds || *seconds >= 10'000'000'000) return std::nullopt;
  return UnixTime(std::chrono::seconds(static_cast<std::int64_t>(*seconds) - kNtpUnixOffset_s));
}

Sha1 HashOf(std::string_view digits) {
  std::array<std::uint8_t, EVP_MAX_MD_SIZE> digest{};
  EVP_Digest(digits.data(), digits.size(), digest.data(), nullptr, EVP_sha1(), nullptr);
  Sha1 words{};
  for (std::size_t i = 0; i < 20; ++i) words[i / 4] = words[i / 4] << 8 | digest[i];
  return words;
}

// What one pass over the lines gathers.
struct Content {
  LeapTable table;
  std::string hashed;  // the digits that the SHA-1 line covers, in file order
  std::optional<Sha1> hash;
  bool has_update_time = false;
  bool has_expiry = false;
};

std::optional<LeapFileFault> ReadTime(std::string_view rest, UnixTime& time, std::string& hashed) {
  const std::string_view word = TakeWord(rest);
  const auto parsed = ParseTime(word);
  if (!parsed) return LeapFileFault::kMalformedLine;
  time = *parsed;
  hashed += word;
  return std::nullopt;
}

std::optional<LeapFileFault> ReadHash(std::string_view rest, std::optional<Sha1>& hash) {
  Sha1 words{};
  for (std::uint32_t& word : words) {
    const auto value = ParseInteger<std::uint32_t>(TakeWord(rest), 16);
    if (!value) return LeapFileFault::kMalformedLine;
    word = *value;
  }
  hash = words;
  return std::nullopt;
}

std::optional<LeapFileFault> ReadEntry(std::string_view line, Content& content) {
  line = line.substr(0, line.find('#'));
  const std::string_view seconds_word = TakeWord(line);
  if (seconds_word.empty()) return std::nullopt;
  const std::string_view offset_word = TakeWord(line);
  const auto time = ParseTime(seconds_word);
  const auto offset = ParseInteger<std::uint16_t>(offset_word, 10);
  if (!time || !offset || !TrimLeft(line).empty()) return LeapFileFault::kMalformedLine;
  content.table.entries.push_back({*time, *offset});
  content.hashed += seconds_word;
  content.hashed += offset_word;
  return std::nullopt;
}

std::optional<LeapFileFault> ReadLine(std::string_view line, Content& content) {
  if (line.starts_with("#$")) {
    content.has_update_time = true;
    return ReadTime(line.substr(2), content.table.updated, content.hashed);
  }
  if (line.starts_with("#@")) {
    content.has_expiry = true;
    return ReadTime(line.substr(2), content.table.expires, content.hashed);
  }
  if (line.starts_with("#h")) return ReadHash(line.substr(2), content.hash);
  return ReadEntry(line, content);
}

std::optional<LeapFileFault> CheckEntries(const std::vector<LeapTable::Entry>& entries) {
  if (entries.empty()) return LeapFileFault::kNoLeapSeconds;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (EndOfMonth(entries[i].at - Duration(1)) != entries[i].at) return LeapFileFault::kNotAtMonthEnd;
    if (i == 0) continue;
    if (entries[i].at <= entries[i - 1].at) return LeapFileFault::kNotInOrder;
    if (std::abs(entries[i].tai_offset - entries[i - 1].tai_offset) != 1) return LeapFileFault::kNotInOrder;
  }
  return std::nullopt;
}

}  // namespace

std::string_view ToString(LeapFileFault fault) {
  switch (fault) {
    case LeapFileFault::kTooLarge:
      return "the file is larger than a list of leap seconds can be";
    case LeapFileFault::kNoUpdateTime:
      return "there is no line with the time of the last update (#$)";
    case LeapFileFault::kNoExpiry:
      return "there is no line with the time of expiry (#@)";
    case LeapFileFault::kNoHash:
      return "there is no line with the hash (#h)";
    case LeapFileFault::kMalformedLine:
      return "a line is neither a comment nor a time and an offset";
    case LeapFileFault::kNotInOrder:
      return "the times do not rise, or an offset does not change by one";
    case LeapFileFault::kNotAtMonthEnd:
      return "a leap second does not end a month";
    case LeapFileFault::kNoLeapSeconds:
      return "there are no leap seconds in it";
    case LeapFileFault::kHashMismatch:
      return "the hash does not match: altered or cut short";
  }
  return "unknown";
}

Expected<LeapTable, LeapFileFault> ParseLeapFile(std::string_view text) {
  if (text.size() > kLeapFileSizeMax) return Unexpected(LeapFileFault::kTooLarge);
  Content content;
  while (!text.empty()) {  // each round takes a line off
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(line.size() == text.size() ? line.size() : line.size() + 1);
    if (const auto fault = ReadLine(line, content)) return Unexpected(*fault);
  }
  if (!content.has_update_time) return Unexpected(LeapFileFault::kNoUpdateTime);
  if (!content.has_expiry) return Unexpected(LeapFileFault::kNoExpiry);
  if (!content.hash) return Unexpected(LeapFileFault::kNoHash);
  if (const auto fault = CheckEntries(content.table.entries)) return Unexpected(*fault);
  if (*content.hash != HashOf(content.hashed)) return Unexpected(LeapFileFault::kHashMismatch);
  return content.table;
}

LeapSecond LeapTable::NearestTo(UnixTime now) const {
  // The first entry only says how TAI and UTC began; it is no leap second.
  for (std::size_t i = 1; i < entries.size(); ++i) {
    if (now >= entries[i].at + kSmearHalf) continue;
    const int change = entries[i].tai_offset - entries[i - 1].tai_offset;
    return {.at = entries[i].at, .change = static_cast<std::int8_t>(change), .passed = false, .known_in_time = true};
  }
  return {};
}

}  // namespace ntsd
