// chrony's `ntskeys` text, read; WriteChronyKeys() of key_file.h writes it.
//
// Threads: functions of their arguments. Errors: as in key_file.h.
#pragma once

#include <optional>
#include <string_view>

#include "core/keys/key_file.h"

namespace ntsd {

enum class ChronyVersion : std::uint8_t { kNks0, kNks1 };

// By the first line; nothing when this is not chrony's.
std::optional<ChronyVersion> ChronyVersionOf(std::string_view text);

// The ring of a file that was written at `written`. chrony keeps the age of the current key only: it also stands for
// the time when the other keys were made.
Expected<StoredRing, KeyFileError> ParseChronyKeys(std::string_view text, ChronyVersion version, UnixTime written);

}  // namespace ntsd
