#include "core/nts/exchange.h"

#include <algorithm>
#include <string_view>

#include "core/base/check.h"

namespace ntsd {

namespace {

// What a request says, in our words. The lists are still on the wire: whole numbers of 16 bits, at least one.
struct Request {
  std::optional<ByteView> protocols;
  std::optional<ByteView> aeads;
  std::optional<ByteView> server_wish;
  bool compliant_context = false;
  std::optional<ByteView> fixed_keys;
  bool keep_alive = false;
  bool list_protocols = false;
  bool list_algorithms = false;
  bool list_servers = false;

  bool AsksForInformation() const { return list_protocols || list_algorithms || list_servers; }
};

template <typename Visit>
void ForEachNumber(ByteView list, Visit visit) {
  ByteReader reader(list);
  // Ends: two octets are used up each turn.
  while (reader.remaining() >= 2) visit(reader.ReadU16());
}

bool Contains(ByteView list, std::uint16_t wanted) {
  bool found = false;
  ForEachNumber(list, [&](std::uint16_t number) { found |= number == wanted; });
  return found;
}

bool IsList(ByteView body) { return !body.empty() && body.size() % 2 == 0; }

bool Contains(const std::vector<AeadId>& aeads, AeadId wanted) {
  return std::find(aeads.begin(), aeads.end(), wanted) != aeads.end();
}

// Tokens are compared in constant time, and every one of them, so that the time tells nothing about which was near.
bool IsPoolToken(const KePolicy& policy, ByteView body) {
  bool found = false;
  for (const std::string& token : policy.pool_tokens) {
    found |= EqualInConstantTime(body, ByteView(reinterpret_cast<const std::uint8_t*>(token.data()), token.size()));
  }
  return found;
}

// Reads the records of a request in their order. The records of a pool are known only after its token.
class RequestReader {
 public:
  explicit RequestReader(const KePolicy& policy) : policy_(policy) {}

  // kNone: the message is well formed and `request()` has it.
  KeRefusal Read(ByteView message) {
    KeRecordReader records(message);
    // Ends: each turn takes a record from a bounded message.
    while (const std::optional<KeRecord> record = records.Next()) {
      if (record->type == KeRecordType::kEndOfMessage) {
        if (!record->critical) return KeRefusal::kNotCritical;
        if (!record->body.empty()) return KeRefusal::kIllegalBody;
        return records.remaining() == 0 ? KeRefusal::kNone : KeRefusal::kTrailingData;
      }
      const KeRefusal refusal = Take(*record);
      if (refusal != KeRefusal::kNone) return refusal;
    }
    return KeRefusal::kIncomplete;
  }
  const Request& request() const { return request_; }

 private:
  KeRefusal Take(const KeRecord& record) {
    switch (record.type) {
      case KeRecordType::kNextProtocol:
        if (!record.critical) return KeRefusal::kNotCritical;
        return TakeList(record.body, request_.protocols);
      case KeRecordType::kAeadAlgorithm:
        return TakeList(record.body, request_.aeads);
      case KeRecordType::kError:
      case KeRecordType::kWarning:
      case KeRecordType::kNewCookie:
        return KeRefusal::kForbiddenRecord;
      case KeRecordType::kServer:
        return TakeOnce(record.body, request_.server_wish);
      // A wish for a port is heard and not followed: a server of ours has one port.
      case KeRecordType::kPort:
        return record.body.size() == 2 ? KeRefusal::kNone : KeRefusal::kIllegalBody;
      case KeRecordType::kCompliantGcmSivContext:
        return TakeFlag(record.body, request_.compliant_context);
      case KeRecordType::kAuthenticationToken:
        if (!policy_.pool_tokens.empty()) return TakeToken(record.body);
        break;
      default:
        break;
    }
    if (is_pool_) return TakeFromPool(record);
    return TakeUnknown(record);
  }

  KeRefusal TakeFromPool(const KeRecord& record) {
    switch (record.type) {
      case KeRecordType::kKeepAlive:
        return TakeFlag(record.body, request_.keep_alive);
      // The bodies of these three are to be ignored.
      case KeRecordType::kSupportedProtocols:
        request_.list_protocols = true;
        return KeRefusal::kNone;
      case KeRecordType::kSupportedAlgorithms:
        request_.list_algorithms = true;
        return KeRefusal::kNone;
      case KeRecordType::kListServers:
        request_.list_servers = true;
        return KeRefusal::kNone;
      case KeRecordType::kFixedKey:
        return TakeOnce(record.body, request_.fixed_keys);
      // A pool names servers that it does not want; we have no other to offer.
      case KeRecordType::kServerDeny:
        return KeRefusal::kNone;
      default:
        return TakeUnknown(record);
    }
  }

  static KeRefusal TakeUnknown(const KeRecord& record) {
    return record.critical ? KeRefusal::kUnknownCritical : KeRefusal::kNone;
  }
  static KeRefusal TakeOnce(ByteView body, std::optional<ByteView>& target) {
    if (target.has_value()) return KeRefusal::kRepeatedRecord;
    target = body;
    return KeRefusal::kNone;
  }
  static KeRefusal TakeList(ByteView body, std::optional<ByteView>& target) {
    return IsList(body) ? TakeOnce(body, target) : KeRefusal::kIllegalBody;
  }
  static KeRefusal TakeFlag(ByteView body, bool& flag) {
    if (!body.empty()) return KeRefusal::kIllegalBody;
    flag = true;
    return KeRefusal::kNone;
  }
  KeRefusal TakeToken(ByteView body) {
    if (token_seen_) return KeRefusal::kRepeatedRecord;
    token_seen_ = true;
    is_pool_ = IsPoolToken(policy_, body);
    return KeRefusal::kNone;
  }

  const KePolicy& policy_;
  Request request_;
  bool token_seen_ = false;
  bool is_pool_ = false;
};

// The first of the client's list that we can do. AEAD 30 is passed over while another will do, unless the client has
// said that its exporter context is the compliant one: chrony 4.4 to 4.6.0 derive other keys for it.
std::optional<AeadId> ChooseAead(ByteView offered, const std::vector<AeadId>& ours, bool compliant_context) {
  std::optional<AeadId> chosen;
  bool offered_gcm_siv = false;
  ForEachNumber(offered, [&](std::uint16_t number) {
    const std::optional<AeadId> aead = AeadFromNumber(number);
    if (!aead.has_value() || !Contains(ours, *aead)) return;
    if (*aead == AeadId::kAes128GcmSiv && !compliant_context) {
      offered_gcm_siv = true;
    } else if (!chosen.has_value()) {
      chosen = aead;
    }
  });
  if (!chosen.has_value() && offered_gcm_siv) chosen = AeadId::kAes128GcmSiv;
  return chosen;
}

bool SameIgnoringCase(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](char x, char y) { return lower(x) == lower(y); });
}

// The name to send for a wish, in our own spelling; our default when the wish is none of ours (RFC 8915 §4.1.7).
std::string ChooseServer(ByteView wish, const KePolicy& policy, const KeConnection& connection) {
  const std::string_view wanted(reinterpret_cast<const char*>(wish.data()), wish.size());
  const std::optional<IpAddress> address = IpAddress::Parse(wanted);
  // Without a name of our own, the address of this connection is where the time is.
  if (address.has_value() && address == connection.local && policy.ntp_server.empty()) return address->ToString();
  for (const std::string& known : policy.known_servers) {
    if (SameIgnoringCase(known, wanted)) return known;
    if (address.has_value() && IpAddress::Parse(known) == address) return known;
  }
  return policy.ntp_server;
}

KeDecision Inform(const Request& request, const KeConnection& connection) {
  if (request.protocols.has_value() || request.aeads.has_value() || request.fixed_keys.has_value()) {
    return RefuseKeRequest(KeRefusal::kPoolContradiction);
  }
  KeDecision decision;
  decision.answer = KeAnswer::kPoolInformation;
  decision.keep_alive = request.keep_alive && connection.may_keep_alive;
  decision.list_protocols = request.list_protocols;
  decision.list_algorithms = request.list_algorithms;
  decision.list_servers = request.list_servers;
  return decision;
}

// Puts the keys that a pool has sent into the decision: C2S, then S2C.
bool TakeFixedKeys(ByteView body, KeDecision& decision) {
  const std::size_t key_size = AeadKeySize(decision.aead);
  if (body.size() != 2 * key_size) return false;
  std::copy_n(body.begin(), key_size, decision.keys.c2s.begin());
  std::copy_n(body.subspan(key_size).begin(), key_size, decision.keys.s2c.begin());
  decision.keys.aead = decision.aead;
  decision.fixed_keys = true;
  return true;
}

KeDecision Negotiate(const Request& request, const KePolicy& policy, const KeConnection& connection) {
  if (!request.protocols.has_value()) return RefuseKeRequest(KeRefusal::kNoNextProtocol);
  const bool is_fixed = request.fixed_keys.has_value();
  // A pool chooses for its client: one protocol, one AEAD.
  const bool is_exact = request.protocols->size() == 2 && request.aeads.has_value() && request.aeads->size() == 2;
  if (is_fixed && !is_exact) return RefuseKeRequest(KeRefusal::kPoolContradiction);

  KeDecision decision;
  decision.keep_alive = request.keep_alive && is_fixed && connection.may_keep_alive;
  if (!Contains(*request.protocols, kKeProtocolNtpv4)) {
    decision.answer = KeAnswer::kNoProtocol;
    return decision;
  }
  if (!request.aeads.has_value()) return RefuseKeRequest(KeRefusal::kNoAead);
  // TLS keys belong to the pool's own connection, and those of a connection that lives on must never be exported.
  if (!is_fixed && (connection.kept_alive || request.keep_alive)) {
    return RefuseKeRequest(KeRefusal::kPoolContradiction);
  }

  const std::vector<AeadId>& ours = is_fixed ? policy.pool_aeads : policy.aeads;
  const std::optional<AeadId> aead = ChooseAead(*request.aeads, ours, request.compliant_context);
  if (!aead.has_value()) {
    decision.answer = KeAnswer::kNoAead;
    return decision;
  }
  decision.answer = KeAnswer::kCookies;
  decision.aead = *aead;
  if (is_fixed && !TakeFixedKeys(*request.fixed_keys, decision)) return RefuseKeRequest(KeRefusal::kIllegalBody);
  decision.confirm_compliant_context = *aead == AeadId::kAes128GcmSiv && request.compliant_context;
  decision.server =
      request.server_wish.has_value() ? ChooseServer(*request.server_wish, policy, connection) : policy.ntp_server;
  return decision;
}

ByteView AsOctets(std::string_view text) {
  return ByteView(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
}

void WriteCookieAnswer(const KeDecision& decision, const KePolicy& policy, ByteView cookies, ByteWriter& writer) {
  CHECK(!cookies.empty() && cookies.size() % kKeCookieCount == 0);
  WriteKeRecord(writer, true, KeRecordType::kNextProtocol, kKeProtocolNtpv4);
  WriteKeRecord(writer, true, KeRecordType::kAeadAlgorithm, AeadNumber(decision.aead));
  if (decision.confirm_compliant_context) WriteKeRecord(writer, false, KeRecordType::kCompliantGcmSivContext);
  if (policy.ntp_port != 123) WriteKeRecord(writer, true, KeRecordType::kPort, policy.ntp_port);
  if (!decision.server.empty()) WriteKeRecord(writer, true, KeRecordType::kServer, AsOctets(decision.server));
  const std::size_t cookie_size = cookies.size() / kKeCookieCount;
  for (std::size_t i = 0; i < kKeCookieCount; ++i) {
    WriteKeRecord(writer, false, KeRecordType::kNewCookie, cookies.subspan(i * cookie_size, cookie_size));
  }
}

void WritePoolInformation(const KeDecision& decision, const KePolicy& policy, ByteWriter& writer) {
  if (decision.list_protocols) {
    WriteKeRecord(writer, true, KeRecordType::kSupportedProtocols, kKeProtocolNtpv4);
  }
  if (decision.list_algorithms) {
    std::vector<std::uint8_t> body(4 * policy.pool_aeads.size());
    ByteWriter list(body);
    for (const AeadId aead : policy.pool_aeads) {
      list.WriteU16(AeadNumber(aead));
      list.WriteU16(static_cast<std::uint16_t>(AeadKeySize(aead)));
    }
    WriteKeRecord(writer, true, KeRecordType::kSupportedAlgorithms, body);
  }
  if (decision.list_servers) {
    for (const std::string& name : policy.pool_server_names) {
      // A certificate may have more names than fit: the first ones reach us as well as all of them. Room for the end.
      if (writer.remaining() < 2 * kKeRecordHeaderSize + name.size()) break;
      WriteKeRecord(writer, true, KeRecordType::kServer, AsOctets(name));
    }
  }
}

}  // namespace

KeErrorCode KeErrorOf(KeRefusal refusal) {
  switch (refusal) {
    case KeRefusal::kUnknownCritical:
      return KeErrorCode::kUnrecognizedCriticalRecord;
    case KeRefusal::kNone:
    case KeRefusal::kInternal:
      return KeErrorCode::kInternalServerError;
    default:
      return KeErrorCode::kBadRequest;
  }
}

KeDecision RefuseKeRequest(KeRefusal refusal) {
  KeDecision decision;
  decision.answer = KeAnswer::kError;
  decision.refusal = refusal;
  return decision;
}

KeDecision EvaluateKeRequest(const KeMessage& message, const KePolicy& policy, const KeConnection& connection) {
  if (message.state() == KeMessage::State::kTooLarge) return RefuseKeRequest(KeRefusal::kTooLarge);
  if (message.state() == KeMessage::State::kIncomplete) return RefuseKeRequest(KeRefusal::kIncomplete);
  RequestReader reader(policy);
  const KeRefusal refusal = reader.Read(message.octets());
  if (refusal != KeRefusal::kNone) return RefuseKeRequest(refusal);
  if (reader.request().AsksForInformation()) return Inform(reader.request(), connection);
  return Negotiate(reader.request(), policy, connection);
}

bool WriteKeResponse(const KeDecision& decision, const KePolicy& policy, ByteView cookies, ByteWriter& writer) {
  if (decision.keep_alive) WriteKeRecord(writer, false, KeRecordType::kKeepAlive);
  switch (decision.answer) {
    case KeAnswer::kCookies:
      WriteCookieAnswer(decision, policy, cookies, writer);
      break;
    case KeAnswer::kNoProtocol:
      WriteKeRecord(writer, true, KeRecordType::kNextProtocol);
      break;
    case KeAnswer::kNoAead:
      WriteKeRecord(writer, true, KeRecordType::kNextProtocol, kKeProtocolNtpv4);
      WriteKeRecord(writer, true, KeRecordType::kAeadAlgorithm);
      break;
    case KeAnswer::kPoolInformation:
      WritePoolInformation(decision, policy, writer);
      break;
    case KeAnswer::kError:
      WriteKeRecord(writer, true, KeRecordType::kError, static_cast<std::uint16_t>(KeErrorOf(decision.refusal)));
      break;
  }
  WriteKeRecord(writer, true, KeRecordType::kEndOfMessage);
  return writer.ok();
}

}  // namespace ntsd
