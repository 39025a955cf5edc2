#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>

#include "tests/conformance/checks/checks.h"
#include "tests/conformance/checks/common.h"

namespace ntsd::conformance {
namespace {

using testing::PacketBuilder;

constexpr std::uint16_t kUnknownField = 0x4321;
constexpr std::uint16_t kChecksumComplement = 0x2005;
constexpr std::uint16_t kUniqueIdentifier = 0x0104;

PacketBuilder Builder(Probe& probe) {
  PacketBuilder builder;
  builder.header() = probe.Header();
  return builder;
}

Octets RandomOctets(Probe& probe, std::size_t size) {
  Octets octets(size);
  probe.random().Fill(octets);
  return octets;
}

bool IsPlainTime(const NtpReply& reply) {
  return reply.answer && reply.answer->header.mode == NtpMode::kServer &&
         reply.answer->datagram.size() == kNtpHeaderSize;
}

// Makes the server answer in all the ways that it has, so that checks over all answers have something to look at.
void ProvokeAll(Probe& probe) {
  probe.Ask(probe.Plain());
  probe.Ask(Builder(probe).Field(kUniqueIdentifier, RandomOctets(probe, 32)).Build());
  Association* const association = probe.Nts();
  if (association == nullptr) return;
  NtsDraft draft = probe.Draft(*association);
  draft.placeholder_count = 2;
  probe.Ask(draft, *association);
  NtsDraft bad = probe.Draft(*association);
  bad.cookie.back() ^= 1;
  probe.Ask(bad, *association);
}

template <typename Holds>
Finding JudgeAll(Probe& probe, std::string expected, Holds holds) {
  ProvokeAll(probe);
  for (const SeenAnswer& seen : probe.seen()) {
    if (!holds(seen)) return Judge(false, "requests good and bad", std::move(expected), Describe(seen.answer));
  }
  const std::size_t count = probe.seen().size();
  return Judge(count > 0, "requests good and bad", std::move(expected), Count(count, "answer"));
}

Finding FieldLengths(Probe& probe) {
  return JudgeAll(probe, "fields that fill the answer, each a multiple of 4 octets", [](const SeenAnswer& seen) {
    return seen.answer.datagram.size() % 4 == 0 && seen.answer.is_well_formed;
  });
}

Finding FieldMinima(Probe& probe) {
  return JudgeAll(probe, "16 octets at least for every field, 28 for the last", [](const SeenAnswer& seen) {
    const std::vector<AnswerField>& fields = seen.answer.fields;
    return fields.empty() ||
           (fields.back().size >= 28 &&
            std::all_of(fields.begin(), fields.end(), [](const auto& field) { return field.size >= 16; }));
  });
}

Finding UnknownField(Probe& probe) {
  const NtpReply came = probe.Ask(Builder(probe).Field(kUnknownField, Octets(24)).Build());
  return JudgeNtp(came.answer.has_value(), "a request with a field 0x4321 of 28 octets", "an answer", came);
}

Finding UnknownFieldNotCopied(Probe& probe) {
  const NtpReply came = probe.Ask(Builder(probe).Field(kUnknownField, Octets(24)).Build());
  if (!came.answer) return Skip("there is no answer to look at: " + Describe(came));
  const std::vector<AnswerField>& fields = came.answer->fields;
  return JudgeNtp(
      std::none_of(fields.begin(), fields.end(), [](const auto& field) { return field.type == kUnknownField; }),
      "a request with a field 0x4321 of 28 octets", "no such field in the answer", came);
}

Finding MalformedTails(Probe& probe) {
  Variants variants("silence");
  const auto add = [&](const std::string& sent, std::size_t size, std::uint16_t claimed) {
    PacketBuilder builder = Builder(probe);
    builder.Field(RawField{.type = kUnknownField, .body = Octets(size - 4), .claimed_size = claimed});
    const NtpReply came = probe.AskForSilence(builder.Build());
    variants.Add(came.IsSilence(), sent, came);
  };
  for (const int claimed : {0, 3, 12, 17, 30, 64, 65535}) {
    add(fmt::format("28 octets that claim to be {}", claimed), 28, static_cast<std::uint16_t>(claimed));
  }
  add("a lone field of 16 octets", 16, 16);
  return variants.Done();
}

Finding MacTails(Probe& probe) {
  Variants variants("silence");
  for (const std::size_t size : std::initializer_list<std::size_t>{4, 20, 24}) {
    const NtpReply came = probe.AskForSilence(Builder(probe).Raw(Octets(size)).Build());
    variants.Add(came.IsSilence(), fmt::format("a tail of {} octets", size), came);
  }
  return variants.Done();
}

Finding ManyFields(Probe& probe) {
  PacketBuilder many = Builder(probe);
  for (int i = 0; i < 100; ++i) many.Field(kUnknownField, Octets(12));
  many.Field(kUnknownField, Octets(24));
  const NtpReply hundred = probe.AskForSilence(many.Build());
  const auto is_small = [](const NtpReply& reply) { return reply.IsSilence() || IsPlainTime(reply); };
  Variants variants("silence, or a plain answer");
  variants.Add(is_small(hundred), "100 fields", hundred);
  const NtpReply huge = probe.AskForSilence(Builder(probe).Field(kUnknownField, Octets(60000)).Build());
  variants.Add(is_small(huge), "a field of 60 kB", huge);
  return variants.Done();
}

Finding ChecksumComplement(Probe& probe) {
  const NtpReply came = probe.Ask(Builder(probe).Field(kChecksumComplement, Octets(24)).Build());
  return JudgeNtp(came.answer.has_value(), "a request with a checksum complement", "an answer", came);
}

// RATE and DENY are looked at wherever they come, in other checks and in floods.
Finding UniqueIdEverywhere(Probe& probe) {
  Association* const association = probe.Nts();
  if (association == nullptr) return Skip(std::string(kNoNts));
  Variants variants("the same unique identifier in whatever comes");
  const NtsDraft good = probe.Draft(*association);
  const NtpReply time = probe.Ask(good, *association);
  variants.Add(time.answer && time.answer->UniqueId() == good.unique_id, "an NTS request", time);
  NtsDraft bad = probe.Draft(*association);
  bad.cookie.back() ^= 1;
  const NtpReply nak = probe.Ask(bad, *association);
  // A server that sends no NAK has nothing in which to echo it.
  variants.Add(nak.IsSilence() || (nak.answer && nak.answer->UniqueId() == bad.unique_id), "one with a bad cookie",
               nak);
  return variants.Done();
}

Finding UniqueIdAlone(Probe& probe) {
  const Octets id = RandomOctets(probe, 32);
  const NtpReply came = probe.Ask(Builder(probe).Field(kUniqueIdentifier, id).Build());
  return JudgeNtp(came.answer && came.answer->UniqueId() == id, "a request with a unique identifier and no NTS",
                  "an answer that echoes it", came);
}

Finding LongUniqueIds(Probe& probe) {
  Association* const association = probe.Nts();
  if (association == nullptr) return Skip(std::string(kNoNts));
  Variants variants("authentic time that echoes it");
  for (const std::size_t size : std::initializer_list<std::size_t>{36, 64, 128, 256}) {
    NtsDraft draft = probe.Draft(*association);
    draft.unique_id = RandomOctets(probe, size);
    const NtpReply came = probe.Ask(draft, *association);
    variants.Add(came.IsAuthenticTime() && came.answer->UniqueId() == draft.unique_id, Count(size, "octet"), came);
  }
  return variants.Done();
}

Finding UniqueIdPlace(Probe& probe) {
  Association* const association = probe.Nts();
  if (association == nullptr) return Skip(std::string(kNoNts));
  const NtpReply came = probe.Ask(probe.Draft(*association), *association);
  if (!came.IsAuthenticTime()) return JudgeNtp(false, "an NTS request", "authentic time", came);
  const NtpAnswer& answer = *came.answer;
  const AnswerField* const id = answer.Find(ExtensionFieldType::kUniqueIdentifier);
  const bool encrypted = std::any_of(answer.encrypted.begin(), answer.encrypted.end(),
                                     [](const auto& field) { return field.type == kUniqueIdentifier; });
  return JudgeNtp(answer.Count(ExtensionFieldType::kUniqueIdentifier) == 1 &&
                      id->offset < answer.authenticator->offset && !encrypted,
                  "an NTS request", "one unique identifier, in clear, before the authenticator", came);
}

Finding NtsFieldsOnlyInMode4(Probe& probe) {
  return JudgeAll(probe, "cookies and authenticators only in packets of mode 4", [](const SeenAnswer& seen) {
    return seen.answer.header.mode == NtpMode::kServer ||
           (seen.answer.Count(ExtensionFieldType::kNtsCookie) == 0 &&
            seen.answer.Count(ExtensionFieldType::kNtsAuthenticator) == 0);
  });
}

Finding NoPlaceholders(Probe& probe) {
  return JudgeAll(probe, "no placeholder in any answer", [](const SeenAnswer& seen) {
    const auto is_placeholder = [](const AnswerField& field) { return field.type == 0x0304; };
    return std::none_of(seen.answer.fields.begin(), seen.answer.fields.end(), is_placeholder) &&
           std::none_of(seen.answer.encrypted.begin(), seen.answer.encrypted.end(), is_placeholder);
  });
}

constexpr Check kChecks[] = {
    {"R-EF-01", "RFC 7822 §3", Level::kMust, "Field lengths count header and padding", FieldLengths},
    {"R-EF-02", "RFC 7822 §7.5.1.4", Level::kMust, "Fields of at least 16 octets, 28 for the last", FieldMinima},
    {"R-EF-03", "RFC 7822 §3", Level::kShould, "Unknown fields are ignored", UnknownField},
    {"R-EF-04", "RFC 7822 §4", Level::kMust, "Unknown fields are not copied", UnknownFieldNotCopied},
    {"R-EF-05", "RFC 7822 §3", Level::kRecommended, "Malformed tails get silence", MalformedTails},
    {"R-EF-06", "RFC 7822 §1", Level::kRecommended, "Tails of 4, 20 and 24 octets are no fields", MacTails},
    {"R-EF-07", "RFC 7822 §4", Level::kRecommended, "Many and large fields do no harm", ManyFields},
    {"R-EF-08", "RFC 7821 §3.4", Level::kShould, "A checksum complement is ignored", ChecksumComplement},
    {"R-EF-09", "RFC 8915 §5.3", Level::kMust, "The unique identifier is echoed in every answer", UniqueIdEverywhere},
    {"R-EF-10", "RFC 8915 §5.3", Level::kMust, "The unique identifier is echoed without NTS too", UniqueIdAlone},
    {"R-EF-11", "RFC 8915 §5.3", Level::kRecommended, "Longer unique identifiers are accepted", LongUniqueIds},
    {"R-EF-12", "RFC 8915 §5.7", Level::kMust, "The unique identifier is authenticated, in clear, once", UniqueIdPlace},
    {"R-EF-13", "RFC 8915 §5.4", Level::kMust, "NTS fields only in modes 3 and 4", NtsFieldsOnlyInMode4},
    {"R-EF-14", "RFC 8915 §5.5", Level::kMust, "No placeholders in answers", NoPlaceholders},
};

}  // namespace

std::span<const Check> FieldChecks() { return kChecks; }

}  // namespace ntsd::conformance
