#include "server/control/message.h"

#include <fmt/format.h>

#include <array>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/keys/key_text.h"

namespace ntsd {

using Json = nlohmann::json;

// Members that an older or newer server does not know keep their defaults, so that ntsctl of another version works.
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(ReferenceReport, source, synchronized, leap, stratum, reference_id,
                                                offset_s, root_delay_s, root_dispersion_s, age_s)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(ListenerReport, protocol, address, policy)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(RateReport, ntp_requests_per_s, ntp_nts_per_s, ntp_dropped_per_s,
                                                ke_connections_per_s)
// Ids are written as `keys revoke` takes them.
void to_json(Json& json, const KeyReport& key) {
  json = {{"id", FormatKeyId(key.id)}, {"state", key.state}, {"age_s", key.age_s}, {"aead", key.aead}};
}
void from_json(const Json& json, KeyReport& key) {
  key.id = ParseKeyId(json.value("id", "")).value_or(0);
  key.state = json.value("state", "");
  key.age_s = json.value("age_s", 0.0);
  key.aead = json.value("aead", 0);
}
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(KeysReport, source, file, fingerprint, next_rotation_s, keys)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(CertificateReport, name, chain, expires_at)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(ReadCertificateReport, name, chain, expires_at, is_new)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(ReloadReport, at, is_good, problem, applied, needs_restart,
                                                certificates)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(CardReport, interface, is_used, detail, error_s)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(StatusReport, version, now, uptime_s, is_draining, engine,
                                                engine_reason, crypto, sandbox, log_level, ntp_workers, ke_workers,
                                                cards, reference, listeners, rates, keys, certificates, last_reload)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(HistogramSnapshot, bounds, counts, sum)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(MetricSeries, labels, value, histogram)
NLOHMANN_JSON_SERIALIZE_ENUM(MetricKind, {{MetricKind::kGauge, "gauge"},
                                          {MetricKind::kCounter, "counter"},
                                          {MetricKind::kHistogram, "histogram"}})
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(MetricFamily, name, help, kind, series)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(StatsReport, families)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(HealthItem, name, is_fit, detail)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(Health, items)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(ClientReport, network, requests_per_s, refused_per_s, overcount_per_s)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(ClientsReport, is_listed, networks_this_hour, networks_last_hour,
                                                clients)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(KeyExport, text, note)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(Done, note)

namespace {

struct CommandWord {
  ControlCommand command;
  std::string_view name;
};
constexpr std::array<CommandWord, kControlCommandCount> kCommandWords = {{
    {ControlCommand::kStatus, "status"},
    {ControlCommand::kStats, "stats"},
    {ControlCommand::kCheck, "check"},
    {ControlCommand::kClients, "clients"},
    {ControlCommand::kKeys, "keys"},
    {ControlCommand::kKeysRotate, "keys-rotate"},
    {ControlCommand::kKeysRevoke, "keys-revoke"},
    {ControlCommand::kKeysExport, "keys-export"},
    {ControlCommand::kKeysImport, "keys-import"},
    {ControlCommand::kReload, "reload"},
    {ControlCommand::kDrain, "drain"},
    {ControlCommand::kLogLevel, "log-level"},
}};

constexpr std::string_view kAllKeys = "all";

std::string_view FormatName(KeyFileFormat format) { return format == KeyFileFormat::kChrony ? "chrony" : "ntsd"; }

std::optional<KeyFileFormat> ParseFormat(std::string_view name) {
  if (name == "ntsd") return KeyFileFormat::kNtsd;
  if (name == "chrony") return KeyFileFormat::kChrony;
  return std::nullopt;
}

std::string_view OrderName(ClientOrder order) { return order == ClientOrder::kDrops ? "drops" : "rate"; }

std::optional<ClientOrder> ParseOrder(std::string_view name) {
  if (name == "rate") return ClientOrder::kRate;
  if (name == "drops") return ClientOrder::kDrops;
  return std::nullopt;
}

// Octets that are no UTF-8, in a file name for instance, must not stop an answer.
std::string Dump(const Json& json, int indent = -1) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

// The members of a request besides its command: each is taken once, and none may be left.
class Members {
 public:
  explicit Members(Json& object) : object_(object) {}

  // Moved out, so that a secret does not stay behind in two places. Empty and a remark when it is not there as a text.
  std::string TakeText(const char* name) {
    const auto member = object_.find(name);
    if (member == object_.end() || !member->is_string()) {
      if (problem_.empty()) problem_ = fmt::format("expected a text as \"{}\"", name);
      return {};
    }
    std::string text = std::move(member->get_ref<std::string&>());
    object_.erase(member);
    return text;
  }
  // Nothing when it is not there as a number from 1 to `max`.
  std::optional<std::size_t> TakeCount(const char* name, std::size_t max) {
    const auto member = object_.find(name);
    if (member == object_.end() || !member->is_number_unsigned()) return std::nullopt;
    const auto count = member->get<std::uint64_t>();
    object_.erase(member);
    if (count < 1 || count > max) return std::nullopt;
    return count;
  }
  template <typename Value>
  Value Require(const char* name, std::optional<Value> value, std::string_view expected) {
    if (!value && problem_.empty()) problem_ = fmt::format("expected {} as \"{}\"", expected, name);
    return value.value_or(Value{});
  }
  std::string Problem() const {
    if (!problem_.empty() || object_.empty()) return problem_;
    return fmt::format("unknown member \"{}\"", object_.begin().key());
  }

 private:
  Json& object_;
  std::string problem_;
};

std::optional<ControlCommand> ParseCommand(std::string_view name) {
  for (const CommandWord& word : kCommandWords) {
    if (word.name == name) return word.command;
  }
  return std::nullopt;
}

}  // namespace

std::string_view ControlCommandName(ControlCommand command) {
  for (const CommandWord& word : kCommandWords) {
    if (word.command == command) return word.name;
  }
  return {};
}

bool NeedsChangeRight(ControlCommand command) {
  switch (command) {
    case ControlCommand::kStatus:
    case ControlCommand::kStats:
    case ControlCommand::kCheck:
    case ControlCommand::kClients:
    case ControlCommand::kKeys:
      return false;
    case ControlCommand::kKeysRotate:
    case ControlCommand::kKeysRevoke:
    case ControlCommand::kKeysExport:
    case ControlCommand::kKeysImport:
    case ControlCommand::kReload:
    case ControlCommand::kDrain:
    case ControlCommand::kLogLevel:
      return true;
  }
  return true;
}

Expected<ControlRequest, std::string> ParseControlRequest(std::string_view line) {
  if (line.size() > kControlRequestSizeMax) return Unexpected(std::string("the request is too long"));
  Json object = Json::parse(line, nullptr, false);
  if (!object.is_object()) return Unexpected(std::string("expected a JSON object in one line"));
  Members members(object);
  ControlRequest request;
  const std::string name = members.TakeText("command");
  request.command = members.Require("command", ParseCommand(name), "a known command");
  if (request.command == ControlCommand::kKeysRevoke) {
    const std::string id = members.TakeText("id");
    if (id != kAllKeys)
      request.key_id = members.Require("id", ParseKeyId(id), "up to eight hexadecimal digits or \"all\"");
  }
  if (request.command == ControlCommand::kKeysExport || request.command == ControlCommand::kKeysImport) {
    const std::string format = members.TakeText("format");
    request.format = members.Require("format", ParseFormat(format), "\"ntsd\" or \"chrony\"");
  }
  if (request.command == ControlCommand::kKeysImport) request.text = members.TakeText("text");
  if (request.command == ControlCommand::kLogLevel) {
    const std::string level = members.TakeText("level");
    request.level = members.Require("level", ParseLogLevel(level), "\"debug\", \"info\", \"warning\" or \"error\"");
  }
  if (request.command == ControlCommand::kClients) {
    const std::string order = members.TakeText("order");
    request.order = members.Require("order", ParseOrder(order), "\"rate\" or \"drops\"");
    request.count = members.Require("count", members.TakeCount("count", kClientCountMax), "a number from 1 to 1000");
  }
  const std::string problem = members.Problem();
  if (!problem.empty()) return Unexpected(problem);
  return request;
}

std::string FormatControlRequest(const ControlRequest& request) {
  Json object = {{"command", ControlCommandName(request.command)}};
  if (request.command == ControlCommand::kKeysRevoke) {
    object["id"] = request.key_id ? FormatKeyId(*request.key_id) : std::string(kAllKeys);
  }
  if (request.command == ControlCommand::kKeysExport || request.command == ControlCommand::kKeysImport) {
    object["format"] = FormatName(request.format);
  }
  if (request.command == ControlCommand::kKeysImport) object["text"] = request.text;
  if (request.command == ControlCommand::kClients) {
    object["order"] = OrderName(request.order);
    object["count"] = request.count;
  }
  if (request.command == ControlCommand::kLogLevel) object["level"] = LogLevelName(request.level);
  return Dump(object);
}

template <typename Result>
std::string FormatControlReply(const Result& result) {
  return Dump(Json{{"ok", true}, {"result", result}});
}

std::string FormatControlError(std::string_view error) { return Dump(Json{{"ok", false}, {"error", error}}); }

template <typename Result>
Expected<Result, std::string> ParseControlReply(std::string_view line) {
  const Json object = Json::parse(line, nullptr, false);
  if (!object.is_object() || !object.contains("ok") || !object["ok"].is_boolean()) {
    return Unexpected(std::string("the answer of the server is not understood"));
  }
  try {  // the library has no other way to say that a member has the wrong type
    if (!object["ok"].get<bool>()) return Unexpected(object.at("error").get<std::string>());
    return object.at("result").get<Result>();
  } catch (const Json::exception& error) {
    return Unexpected(fmt::format("the answer of the server is not understood: {}", error.what()));
  }
}

template std::string FormatControlReply(const StatusReport&);
template std::string FormatControlReply(const StatsReport&);
template std::string FormatControlReply(const Health&);
template std::string FormatControlReply(const ClientsReport&);
template std::string FormatControlReply(const KeysReport&);
template std::string FormatControlReply(const KeyExport&);
template std::string FormatControlReply(const ReloadReport&);
template std::string FormatControlReply(const Done&);
template Expected<StatusReport, std::string> ParseControlReply(std::string_view);
template Expected<StatsReport, std::string> ParseControlReply(std::string_view);
template Expected<Health, std::string> ParseControlReply(std::string_view);
template Expected<ClientsReport, std::string> ParseControlReply(std::string_view);
template Expected<KeysReport, std::string> ParseControlReply(std::string_view);
template Expected<KeyExport, std::string> ParseControlReply(std::string_view);
template Expected<ReloadReport, std::string> ParseControlReply(std::string_view);
template Expected<Done, std::string> ParseControlReply(std::string_view);

std::string FormatKeyId(KeyId id) { return fmt::format("{:08X}", id); }

std::string IndentJson(std::string_view line) {
  const Json json = Json::parse(line, nullptr, false);
  return json.is_discarded() ? std::string(line) : Dump(json, 2);
}

}  // namespace ntsd
