#include "core/nts/client.h"

#include <algorithm>

#include "core/base/check.h"
#include "core/limits.h"
#include "core/ntp/extension_field.h"
#include "core/nts/request.h"

namespace ntsd {
namespace {

constexpr std::size_t kAuthenticatorHeaderSize = 8;
constexpr std::size_t kCookiesWanted = 8;

bool ReadAuthenticator(const ExtensionField& field, AnswerFields& fields) {
  ByteReader reader(field.body());
  const std::size_t nonce_size = reader.ReadU16();
  const std::size_t sealed_size = reader.ReadU16();
  fields.nonce = reader.ReadBytes(nonce_size);
  reader.Skip(PadToWord(nonce_size) - nonce_size);
  fields.sealed = reader.ReadBytes(sealed_size);
  fields.has_authenticator = true;
  return reader.ok();
}

ResponseVerdict KissVerdict(const NtpHeader& header) {
  switch (static_cast<KissCode>(header.reference_id)) {
    case KissCode::kNtsn:
      return ResponseVerdict::kNak;
    case KissCode::kRate:
      return ResponseVerdict::kRate;
    case KissCode::kDeny:
      return ResponseVerdict::kDeny;
  }
  return header.reference_id == 0 ? ResponseVerdict::kUnsynchronized : ResponseVerdict::kOtherKiss;
}

// What holds for every answer: is it one, to our request, from a server that has the time?
ResponseVerdict JudgeHeader(const ClientRequest& request, const NtpHeader& header, const AnswerFields& fields) {
  if (header.mode != NtpMode::kServer || header.version != request.version) return ResponseVerdict::kNotAnAnswer;
  if (header.origin != request.transmit) return ResponseVerdict::kMismatched;
  if (!std::equal(fields.unique_id.begin(), fields.unique_id.end(), request.unique_id.begin(),
                  request.unique_id.end())) {
    return ResponseVerdict::kMismatched;
  }
  return JudgeServer(header);
}

void WriteRequestHeader(ClientRequest& request, ByteWriter& writer, Random& random) {
  request.transmit.bits = random.NextU64() | 1;  // never zero, which would mean "unknown"
  NtpHeader header;
  header.version = request.version;
  header.transmit = request.transmit;
  header.Write(writer);
}

}  // namespace

std::optional<AnswerFields> WalkAnswer(ByteView datagram) {
  AnswerFields fields;
  std::size_t position = kNtpHeaderSize;
  // Ends: every turn moves on by at least 16 octets.
  while (position < datagram.size() && !fields.has_authenticator) {
    const auto field = ParseExtensionField(datagram.subspan(position), kExtensionFieldSizeMin);
    if (!field) return std::nullopt;
    if (field->Is(ExtensionFieldType::kUniqueIdentifier)) {
      if (!fields.unique_id.empty()) return std::nullopt;
      fields.unique_id = field->body();
    } else if (field->Is(ExtensionFieldType::kNtsAuthenticator)) {
      fields.associated_data = datagram.first(position);
      if (!ReadAuthenticator(*field, fields)) return std::nullopt;
    }
    position += field->field.size();
  }
  return fields;
}

ResponseVerdict JudgeServer(const NtpHeader& header) {
  if (header.stratum == 0) return KissVerdict(header);
  if (header.leap == LeapIndicator::kUnsynchronized || header.stratum > 15) return ResponseVerdict::kUnsynchronized;
  return ResponseVerdict::kOk;
}

bool ReadCookies(ByteView plaintext, std::vector<ByteView>& cookies) {
  // Ends: every turn moves on by at least 4 octets.
  while (!plaintext.empty()) {
    const auto field = ParseExtensionField(plaintext, kExtensionFieldHeaderSize);
    if (!field) return false;
    if (field->Is(ExtensionFieldType::kNtsCookie)) cookies.push_back(field->body());
    plaintext = plaintext.subspan(field->field.size());
  }
  return true;
}

SealJob WriteAuthenticator(const AssociationKeys& keys, Random& random, ByteWriter& writer) {
  const std::size_t nonce_size = AeadNonceSize(keys.aead);
  const std::size_t associated_size = writer.size();
  WriteExtensionFieldHeader(writer, ExtensionFieldType::kNtsAuthenticator,
                            kAuthenticatorHeaderSize - kExtensionFieldHeaderSize + nonce_size + kAeadTagSize);
  writer.WriteU16(static_cast<std::uint16_t>(nonce_size));
  writer.WriteU16(static_cast<std::uint16_t>(kAeadTagSize));
  const ByteSpan nonce = writer.Reserve(nonce_size);
  random.Fill(nonce);
  const ByteSpan tag = writer.Reserve(kAeadTagSize);
  CHECK(writer.ok());
  return {.aead = keys.aead,
          .key = {.raw = keys.c2s.data()},
          .associated_data = writer.written().first(associated_size),
          .nonce = nonce,
          .plaintext = {},
          .sealed = tag.data()};
}

std::string_view VerdictText(ResponseVerdict verdict) {
  switch (verdict) {
    case ResponseVerdict::kOk:
      return "ok";
    case ResponseVerdict::kTooShort:
      return "too short";
    case ResponseVerdict::kNotAnAnswer:
      return "not an answer";
    case ResponseVerdict::kMismatched:
      return "answers another request";
    case ResponseVerdict::kNak:
      return "NTS NAK";
    case ResponseVerdict::kRate:
      return "kiss code RATE";
    case ResponseVerdict::kDeny:
      return "kiss code DENY";
    case ResponseVerdict::kOtherKiss:
      return "kiss code";
    case ResponseVerdict::kUnsynchronized:
      return "server is not synchronised";
    case ResponseVerdict::kUnauthentic:
      return "not authentic";
    case ResponseVerdict::kMalformed:
      return "malformed";
  }
  return "unknown";
}

ClientRequest BuildPlainRequest(std::uint8_t version, Random& random) {
  ClientRequest request;
  request.version = version;
  request.datagram.resize(kNtpHeaderSize);
  ByteWriter writer(request.datagram);
  WriteRequestHeader(request, writer, random);
  return request;
}

std::optional<ClientRequest> BuildNtsRequest(NtsAssociation& association, const Aead& aead, Random& random,
                                             std::optional<std::size_t> placeholders) {
  if (association.cookies.empty()) return std::nullopt;
  const Octets cookie = std::move(association.cookies.front());
  association.cookies.pop_front();
  // Without losses this is zero: seven are left, and the answer brings the eighth.
  const std::size_t missing = kCookiesWanted - 1 - std::min(association.cookies.size(), kCookiesWanted - 1);
  ClientRequest request;
  request.datagram.resize(kRequestSizeMax);
  request.unique_id.resize(kUniqueIdSizeMin);
  random.Fill(request.unique_id);
  ByteWriter writer(request.datagram);
  WriteRequestHeader(request, writer, random);
  WriteExtensionFieldHeader(writer, ExtensionFieldType::kUniqueIdentifier, request.unique_id.size());
  writer.WriteBytes(request.unique_id);
  WriteExtensionFieldHeader(writer, ExtensionFieldType::kNtsCookie, cookie.size());
  writer.WriteBytes(cookie);
  for (std::size_t i = 0; i < placeholders.value_or(missing); ++i) {
    WriteExtensionFieldHeader(writer, ExtensionFieldType::kNtsCookiePlaceholder, cookie.size());
    writer.WriteZeros(cookie.size());
  }
  SealJob job = WriteAuthenticator(association.keys, random, writer);
  aead.Seal(std::span(&job, 1));
  request.datagram.resize(writer.size());
  return request;
}

ResponseFacts JudgePlainResponse(const ClientRequest& request, ByteView datagram) {
  ResponseFacts facts;
  const auto header = NtpHeader::Parse(datagram);
  if (!header) return facts;
  facts.header = *header;
  // Extension fields exist from version 4 on.
  const auto fields = request.version < 4 ? AnswerFields{} : WalkAnswer(datagram);
  facts.verdict = fields ? JudgeHeader(request, *header, *fields) : ResponseVerdict::kMalformed;
  return facts;
}

ResponseFacts JudgeNtsResponse(const ClientRequest& request, ByteView datagram, NtsAssociation& association,
                               const Aead& aead) {
  ResponseFacts facts;
  const auto header = NtpHeader::Parse(datagram);
  if (!header) return facts;
  facts.header = *header;
  const auto fields = WalkAnswer(datagram);
  facts.verdict = fields ? JudgeHeader(request, *header, *fields) : ResponseVerdict::kMalformed;
  if (!fields || facts.verdict == ResponseVerdict::kMismatched || facts.verdict == ResponseVerdict::kNotAnAnswer) {
    return facts;
  }
  if (!fields->has_authenticator) {
    // A NAK comes without one, since the server does not know our keys; nothing else may.
    if (facts.verdict != ResponseVerdict::kNak) facts.verdict = ResponseVerdict::kUnauthentic;
    return facts;
  }
  Octets plaintext(fields->sealed.size());
  OpenJob job{.aead = association.keys.aead,
              .key = {.raw = association.keys.s2c.data()},
              .associated_data = fields->associated_data,
              .nonce = fields->nonce,
              .sealed = fields->sealed,
              .plaintext = plaintext.data()};
  aead.Open(std::span(&job, 1));
  if (!job.ok) {
    facts.verdict = ResponseVerdict::kUnauthentic;
    return facts;
  }
  facts.authenticated = true;
  plaintext.resize(fields->sealed.size() - kAeadTagSize);
  std::vector<ByteView> cookies;
  if (!ReadCookies(plaintext, cookies)) facts.verdict = ResponseVerdict::kMalformed;
  facts.new_cookie_count = cookies.size();
  for (const ByteView cookie : cookies) association.cookies.emplace_back(cookie.begin(), cookie.end());
  return facts;
}

Sample ComputeSample(UnixTime sent, const NtpHeader& answer, UnixTime received) {
  const NtpTimestamp t1 = NtpTimestamp::FromUnix(sent);
  const NtpTimestamp t4 = NtpTimestamp::FromUnix(received);
  const Duration there = Difference(answer.receive, t1);
  const Duration back = Difference(answer.transmit, t4);
  return {.offset = (there + back) / 2, .delay = (received - sent) - Difference(answer.transmit, answer.receive)};
}

}  // namespace ntsd
