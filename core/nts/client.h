// The client side of NTP and NTS, for tools and tests: builds requests and judges answers (RFC 5905 §8, RFC 8915 §5.7).
//
// Threads: each NtsAssociation belongs to one thread.
// Errors: a ResponseVerdict; nothing of an answer that is not kOk may be believed.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <string_view>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/random.h"
#include "core/base/time.h"
#include "core/crypto/aead.h"
#include "core/ntp/header.h"
#include "core/nts/cookie.h"

namespace ntsd {

using Octets = std::vector<std::uint8_t>;

// What NTS-KE gave us, and the cookies that are left of it.
struct NtsAssociation {
  AssociationKeys keys;
  std::deque<Octets> cookies;
};

// A request on its way, with what is needed to judge its answer.
struct ClientRequest {
  Octets datagram;
  NtpTimestamp transmit;
  std::uint8_t version = 4;
  Octets unique_id;  // the body; empty when the request carries none
};

enum class ResponseVerdict : std::uint8_t {
  kOk,
  kTooShort,
  kNotAnAnswer,  // not mode 4, or another version than asked
  kMismatched,   // origin or unique identifier of another request
  kNak,          // NTSN: do NTS-KE again
  kRate,
  kDeny,
  kOtherKiss,       // stratum 0 with another code
  kUnsynchronized,  // a true answer of a server that has no time
  kUnauthentic,     // NTS: authenticator missing or wrong
  kMalformed,
};
std::string_view VerdictText(ResponseVerdict verdict);

struct ResponseFacts {
  ResponseVerdict verdict = ResponseVerdict::kTooShort;
  bool authenticated = false;  // also true for an authenticated RATE or DENY
  NtpHeader header;
  std::size_t new_cookie_count = 0;
};

// A plain request of 48 octets. The transmit timestamp is random (RFC 9109's idea for timestamps: nothing is told, and
// nobody can guess it); the caller keeps the true time of sending.
ClientRequest BuildPlainRequest(std::uint8_t version, Random& random);

// An NTS request that spends the oldest cookie of `association` and asks for as many as are missing from eight, or for
// exactly `placeholders` more. Nothing when no cookie is left: do NTS-KE again.
std::optional<ClientRequest> BuildNtsRequest(NtsAssociation& association, const Aead& aead, Random& random,
                                             std::optional<std::size_t> placeholders = std::nullopt);

ResponseFacts JudgePlainResponse(const ClientRequest& request, ByteView datagram);
// New cookies go to the end of `association`.
ResponseFacts JudgeNtsResponse(const ClientRequest& request, ByteView datagram, NtsAssociation& association,
                               const Aead& aead);

// --- The parts of it, for those who make and judge many at once ---

// What an answer carries, as views into it.
struct AnswerFields {
  ByteView unique_id;
  ByteView associated_data;  // of the authenticator: everything before it
  ByteView nonce;
  ByteView sealed;
  bool has_authenticator = false;
};
// Nothing when the extension fields are malformed.
std::optional<AnswerFields> WalkAnswer(ByteView datagram);
// What a header says about the server: kOk, kUnsynchronized, or a kiss.
ResponseVerdict JudgeServer(const NtpHeader& header);
// Adds the bodies of the cookies in decrypted fields to `cookies`; false when the fields are malformed.
bool ReadCookies(ByteView plaintext, std::vector<ByteView>& cookies);
// Writes an authenticator with an empty plaintext and a fresh nonce behind what `writer` has, all but its tag: that is
// for the job to seal, which points into the writer's octets and at `keys`.
SealJob WriteAuthenticator(const AssociationKeys& keys, Random& random, ByteWriter& writer);

// The four timestamps of one exchange (RFC 5905 §8).
struct Sample {
  Duration offset{};  // how far the server is ahead of us
  Duration delay{};
};
// `sent` and `received` by our clock, the answer's receive and transmit timestamps by the server's.
Sample ComputeSample(UnixTime sent, const NtpHeader& answer, UnixTime received);

}  // namespace ntsd
