#include "core/nts/offer.h"

#include <algorithm>

#include "core/base/check.h"

namespace ntsd {

namespace {

std::vector<std::uint8_t> NumberList(const std::vector<std::uint16_t>& numbers) {
  std::vector<std::uint8_t> body(2 * numbers.size());
  ByteWriter writer(body);
  for (const std::uint16_t number : numbers) writer.WriteU16(number);
  return body;
}

bool Contains(const std::vector<std::uint16_t>& numbers, std::uint16_t wanted) {
  return std::find(numbers.begin(), numbers.end(), wanted) != numbers.end();
}

std::uint16_t ReadNumber(ByteView body) { return ByteReader(body).ReadU16(); }

// A domain name or an address literal: visible ASCII, and not so long that it can be neither.
bool IsServerName(ByteView body) {
  return !body.empty() && body.size() <= 255 &&
         std::all_of(body.begin(), body.end(), [](std::uint8_t c) { return c > 0x20 && c < 0x7F; });
}

using Failure = std::optional<KeAnswerFailure>;

Failure Fail(KeAnswerError error, std::uint16_t code = 0) { return KeAnswerFailure{.error = error, .code = code}; }

class AnswerReader {
 public:
  // Nothing: the message is well formed.
  Failure Read(ByteView message) {
    KeRecordReader records(message);
    // Ends: each turn takes a record from a bounded message.
    while (const std::optional<KeRecord> record = records.Next()) {
      if (record->type == KeRecordType::kEndOfMessage) {
        if (!record->critical) return Fail(KeAnswerError::kNotCritical);
        if (!record->body.empty()) return Fail(KeAnswerError::kIllegalBody);
        return records.remaining() == 0 ? Failure() : Fail(KeAnswerError::kTrailingData);
      }
      if (const Failure failure = Take(*record)) return failure;
    }
    return Fail(KeAnswerError::kIncomplete);
  }

  Expected<KeGrant, KeAnswerFailure> Judge(const KeOffer& offer) {
    if (!protocols_.has_value()) return Unexpected(*Fail(KeAnswerError::kNoNextProtocol));
    if (protocols_->empty()) return Unexpected(*Fail(KeAnswerError::kNoCommonProtocol));
    if (protocols_->size() != 2 || !Contains(offer.protocols, ReadNumber(*protocols_))) {
      return Unexpected(*Fail(KeAnswerError::kProtocolNotOffered));
    }
    if (!aeads_.has_value()) return Unexpected(*Fail(KeAnswerError::kNoAead));
    if (aeads_->empty()) return Unexpected(*Fail(KeAnswerError::kNoCommonAead));
    grant_.aead = ReadNumber(*aeads_);
    if (aeads_->size() != 2 || !Contains(offer.aeads, grant_.aead)) {
      return Unexpected(*Fail(KeAnswerError::kAeadNotOffered));
    }
    if (grant_.cookies.empty()) return Unexpected(*Fail(KeAnswerError::kNoCookies));
    return std::move(grant_);
  }

 private:
  Failure Take(const KeRecord& record) {
    switch (record.type) {
      case KeRecordType::kNextProtocol:
        if (!record.critical) return Fail(KeAnswerError::kNotCritical);
        return TakeList(record.body, protocols_);
      case KeRecordType::kAeadAlgorithm:
        return TakeList(record.body, aeads_);
      case KeRecordType::kError:
        return TakeCode(record, KeAnswerError::kServerError);
      case KeRecordType::kWarning:
        return TakeCode(record, KeAnswerError::kServerWarning);
      case KeRecordType::kNewCookie:
        if (record.body.empty()) return Fail(KeAnswerError::kIllegalBody);
        grant_.cookies.emplace_back(record.body.begin(), record.body.end());
        return {};
      case KeRecordType::kServer:
        if (grant_.server.has_value()) return Fail(KeAnswerError::kRepeatedRecord);
        if (!IsServerName(record.body)) return Fail(KeAnswerError::kIllegalBody);
        grant_.server.emplace(record.body.begin(), record.body.end());
        return {};
      case KeRecordType::kPort:
        if (grant_.port.has_value()) return Fail(KeAnswerError::kRepeatedRecord);
        if (record.body.size() != 2 || ReadNumber(record.body) == 0) return Fail(KeAnswerError::kIllegalBody);
        grant_.port = ReadNumber(record.body);
        return {};
      case KeRecordType::kCompliantGcmSivContext:
        if (!record.body.empty()) return Fail(KeAnswerError::kIllegalBody);
        grant_.compliant_context = true;
        return {};
      default:
        return record.critical ? Fail(KeAnswerError::kUnknownCritical) : Failure();
    }
  }

  static Failure TakeList(ByteView body, std::optional<ByteView>& target) {
    if (target.has_value()) return Fail(KeAnswerError::kRepeatedRecord);
    if (body.size() % 2 != 0) return Fail(KeAnswerError::kIllegalBody);
    target = body;
    return {};
  }
  static Failure TakeCode(const KeRecord& record, KeAnswerError error) {
    if (!record.critical) return Fail(KeAnswerError::kNotCritical);
    if (record.body.size() != 2) return Fail(KeAnswerError::kIllegalBody);
    return Fail(error, ReadNumber(record.body));
  }

  KeGrant grant_;
  std::optional<ByteView> protocols_;
  std::optional<ByteView> aeads_;
};

}  // namespace

std::vector<std::uint8_t> WriteKeRequest(const KeOffer& offer) {
  const std::vector<std::uint8_t> protocols = NumberList(offer.protocols);
  const std::vector<std::uint8_t> aeads = NumberList(offer.aeads);
  std::vector<std::uint8_t> request(5 * kKeRecordHeaderSize + protocols.size() + aeads.size() +
                                    offer.server_wish.size());
  ByteWriter writer(request);
  WriteKeRecord(writer, true, KeRecordType::kNextProtocol, protocols);
  WriteKeRecord(writer, true, KeRecordType::kAeadAlgorithm, aeads);
  if (offer.compliant_context) WriteKeRecord(writer, false, KeRecordType::kCompliantGcmSivContext);
  if (!offer.server_wish.empty()) {
    const auto* name = reinterpret_cast<const std::uint8_t*>(offer.server_wish.data());
    WriteKeRecord(writer, false, KeRecordType::kServer, ByteView(name, offer.server_wish.size()));
  }
  WriteKeRecord(writer, true, KeRecordType::kEndOfMessage);
  CHECK(writer.ok());
  request.resize(writer.size());
  return request;
}

std::string_view Describe(KeAnswerError error) {
  switch (error) {
    case KeAnswerError::kIncomplete:
      return "the answer ended before its End of Message record";
    case KeAnswerError::kTooLarge:
      return "the answer is larger than any answer may be";
    case KeAnswerError::kTrailingData:
      return "octets follow the End of Message record";
    case KeAnswerError::kIllegalBody:
      return "a record has an impossible body";
    case KeAnswerError::kRepeatedRecord:
      return "a record that comes once came twice";
    case KeAnswerError::kNotCritical:
      return "a record that must be critical is not";
    case KeAnswerError::kUnknownCritical:
      return "an unknown record is critical";
    case KeAnswerError::kServerError:
      return "the server answered with an error";
    case KeAnswerError::kServerWarning:
      return "the server answered with a warning";
    case KeAnswerError::kNoNextProtocol:
      return "the answer has no Next Protocol record";
    case KeAnswerError::kNoCommonProtocol:
      return "the server does not do NTS for NTPv4";
    case KeAnswerError::kProtocolNotOffered:
      return "the server chose a protocol that was not offered";
    case KeAnswerError::kNoAead:
      return "the answer has no AEAD record";
    case KeAnswerError::kNoCommonAead:
      return "the server supports none of the offered AEADs";
    case KeAnswerError::kAeadNotOffered:
      return "the server chose an AEAD that was not offered";
    case KeAnswerError::kNoCookies:
      return "the answer has no cookies";
  }
  return "unknown";
}

Expected<KeGrant, KeAnswerFailure> ReadKeAnswer(const KeMessage& message, const KeOffer& offer) {
  if (message.state() == KeMessage::State::kTooLarge) return Unexpected(*Fail(KeAnswerError::kTooLarge));
  if (message.state() == KeMessage::State::kIncomplete) return Unexpected(*Fail(KeAnswerError::kIncomplete));
  AnswerReader reader;
  if (const Failure failure = reader.Read(message.octets())) return Unexpected(*failure);
  return reader.Judge(offer);
}

}  // namespace ntsd
