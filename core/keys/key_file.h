// The text of key files, read and written: our own format, and chrony's `ntskeys` in both its versions.
//
// Ours, one item a line, ends with a digest of all that stands before it, so that a file that was cut or edited is
// recognised:
//   ntsd-keys 1
//   current-since 2026-11-21T12:00:00Z
//   key ID STATE AEAD CREATED KEY        newest first: `future`, `current`, then `past` keys; numbers as in a cookie
//   revoked ID
//   checksum DIGEST
//
// chrony's: `NKS1`, the age in seconds of the current key, four lines `ID KEY AEAD`: two past keys, the current, the
// future one; or `NKS0`, a line `AEAD AGE`, four lines `ID KEY`.
//
// Threads: functions of their arguments. Memory: text of keys stands in guarded memory.
// Errors: values that name the line and what was expected there, and never what was found, which may be a key.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/expected.h"
#include "core/base/random.h"
#include "core/base/time.h"
#include "core/keys/stored_ring.h"
#include "core/keys/vault.h"

namespace ntsd {

// Text that holds keys. (Up to 15 characters would stand in the object itself; a key has more.)
using SecretText = std::basic_string<char, std::char_traits<char>, GuardedAllocator<char>>;

enum class KeyFileFormat : std::uint8_t { kNtsd, kChrony };

enum class KeyFileProblem : std::uint8_t {
  kForeign,   // not a key file at all: must never be overwritten
  kNewer,     // ours, of a version that we do not know
  kTooLarge,  // beyond kKeyFileSizeMax
  kTorn,      // the end is missing, or the digest says that something else is
  kBadLine,   // a line that the format does not allow
  kBadRing,   // each line is right, but together they are no ring
};
inline constexpr std::size_t kKeyFileProblemCount = 6;

struct KeyFileError {
  KeyFileProblem problem;
  std::size_t line;      // from one; 0 when it is about the whole file
  std::string expected;  // what should have been there

  friend bool operator==(const KeyFileError&, const KeyFileError&) = default;
};
// "line 3: expected …", for the log and for the operator.
std::string DescribeKeyFileError(const KeyFileError& error);

struct ParsedKeyFile {
  StoredRing ring;
  KeyFileFormat format;
};
// Knows the format by the first line. `written` is when the file was written: chrony's files tell ages.
Expected<ParsedKeyFile, KeyFileError> ParseKeyFile(std::string_view text, UnixTime written);

SecretText WriteKeyFile(const StoredRing& ring);

struct ChronyExport {
  SecretText text;
  std::vector<KeyId> left_out;    // keys that open cookies here and will not there
  std::size_t filled_up = 0;      // past places that were filled with random keys
  bool needs_chrony_4_6 = false;  // NKS1: chronyd 4.3 overwrites such a file with new keys
};
// NKS0 when all four keys are of AEAD 15, which every chronyd reads, else NKS1. `age` is the current key's.
ChronyExport WriteChronyKeys(const StoredRing& ring, Duration age, Random& random);

}  // namespace ntsd
