// NTS cookies: the two keys of an association, sealed under a master key, so that the server keeps no state
// (RFC 8915 §6).
//
// Layout, which is chrony's, so that a site can move between the two without one client losing its cookies:
//   key id (4, big endian) | nonce | seal(master key; associated data: present and empty; nonce; C2S || S2C)
// Master AEAD 15: nonce 16, tag first; cookies of 100 (AEAD 15), 68 (AEAD 30), 164 (AEAD 17) octets.
// Master AEAD 30: nonce 12, tag last; 96, 64, 160. The client's AEAD follows from the master's and the length.
//
// Threads: functions of their arguments. Errors: a cookie that does not open is `ok = false`, without a reason: clients
// never learn more than NTSN.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "core/base/bytes.h"
#include "core/base/random.h"
#include "core/base/secret.h"
#include "core/crypto/aead.h"
#include "core/keys/key_set.h"

namespace ntsd {

inline constexpr std::size_t kCookieKeyIdSize = 4;

// What a cookie carries: the keys that NTS-KE exported for one client.
struct AssociationKeys {
  AeadId aead = AeadId::kAesSivCmac256;
  std::array<std::uint8_t, kAeadKeySizeMax> c2s{};  // AeadKeySize(aead) octets are used
  std::array<std::uint8_t, kAeadKeySizeMax> s2c{};

  ~AssociationKeys() {
    Wipe(c2s);
    Wipe(s2c);
  }
};

// Octets of a cookie for a client of `client`, sealed by a master key of `master` (15 or 30).
constexpr std::size_t CookieSize(AeadId master, AeadId client) {
  return kCookieKeyIdSize + AeadNonceSize(master) + kAeadTagSize + 2 * AeadKeySize(client);
}
// The client's AEAD for a cookie of exactly that size, if there is one.
std::optional<AeadId> ClientAeadFromCookieSize(AeadId master, std::size_t cookie_size);

// The key id in front of a cookie: what tells its age. Nothing if the cookie is shorter than that.
std::optional<KeyId> CookieKeyId(ByteView cookie);

struct CookieSealJob {
  const AssociationKeys* keys = nullptr;
  std::uint8_t* cookie = nullptr;  // CookieSize(set.current().key.aead(), keys->aead) octets
};
// Seals every job under the current key of `set` with a fresh random nonce.
void SealCookies(const Aead& aead, const KeySet& set, Random& random, std::span<const CookieSealJob> jobs);

struct CookieOpenJob {
  ByteView cookie;
  AssociationKeys* keys = nullptr;        // out; undefined unless ok
  const KeySet::Entry* master = nullptr;  // out: the key that the cookie names; nullptr when we have it not
  bool ok = false;                        // out
};
// Opens every job with the key that it names.
void OpenCookies(const Aead& aead, const KeySet& set, std::span<CookieOpenJob> jobs);

}  // namespace ntsd
