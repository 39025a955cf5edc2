// Reading and writing the words of key files: numbers, times, hexadecimal keys, line by line.
//
// Threads: each object belongs to one thread. Errors: what cannot be read is nothing; nothing here names a key.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/time.h"
#include "core/keys/key_file.h"

namespace ntsd {

// Walks through lines that end with '\n'; a last line may lack it.
class LineWalker {
 public:
  explicit LineWalker(std::string_view text) : rest_(text) {}

  // The number of the line that Next() gave last, from one.
  std::size_t number() const { return number_; }
  bool AtEnd() const { return rest_.empty(); }
  // Without its '\n'; empty at the end.
  std::string_view Next();

 private:
  std::string_view rest_;
  std::size_t number_ = 0;
};

// The words of one line. A line with more than kMax of them has count kMax + 1.
struct Words {
  static constexpr std::size_t kMax = 6;
  std::array<std::string_view, kMax> word{};
  std::size_t count = 0;
};
// Split at every character of `separators`; runs of them count as one.
Words SplitWords(std::string_view line, std::string_view separators);

std::optional<std::uint32_t> ParseDecimal(std::string_view text);
// 1 to 8 hexadecimal digits of either case.
std::optional<KeyId> ParseKeyId(std::string_view text);
// Exactly AeadKeySize(aead) octets, in digits of either case.
std::optional<Secret<kAeadKeySizeMax>> ParseKeyOctets(std::string_view text, AeadId aead);
// A master key's AEAD: 15 or 30.
std::optional<AeadId> ParseMasterAead(std::string_view text);
// "2026-11-21T12:00:00Z", years 1970 to 2199.
std::optional<UnixTime> ParseTime(std::string_view text);

enum class HexCase : bool { kLower, kUpper };
void AppendKeyId(SecretText& text, KeyId id, HexCase letters);
void AppendHex(SecretText& text, ByteView octets, HexCase letters);
// The nearest time that ParseTime() takes.
void AppendTime(SecretText& text, UnixTime time);

}  // namespace ntsd
