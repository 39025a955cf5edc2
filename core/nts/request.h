// Takes a datagram apart: what does it ask for, and is it well formed? No key is needed for that.
//
// RFC 5905 §7.3, RFC 7822 §3 and RFC 8915 §5.7 (the receiving half).
// Memory: a Request looks into the datagram. Errors: the Reason why the datagram is dropped.
#pragma once

#include <cstdint>

#include "core/base/bytes.h"
#include "core/base/expected.h"
#include "core/base/time.h"
#include "core/crypto/aead.h"
#include "core/limits.h"
#include "core/nts/reason.h"

namespace ntsd {

// RFC 8915 §5.3.
inline constexpr std::size_t kUniqueIdSizeMin = 32;

struct Request {
  std::uint8_t version = 0;
  std::int8_t poll = 0;
  NtpTimestamp origin;
  NtpTimestamp receive;
  NtpTimestamp transmit;

  // The whole Unique Identifier field, header included, as it is echoed; empty when there is none.
  ByteView unique_id_field;

  bool is_nts = false;
  // The rest is set when is_nts, and left as it was when not.
  ByteView cookie;
  ByteView associated_data;  // everything before the authenticator
  ByteView nonce;
  ByteView sealed;                     // ciphertext with tag
  std::size_t nonce_room = 0;          // padded nonce plus Additional Padding: what our own nonce may take
  std::uint8_t placeholder_count = 0;  // in clear, of the cookie's length
};

// Fills `request`, where it stays: a batch is too much to be handed about. Its old content goes; it means nothing after
// an error. `versions` has bit v set when version v is served. `source_port` is in host order.
Expected<void, Reason> ParseRequest(ByteView datagram, std::uint16_t source_port, std::uint8_t versions,
                                    Request& request);

// What can only be judged once the cookie has told the AEAD: RFC 8915 §5.6 on the nonce and the room for ours.
// kNts when all is well.
Reason CheckAuthenticatorShape(const Request& request, AeadId aead);

// Counts the placeholders of `cookie_size` octets in the decrypted fields (RFC 8915 §5.5). kMalformedPlaintext when the
// fields do not fill the plaintext exactly, kTooManyFields beyond kExtensionFieldCountMax.
Expected<std::size_t, Reason> CountEncryptedPlaceholders(ByteView plaintext, std::size_t cookie_size);

}  // namespace ntsd
