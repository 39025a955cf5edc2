#include "tests/conformance/probe/ntp_answer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/ntp/extension_field.h"
#include "tests/conformance/probe/text.h"

namespace ntsd::conformance {
namespace {

// Reads fields to the end; false when the octets are not fields of at least `size_min` each.
bool ReadFields(ByteView octets, std::size_t start, std::size_t size_min, std::vector<AnswerField>& fields) {
  std::size_t position = start;
  // Ends: every field uses up at least four octets.
  while (position < octets.size()) {
    const auto field = ParseExtensionField(octets.subspan(position), size_min);
    if (!field) return false;
    fields.push_back({field->type, position, field->field.size(), {field->body().begin(), field->body().end()}});
    position += field->field.size();
  }
  return true;
}

bool AllZero(ByteView octets) {
  return std::all_of(octets.begin(), octets.end(), [](std::uint8_t octet) { return octet == 0; });
}

std::optional<AnswerAuthenticator> ReadAuthenticator(const AnswerField& field) {
  AnswerAuthenticator authenticator;
  authenticator.offset = field.offset;
  ByteReader reader(field.body);
  const std::size_t nonce_size = reader.ReadU16();
  const std::size_t sealed_size = reader.ReadU16();
  const ByteView nonce = reader.ReadBytes(nonce_size);
  const ByteView behind_nonce = reader.ReadBytes(PadToWord(nonce_size) - nonce_size);
  const ByteView sealed = reader.ReadBytes(sealed_size);
  const ByteView behind_sealed = reader.ReadBytes(PadToWord(sealed_size) - sealed_size);
  if (!reader.ok()) return std::nullopt;
  const ByteView additional = reader.ReadBytes(reader.remaining());
  authenticator.nonce.assign(nonce.begin(), nonce.end());
  authenticator.sealed.assign(sealed.begin(), sealed.end());
  authenticator.additional_padding = additional.size();
  authenticator.padding_is_zero = AllZero(behind_nonce) && AllZero(behind_sealed) && AllZero(additional);
  return authenticator;
}

std::string DescribeKind(const NtpAnswer& answer) {
  if (answer.header.mode != NtpMode::kServer) {
    return fmt::format("a packet of mode {}", static_cast<unsigned>(answer.header.mode));
  }
  if (answer.IsKiss()) {
    const std::uint32_t code = answer.header.reference_id;
    const Octets letters{static_cast<std::uint8_t>(code >> 24), static_cast<std::uint8_t>(code >> 16),
                         static_cast<std::uint8_t>(code >> 8), static_cast<std::uint8_t>(code)};
    return "kiss " + Printable(letters);
  }
  return fmt::format("time, stratum {}", answer.header.stratum);
}

}  // namespace

std::size_t NtpAnswer::Count(ExtensionFieldType type) const {
  const auto number = static_cast<std::uint16_t>(type);
  return static_cast<std::size_t>(
      std::count_if(fields.begin(), fields.end(), [&](const auto& field) { return field.type == number; }));
}

const AnswerField* NtpAnswer::Find(ExtensionFieldType type) const {
  const auto number = static_cast<std::uint16_t>(type);
  const auto found =
      std::find_if(fields.begin(), fields.end(), [&](const auto& field) { return field.type == number; });
  return found == fields.end() ? nullptr : &*found;
}

Octets NtpAnswer::UniqueId() const {
  return Count(ExtensionFieldType::kUniqueIdentifier) == 1 ? Find(ExtensionFieldType::kUniqueIdentifier)->body
                                                           : Octets();
}

bool NtpAnswer::IsRefusal() const {
  constexpr std::uint32_t kInit = 0x494E4954;
  constexpr std::uint32_t kStep = 0x53544550;
  return IsKiss() && header.reference_id != kInit && header.reference_id != kStep;
}

std::optional<NtpAnswer> Dissect(Octets datagram) {
  const std::optional<NtpHeader> header = NtpHeader::Parse(datagram);
  if (!header) return std::nullopt;
  NtpAnswer answer;
  answer.header = *header;
  answer.datagram = std::move(datagram);
  const bool fields_fill = ReadFields(answer.datagram, kNtpHeaderSize, kExtensionFieldSizeMin, answer.fields);
  const bool last_is_long = answer.fields.empty() || answer.fields.back().size >= kLastExtensionFieldSizeMin;
  answer.is_well_formed = fields_fill && last_is_long;
  if (const AnswerField* const field = answer.Find(ExtensionFieldType::kNtsAuthenticator)) {
    answer.authenticator = ReadAuthenticator(*field);
  }
  return answer;
}

void Open(NtpAnswer& answer, const AssociationKeys& keys) {
  if (!answer.authenticator || answer.authenticator->sealed.size() < kAeadTagSize) return;
  const AnswerAuthenticator& authenticator = *answer.authenticator;
  Octets plaintext(authenticator.sealed.size() - kAeadTagSize);
  OpenJob job{.aead = keys.aead,
              .key = {.raw = keys.s2c.data()},
              .associated_data = ByteView(answer.datagram).first(authenticator.offset),
              .nonce = authenticator.nonce,
              .sealed = authenticator.sealed,
              .plaintext = plaintext.data()};
  SelectAead()->Open(std::span(&job, 1));
  answer.is_authentic = job.ok;
  if (!job.ok) return;
  answer.encrypted_is_well_formed = ReadFields(plaintext, 0, kExtensionFieldHeaderSize, answer.encrypted);
  for (const AnswerField& field : answer.encrypted) {
    if (field.type == static_cast<std::uint16_t>(ExtensionFieldType::kNtsCookie)) answer.cookies.push_back(field.body);
  }
}

std::string Describe(const NtpAnswer& answer) {
  std::string text = DescribeKind(answer) + ", " + Count(answer.datagram.size(), "octet");
  if (answer.Count(ExtensionFieldType::kUniqueIdentifier) > 0) text += ", with a unique identifier";
  if (answer.is_authentic) {
    text += ", authentic, " + Count(answer.cookies.size(), "new cookie");
  } else if (answer.authenticator) {
    text += ", with an authenticator that does not verify";
  }
  if (!answer.is_well_formed) text += ", malformed";
  return text;
}

}  // namespace ntsd::conformance
