// The AEADs of NTS, in batches: many messages, each with its own key, sealed or opened together.
//
// AES-SIV-CMAC-256 and -512 (RFC 5297 through RFC 5116: associated data, nonce and plaintext are always three strings,
// each may be empty) and AES-128-GCM-SIV (RFC 8452). A server meets another key in every packet, so the work is done
// in lanes across packets instead of once per packet; callers hand over whole batches and need not sort them.
//
// Threads: an Aead has no state; any thread may use it at any time.
// Memory: jobs point into the caller's memory; nothing is allocated.
// Errors: a message that does not authenticate is `ok = false`; wrong sizes of keys are broken promises (CHECK).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/secret.h"

namespace ntsd {

// IANA "AEAD Algorithms" numbers.
enum class AeadId : std::uint16_t {
  kAesSivCmac256 = 15,
  kAesSivCmac512 = 17,
  kAes128GcmSiv = 30,
};

inline constexpr std::size_t kAeadTagSize = 16;
inline constexpr std::size_t kAeadKeySizeMax = 64;
inline constexpr std::size_t kAeadNonceSizeMax = 16;  // of the nonces that we choose

std::optional<AeadId> AeadFromNumber(std::uint16_t number);
constexpr std::uint16_t AeadNumber(AeadId aead) { return static_cast<std::uint16_t>(aead); }
std::string_view AeadName(AeadId aead);

constexpr std::size_t AeadKeySize(AeadId aead) {
  switch (aead) {
    case AeadId::kAesSivCmac256:
      return 32;
    case AeadId::kAesSivCmac512:
      return 64;
    case AeadId::kAes128GcmSiv:
      return 16;
  }
  return 0;
}
// The nonce that we send. Of others, SIV accepts any from one octet on, GCM-SIV exactly this.
constexpr std::size_t AeadNonceSize(AeadId aead) { return aead == AeadId::kAes128GcmSiv ? 12 : 16; }
constexpr bool AeadNonceSizeIsLegal(AeadId aead, std::size_t size) {
  return aead == AeadId::kAes128GcmSiv ? size == 12 : size >= 1;
}
// Where the plaintext stands inside the sealed text when it is sealed or opened in place: SIV puts its tag first,
// GCM-SIV last.
constexpr std::size_t AeadPlaintextOffset(AeadId aead) { return aead == AeadId::kAes128GcmSiv ? 0 : kAeadTagSize; }

// A key that is used for many messages (a cookie master key), expanded once: round keys, CMAC subkeys, CMAC(0).
// Plain data, wiped on destruction, so that it can live in locked memory.
class PreparedKey;

// A key for one job: either raw (AeadKeySize octets) or prepared. Exactly one is set.
struct AeadKey {
  const std::uint8_t* raw = nullptr;
  const PreparedKey* prepared = nullptr;
};

struct SealJob {
  AeadId aead{};
  AeadKey key;
  ByteView associated_data;
  ByteView nonce;
  ByteView plaintext;
  // plaintext.size() + kAeadTagSize octets. May overlap `plaintext` only in place: plaintext.data() ==
  // sealed + AeadPlaintextOffset(aead).
  std::uint8_t* sealed = nullptr;
};

struct OpenJob {
  AeadId aead{};
  AeadKey key;
  ByteView associated_data;
  ByteView nonce;   // an illegal size fails the job
  ByteView sealed;  // shorter than a tag fails the job
  // sealed.size() - kAeadTagSize octets; overlaps `sealed` only in place, as above. All zero after a failure.
  std::uint8_t* plaintext = nullptr;
  bool ok = false;  // out
};

// One implementation for one instruction set.
class Aead {
 public:
  virtual ~Aead() = default;
  virtual std::string_view Name() const = 0;  // "vaes512", "vaes256", "aesni", "portable"
  virtual void Seal(std::span<SealJob> jobs) const = 0;
  virtual void Open(std::span<OpenJob> jobs) const = 0;
};

// The implementations that this CPU can run, fastest first; the portable one is always the last.
std::vector<const Aead*> AvailableAeads();
// The fastest one, or the one with that name; nullptr when this CPU cannot run it or the name is unknown.
// The environment variable NTSD_AEAD names one for tests; an explicit `name` wins over it.
const Aead* SelectAead(std::string_view name = {});

}  // namespace ntsd
