#include "core/keys/key_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <iterator>

namespace ntsd {
namespace {

// What ParseTime() takes.
constexpr int kYearMin = 1970;
constexpr int kYearMax = 2199;
constexpr UnixTime kTimeMax = std::chrono::sys_days(std::chrono::year(kYearMax) / 12 / 31);

std::optional<std::uint8_t> HexDigit(char c) {
  if (c >= '0' && c <= '9') return static_cast<std::uint8_t>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<std::uint8_t>(c - 'a' + 10);
  if (c >= 'A' && c <= 'F') return static_cast<std::uint8_t>(c - 'A' + 10);
  return std::nullopt;
}

// All of `text` as a number of exactly that many digits.
std::optional<unsigned> FixedDigits(std::string_view text) {
  unsigned value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<unsigned>(c - '0');
  }
  return value;
}

}  // namespace

std::string_view LineWalker::Next() {
  if (AtEnd()) return {};
  ++number_;
  const std::size_t end = rest_.find('\n');
  const std::string_view line = rest_.substr(0, end);
  rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
  return line;
}

Words SplitWords(std::string_view line, std::string_view separators) {
  Words words;
  // Ends: every turn takes at least one character away.
  while (words.count <= Words::kMax) {
    const std::size_t begin = line.find_first_not_of(separators);
    if (begin == std::string_view::npos) break;
    line.remove_prefix(begin);
    const std::size_t size = std::min(line.find_first_of(separators), line.size());
    if (words.count < Words::kMax) words.word[words.count] = line.substr(0, size);
    ++words.count;
    line.remove_prefix(size);
  }
  return words;
}

std::optional<std::uint32_t> ParseDecimal(std::string_view text) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<KeyId> ParseKeyId(std::string_view text) {
  if (text.empty() || text.size() > 8) return std::nullopt;
  KeyId id = 0;
  for (const char c : text) {
    const std::optional<std::uint8_t> digit = HexDigit(c);
    if (!digit) return std::nullopt;
    id = id << 4 | *digit;
  }
  return id;
}

std::optional<Secret<kAeadKeySizeMax>> ParseKeyOctets(std::string_view text, AeadId aead) {
  if (text.size() != 2 * AeadKeySize(aead)) return std::nullopt;
  Secret<kAeadKeySizeMax> key;
  const ByteSpan octets = key.Resize(AeadKeySize(aead));
  for (std::size_t i = 0; i < octets.size(); ++i) {
    const std::optional<std::uint8_t> high = HexDigit(text[2 * i]);
    const std::optional<std::uint8_t> low = HexDigit(text[2 * i + 1]);
    if (!high || !low) return std::nullopt;
    octets[i] = static_cast<std::uint8_t>(*high << 4 | *low);
  }
  return key;
}

std::optional<AeadId> ParseMasterAead(std::string_view text) {
  if (text == "15") return AeadId::kAesSivCmac256;
  if (text == "30") return AeadId::kAes128GcmSiv;
  return std::nullopt;
}

std::optional<UnixTime> ParseTime(std::string_view text) {
  if (text.size() != 20 || text[4] != '-' || text[7] != '-' || text[10] != 'T' || text[13] != ':' || text[16] != ':' ||
      text[19] != 'Z') {
    return std::nullopt;
  }
  const std::optional<unsigned> year = FixedDigits(text.substr(0, 4));
  const std::optional<unsigned> month = FixedDigits(text.substr(5, 2));
  const std::optional<unsigned> day = FixedDigits(text.substr(8, 2));
  const std::optional<unsigned> hour = FixedDigits(text.substr(11, 2));
  const std::optional<unsigned> minute = FixedDigits(text.substr(14, 2));
  const std::optional<unsigned> second = FixedDigits(text.substr(17, 2));
  if (!year || !month || !day || !hour || !minute || !second) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(static_cast<int>(*year)), std::chrono::month(*month),
                                         std::chrono::day(*day)};
  if (!date.ok() || static_cast<int>(*year) < kYearMin || static_cast<int>(*year) > kYearMax || *hour > 23 ||
      *minute > 59 || *second > 59)
    return std::nullopt;
  return std::chrono::sys_days(date) + std::chrono::hours(*hour) + std::chrono::minutes(*minute) +
         std::chrono::seconds(*second);
}

void AppendKeyId(SecretText& text, KeyId id, HexCase letters) {
  std::array<std::uint8_t, 4> octets;
  ByteWriter writer(octets);
  writer.WriteU32(id);
  AppendHex(text, octets, letters);
}

void AppendHex(SecretText& text, ByteView octets, HexCase letters) {
  // Digit by digit, not through a formatting buffer, which nobody would wipe.
  const std::string_view digits = letters == HexCase::kUpper ? "0123456789ABCDEF" : "0123456789abcdef";
  for (const std::uint8_t octet : octets) {
    text += digits[octet >> 4];
    text += digits[octet & 15];
  }
}

void AppendTime(SecretText& text, UnixTime time) {
  // A clock that is wrong tells other times; a file with one of them could not be read again.
  time = std::clamp(time, UnixTime{}, kTimeMax);
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(std::chrono::floor<std::chrono::seconds>(time - day));
  fmt::format_to(std::back_inserter(text), "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", static_cast<int>(date.year()),
                 static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), clock.hours().count(),
                 clock.minutes().count(), clock.seconds().count());
}

}  // namespace ntsd
