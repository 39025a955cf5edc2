#include "server/control/answer.h"

#include <fmt/format.h>

#include "core/base/secret.h"
#include "server/control/message.h"

namespace ntsd {
namespace {

template <typename Result>
std::string ReplyOf(const Expected<Result, std::string>& result) {
  return result ? FormatControlReply(*result) : FormatControlError(result.error());
}

void WipeText(std::string& text) { Wipe(ByteSpan(reinterpret_cast<std::uint8_t*>(text.data()), text.size())); }

std::string ExportReply(ControlService& service, KeyFileFormat format) {
  Expected<KeyExport, std::string> keys = service.ExportKeys(format);
  std::string reply = ReplyOf(keys);
  if (keys) WipeText(keys->text);
  return reply;
}

std::string Perform(ControlService& service, const ControlRequest& request) {
  switch (request.command) {
    case ControlCommand::kStatus:
      return FormatControlReply(service.Status());
    case ControlCommand::kStats:
      return FormatControlReply(service.Stats());
    case ControlCommand::kCheck:
      return FormatControlReply(service.Check());
    case ControlCommand::kClients:
      return FormatControlReply(service.Clients(request.order, request.count));
    case ControlCommand::kKeys:
      return FormatControlReply(service.Keys());
    case ControlCommand::kKeysRotate:
      return ReplyOf(service.RotateKeys());
    case ControlCommand::kKeysRevoke:
      return ReplyOf(service.RevokeKeys(request.key_id));
    case ControlCommand::kKeysExport:
      return ExportReply(service, request.format);
    case ControlCommand::kKeysImport:
      return ReplyOf(service.ImportKeys(request.format, request.text));
    case ControlCommand::kReload:
      return FormatControlReply(service.Reload());
    case ControlCommand::kDrain:
      return FormatControlReply(service.Drain());
    case ControlCommand::kLogLevel:
      return FormatControlReply(service.SetLogLevel(request.level));
  }
  return FormatControlError("unknown command");
}

}  // namespace

std::string AnswerControl(ControlService& service, ControlAccess access, std::string_view line) {
  if (access == ControlAccess::kNone) {
    return FormatControlError("only root, the user of ntsd and members of its control group may ask");
  }
  Expected<ControlRequest, std::string> request = ParseControlRequest(line);
  if (!request) return FormatControlError(request.error());
  if (NeedsChangeRight(request->command) && access != ControlAccess::kChange) {
    return FormatControlError(
        fmt::format("{}: only root and the user of ntsd may do that", ControlCommandName(request->command)));
  }
  std::string reply = Perform(service, *request);
  WipeText(request->text);
  return reply;
}

}  // namespace ntsd
