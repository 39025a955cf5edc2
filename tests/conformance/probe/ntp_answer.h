// An answer of an NTP server taken apart without any mercy.
//
// Threads: values and functions of their arguments.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/ntp/extension_field.h"
#include "core/nts/client.h"

namespace ntsd::conformance {

struct AnswerField {
  std::uint16_t type = 0;
  std::size_t offset = 0;
  std::size_t size = 0;  // header included
  Octets body;
};

struct AnswerAuthenticator {
  std::size_t offset = 0;
  Octets nonce;
  Octets sealed;
  std::size_t additional_padding = 0;
  bool padding_is_zero = true;  // all of it: behind the nonce, behind the ciphertext, and Additional Padding
};

struct NtpAnswer {
  Octets datagram;
  NtpHeader header;
  std::vector<AnswerField> fields;
  // The fields fill the datagram; each is a multiple of 4 and at least 16 octets, the last one at least 28.
  bool is_well_formed = false;
  std::optional<AnswerAuthenticator> authenticator;  // the first, when it can be read

  // After Open():
  bool is_authentic = false;
  std::vector<AnswerField> encrypted;
  bool encrypted_is_well_formed = false;
  std::vector<Octets> cookies;

  std::size_t Count(ExtensionFieldType type) const;
  const AnswerField* Find(ExtensionFieldType type) const;
  // The body of the Unique Identifier, when there is exactly one.
  Octets UniqueId() const;
  bool IsKiss() const { return header.stratum == 0 && header.reference_id != 0; }
  // A kiss that answers the request with nothing; INIT and STEP only say that the server has no time yet.
  bool IsRefusal() const;
  bool IsKiss(KissCode code) const {
    return header.stratum == 0 && header.reference_id == static_cast<std::uint32_t>(code);
  }
};

// Nothing when there is not even a header.
std::optional<NtpAnswer> Dissect(Octets datagram);
// Opens the authenticator with the S2C key.
void Open(NtpAnswer& answer, const AssociationKeys& keys);

std::string Describe(const NtpAnswer& answer);

}  // namespace ntsd::conformance
