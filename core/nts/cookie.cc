#include "core/nts/cookie.h"

#include <algorithm>
#include <cstring>

#include "core/base/check.h"
#include "core/base/fixed_vector.h"
#include "core/limits.h"

namespace ntsd {
namespace {

// Batches are cut into pieces of this many jobs, which bounds what stands on the stack.
constexpr std::size_t kPieceSize = 64;
constexpr std::size_t kPlaintextSizeMax = 2 * kAeadKeySizeMax;

using Plaintexts = std::array<std::array<std::uint8_t, kPlaintextSizeMax>, kPieceSize>;

// Key material that passed through the stack does not stay there.
class WipeOnExit {
 public:
  WipeOnExit(Plaintexts& plaintexts, std::size_t count) : plaintexts_(plaintexts), count_(count) {}
  WipeOnExit(const WipeOnExit&) = delete;
  WipeOnExit& operator=(const WipeOnExit&) = delete;
  ~WipeOnExit() { Wipe(ByteSpan(plaintexts_[0].data(), count_ * kPlaintextSizeMax)); }

 private:
  Plaintexts& plaintexts_;
  std::size_t count_;
};

// There are three sizes of keys, and a copy of a known size is a few moves instead of a call.
void CopyKey(AeadId aead, const std::uint8_t* from, std::uint8_t* to) {
  switch (aead) {
    case AeadId::kAes128GcmSiv:
      std::memcpy(to, from, AeadKeySize(AeadId::kAes128GcmSiv));
      break;
    case AeadId::kAesSivCmac256:
      std::memcpy(to, from, AeadKeySize(AeadId::kAesSivCmac256));
      break;
    case AeadId::kAesSivCmac512:
      std::memcpy(to, from, AeadKeySize(AeadId::kAesSivCmac512));
      break;
  }
}

void SealPiece(const Aead& aead, const KeySet& set, Random& random, std::span<const CookieSealJob> jobs) {
  const KeySet::Entry& master = set.current();
  const AeadId master_aead = master.key.aead();
  const std::size_t nonce_size = AeadNonceSize(master_aead);
  FixedVector<SealJob, kPieceSize> seals;
  Plaintexts plaintexts;
  const WipeOnExit wipe(plaintexts, jobs.size());
  // All at once, which is much less than as many times one.
  std::array<std::uint8_t, kPieceSize * kAeadNonceSizeMax> nonces;
  random.Fill(ByteSpan(nonces).first(jobs.size() * nonce_size));
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    const AssociationKeys& keys = *jobs[i].keys;
    const std::size_t key_size = AeadKeySize(keys.aead);
    CopyKey(keys.aead, keys.c2s.data(), plaintexts[i].data());
    CopyKey(keys.aead, keys.s2c.data(), plaintexts[i].data() + key_size);
    ByteWriter writer(ByteSpan(jobs[i].cookie, CookieSize(master_aead, keys.aead)));
    writer.WriteU32(master.id);
    const ByteSpan nonce = writer.Reserve(nonce_size);
    std::memcpy(nonce.data(), nonces.data() + i * nonce_size, nonce.size());
    seals.push_back({.aead = master_aead,
                     .key = {.prepared = &master.key},
                     .associated_data = {},
                     .nonce = nonce,
                     .plaintext = ByteView(plaintexts[i]).first(2 * key_size),
                     .sealed = jobs[i].cookie + writer.size()});
  }
  aead.Seal(seals.span());
}

void OpenPiece(const Aead& aead, const KeySet& set, std::span<CookieOpenJob> jobs) {
  FixedVector<OpenJob, kPieceSize> opens;
  FixedVector<CookieOpenJob*, kPieceSize> opened_jobs;
  Plaintexts plaintexts;
  for (CookieOpenJob& job : jobs) {
    job.ok = false;
    job.master = nullptr;
    const auto id = CookieKeyId(job.cookie);
    if (id) job.master = set.Find(*id);
    if (job.master == nullptr) continue;
    const AeadId master_aead = job.master->key.aead();
    const auto client_aead = ClientAeadFromCookieSize(master_aead, job.cookie.size());
    if (!client_aead) continue;
    job.keys->aead = *client_aead;
    const std::size_t nonce_size = AeadNonceSize(master_aead);
    opens.push_back({.aead = master_aead,
                     .key = {.prepared = &job.master->key},
                     .associated_data = {},
                     .nonce = job.cookie.subspan(kCookieKeyIdSize, nonce_size),
                     .sealed = job.cookie.subspan(kCookieKeyIdSize + nonce_size),
                     .plaintext = plaintexts[opens.size()].data()});
    opened_jobs.push_back(&job);
  }
  const WipeOnExit wipe(plaintexts, opens.size());
  aead.Open(opens.span());
  for (std::size_t i = 0; i < opens.size(); ++i) {
    CookieOpenJob& job = *opened_jobs[i];
    job.ok = opens[i].ok;
    if (!job.ok) continue;
    const std::size_t key_size = AeadKeySize(job.keys->aead);
    const auto* const plaintext = plaintexts[i].data();
    CopyKey(job.keys->aead, plaintext, job.keys->c2s.data());
    CopyKey(job.keys->aead, plaintext + key_size, job.keys->s2c.data());
  }
}

}  // namespace

std::optional<AeadId> ClientAeadFromCookieSize(AeadId master, std::size_t cookie_size) {
  for (const AeadId client : {AeadId::kAesSivCmac256, AeadId::kAes128GcmSiv, AeadId::kAesSivCmac512}) {
    if (cookie_size == CookieSize(master, client)) return client;
  }
  return std::nullopt;
}

std::optional<KeyId> CookieKeyId(ByteView cookie) {
  ByteReader reader(cookie);
  const KeyId id = reader.ReadU32();
  if (!reader.ok()) return std::nullopt;
  return id;
}

void SealCookies(const Aead& aead, const KeySet& set, Random& random, std::span<const CookieSealJob> jobs) {
  static_assert(CookieSize(AeadId::kAesSivCmac256, AeadId::kAesSivCmac512) == kCookieSizeMax);
  // Ends: every turn takes at least one job away.
  while (!jobs.empty()) {
    const std::size_t count = std::min(jobs.size(), kPieceSize);
    SealPiece(aead, set, random, jobs.first(count));
    jobs = jobs.subspan(count);
  }
}

void OpenCookies(const Aead& aead, const KeySet& set, std::span<CookieOpenJob> jobs) {
  // Ends: every turn takes at least one job away.
  while (!jobs.empty()) {
    const std::size_t count = std::min(jobs.size(), kPieceSize);
    OpenPiece(aead, set, jobs.first(count));
    jobs = jobs.subspan(count);
  }
}

}  // namespace ntsd
