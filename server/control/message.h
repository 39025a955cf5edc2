// The words on the control socket: one line of JSON asks, one line of JSON answers.
//   {"command":"keys-revoke","id":"0000a1b2"}
//   {"ok":true,"result":{…}}   or   {"ok":false,"error":"why not"}
//
// Threads: functions of their arguments. Errors: text that is no message gives one line that says why.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/expected.h"
#include "core/limits.h"
#include "server/control/service.h"

namespace ntsd {

// The largest key file, in which each end of a line takes two octets more.
inline constexpr std::size_t kControlRequestSizeMax = 2 * kKeyFileSizeMax;
// The largest answer is `stats`.
inline constexpr std::size_t kControlReplySizeMax = 4 * 1024 * 1024;

// How many networks `clients` lists.
inline constexpr std::size_t kClientCountDefault = 20;
inline constexpr std::size_t kClientCountMax = 1000;

enum class ControlCommand : std::uint8_t {
  kStatus,
  kStats,
  kCheck,
  kClients,
  kKeys,
  kKeysRotate,
  kKeysRevoke,
  kKeysExport,
  kKeysImport,
  kReload,
  kDrain,
  kLogLevel,
};
inline constexpr std::size_t kControlCommandCount = 12;

struct ControlRequest {
  ControlCommand command = ControlCommand::kStatus;
  std::optional<KeyId> key_id;                  // keys-revoke; nothing: all
  KeyFileFormat format = KeyFileFormat::kNtsd;  // keys-export, keys-import
  std::string text;                             // keys-import: the key file; secret
  LogLevel level = LogLevel::kInfo;             // log-level
  ClientOrder order = ClientOrder::kRate;       // clients
  std::size_t count = kClientCountDefault;      // clients: up to kClientCountMax

  friend bool operator==(const ControlRequest&, const ControlRequest&) = default;
};

std::string_view ControlCommandName(ControlCommand command);
// True for what only root and our own user may ask: all that changes something, and the export of keys.
bool NeedsChangeRight(ControlCommand command);

// Strict: unknown members, missing ones and wrong types are refused.
Expected<ControlRequest, std::string> ParseControlRequest(std::string_view line);
// What ParseControlRequest() reads as the same; no newline.
std::string FormatControlRequest(const ControlRequest& request);

// Result: StatusReport, StatsReport, Health, ClientsReport, KeysReport, KeyExport, ReloadReport or Done. No newline.
template <typename Result>
std::string FormatControlReply(const Result& result);
std::string FormatControlError(std::string_view error);
// The result, or what the server said against it, or what is wrong with the line.
template <typename Result>
Expected<Result, std::string> ParseControlReply(std::string_view line);

// Key ids as operators see them: eight hexadecimal digits, as in chrony's file.
std::string FormatKeyId(KeyId id);

// Indented, for `--json`; the line itself when it is not JSON.
std::string IndentJson(std::string_view line);

}  // namespace ntsd
