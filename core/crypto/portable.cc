// The backend for any CPU, and what the others are measured by: one message after the other, in the words of the RFCs.
//
// Constant time: nothing but sizes and AEAD numbers steers a branch or an index. Only the verdict "ok" is revealed.
#include <algorithm>
#include <cstring>

#include "core/base/check.h"
#include "core/crypto/backend.h"
#include "core/crypto/cmac.h"
#include "core/crypto/polyval.h"
#include "core/crypto/prepared_key.h"

namespace ntsd {
namespace {

// The key of a job, expanded: looked up when it is prepared, else made and wiped again.
class JobKey {
 public:
  JobKey(AeadId aead, const AeadKey& key) {
    CHECK((key.raw == nullptr) != (key.prepared == nullptr));
    if (key.prepared == nullptr) {
      own_ = ExpandedKey(aead, key.raw);
    } else {
      CHECK(key.prepared->aead() == aead);
      expanded_ = &key.prepared->expanded();
    }
  }
  JobKey(const JobKey&) = delete;
  JobKey& operator=(const JobKey&) = delete;
  const ExpandedKey& operator*() const { return *expanded_; }

 private:
  ExpandedKey own_;
  const ExpandedKey* expanded_ = &own_;
};

// Exclusive-ors `size` octets of `in` with the encryptions of the counters that next() gives, four at a time.
// `in` and `out` are the same or do not overlap.
template <typename NextCounter>
void XorKeystream(const BitslicedAes& cipher, NextCounter next, const std::uint8_t* in, std::size_t size,
                  std::uint8_t* out) {
  for (std::size_t offset = 0; offset < size; offset += BitslicedAes::kBlockCount * kAesBlockSize) {
    BitslicedAes::Blocks blocks;
    for (AesBlock& block : blocks) block = next();
    cipher.Encrypt(blocks);
    const std::size_t piece = std::min(size - offset, BitslicedAes::kBlockCount * kAesBlockSize);
    for (std::size_t i = 0; i < piece; ++i) {
      out[offset + i] = in[offset + i] ^ blocks[i / kAesBlockSize][i % kAesBlockSize];
    }
  }
}

// --- AES-SIV-CMAC (RFC 5297) ---

// S2V of three strings (RFC 5297 §2.4, §3): associated data, nonce, plaintext.
AesBlock S2v(const ExpandedKey& key, ByteView associated_data, ByteView nonce, ByteView plaintext) {
  const BitslicedAes cipher(key.mac);
  const auto cmac = [&](ByteView message, const AesBlock* end = nullptr) {
    return Cmac(cipher, key.subkey_full, key.subkey_partial, message, end);
  };
  AesBlock d = associated_data.empty() ? key.after_empty_ad : Xor(Double(key.after_zero), cmac(associated_data));
  d = Xor(Double(d), cmac(nonce));
  if (plaintext.size() >= kAesBlockSize) return cmac(plaintext, &d);
  AesBlock last{};
  std::copy(plaintext.begin(), plaintext.end(), last.begin());
  last[plaintext.size()] = 0x80;
  return cmac(Xor(Double(d), last));
}

void XorSivKeystream(const ExpandedKey& key, const AesBlock& tag, const std::uint8_t* in, std::size_t size,
                     std::uint8_t* out) {
  AesBlock counter = tag;  // RFC 5297 §2.5: two bits are cleared
  counter[8] &= 0x7F;
  counter[12] &= 0x7F;
  const auto next = [&counter] {
    const AesBlock current = counter;
    unsigned carry = 1;  // big endian; every octet is touched, whatever the carry
    for (std::size_t i = counter.size(); i > 0; --i) {
      carry += counter[i - 1];
      counter[i - 1] = static_cast<std::uint8_t>(carry);
      carry >>= 8;
    }
    return current;
  };
  const BitslicedAes cipher(key.ctr);
  XorKeystream(cipher, next, in, size, out);
}

void SealSiv(const SealJob& job) {
  const JobKey key(job.aead, job.key);
  const AesBlock tag = S2v(*key, job.associated_data, job.nonce, job.plaintext);
  XorSivKeystream(*key, tag, job.plaintext.data(), job.plaintext.size(), job.sealed + kAeadTagSize);
  std::memcpy(job.sealed, tag.data(), tag.size());
}

bool OpenSiv(const OpenJob& job, ByteSpan plaintext) {
  const JobKey key(job.aead, job.key);
  AesBlock tag;
  std::memcpy(tag.data(), job.sealed.data(), tag.size());
  XorSivKeystream(*key, tag, job.sealed.data() + kAeadTagSize, plaintext.size(), plaintext.data());
  return EqualInConstantTime(S2v(*key, job.associated_data, job.nonce, plaintext), tag);
}

// --- AES-128-GCM-SIV (RFC 8452) ---

class GcmSiv {
 public:
  // Derives the two keys of this nonce (RFC 8452 §4).
  GcmSiv(const ExpandedKey& key, ByteView nonce) : nonce_(nonce) {
    BitslicedAes::Blocks blocks{};
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      blocks[i][0] = static_cast<std::uint8_t>(i);
      std::copy(nonce.begin(), nonce.end(), blocks[i].begin() + 4);
    }
    BitslicedAes(key.mac).Encrypt(blocks);
    for (std::size_t i = 0; i < 8; ++i) {
      keys_[0][i] = blocks[0][i];
      keys_[0][8 + i] = blocks[1][i];
      keys_[1][i] = blocks[2][i];
      keys_[1][8 + i] = blocks[3][i];
    }
    Wipe({blocks[0].data(), sizeof(blocks)});
    schedule_ = ExpandAesKey(keys_[1]);
  }
  GcmSiv(const GcmSiv&) = delete;
  GcmSiv& operator=(const GcmSiv&) = delete;
  ~GcmSiv() {
    Wipe({keys_[0].data(), sizeof(keys_)});
    Wipe({reinterpret_cast<std::uint8_t*>(&schedule_), sizeof(schedule_)});
  }

  AesBlock Tag(ByteView associated_data, ByteView plaintext) const {
    Polyval polyval(keys_[0]);
    polyval.UpdatePadded(associated_data);
    polyval.UpdatePadded(plaintext);
    AesBlock lengths;
    for (std::size_t i = 0; i < 8; ++i) {
      lengths[i] = static_cast<std::uint8_t>(std::uint64_t{associated_data.size()} * 8 >> (8 * i));
      lengths[8 + i] = static_cast<std::uint8_t>(std::uint64_t{plaintext.size()} * 8 >> (8 * i));
    }
    polyval.Update(lengths);
    AesBlock sum = polyval.Sum();
    for (std::size_t i = 0; i < nonce_.size(); ++i) sum[i] ^= nonce_[i];
    sum[15] &= 0x7F;
    return BitslicedAes(schedule_).Encrypt(sum);
  }

  void XorKeystreamOf(const AesBlock& tag, const std::uint8_t* in, std::size_t size, std::uint8_t* out) const {
    AesBlock counter = tag;
    counter[15] |= 0x80;
    const auto next = [&counter] {
      const AesBlock current = counter;
      unsigned carry = 1;  // little endian, in the first four octets
      for (std::size_t i = 0; i < 4; ++i) {
        carry += counter[i];
        counter[i] = static_cast<std::uint8_t>(carry);
        carry >>= 8;
      }
      return current;
    };
    XorKeystream(BitslicedAes(schedule_), next, in, size, out);
  }

 private:
  ByteView nonce_;
  std::array<AesBlock, 2> keys_;  // message authentication, message encryption
  AesSchedule schedule_;
};

void SealGcmSiv(const SealJob& job) {
  const JobKey key(job.aead, job.key);
  const GcmSiv cipher(*key, job.nonce);
  const AesBlock tag = cipher.Tag(job.associated_data, job.plaintext);
  cipher.XorKeystreamOf(tag, job.plaintext.data(), job.plaintext.size(), job.sealed);
  std::memcpy(job.sealed + job.plaintext.size(), tag.data(), tag.size());
}

bool OpenGcmSiv(const OpenJob& job, ByteSpan plaintext) {
  const JobKey key(job.aead, job.key);
  const GcmSiv cipher(*key, job.nonce);
  AesBlock tag;
  std::memcpy(tag.data(), job.sealed.data() + plaintext.size(), tag.size());
  cipher.XorKeystreamOf(tag, job.sealed.data(), plaintext.size(), plaintext.data());
  return EqualInConstantTime(cipher.Tag(job.associated_data, plaintext), tag);
}

// The only place where what a message holds steers a branch: the verdict, which everybody learns. It stands alone, so
// that the check of constant time can tell it from the rest.
__attribute__((noinline)) void ClearUnlessOk(const OpenJob& job) {
  if (!job.ok) std::fill_n(job.plaintext, job.sealed.size() - kAeadTagSize, std::uint8_t{0});
}

class Portable final : public Aead {
 public:
  std::string_view Name() const override { return "portable"; }

  void Seal(std::span<SealJob> jobs) const override {
    for (const SealJob& job : jobs) {
      CHECK(AeadNonceSizeIsLegal(job.aead, job.nonce.size()));
      job.aead == AeadId::kAes128GcmSiv ? SealGcmSiv(job) : SealSiv(job);
    }
  }

  void Open(std::span<OpenJob> jobs) const override {
    for (OpenJob& job : jobs) {
      job.ok = false;
      if (job.sealed.size() < kAeadTagSize) continue;
      const ByteSpan plaintext(job.plaintext, job.sealed.size() - kAeadTagSize);
      if (AeadNonceSizeIsLegal(job.aead, job.nonce.size())) {
        job.ok = job.aead == AeadId::kAes128GcmSiv ? OpenGcmSiv(job, plaintext) : OpenSiv(job, plaintext);
      }
      ClearUnlessOk(job);
    }
  }
};

}  // namespace

const Aead* PortableAead() {
  static const Portable kPortable;
  return &kPortable;
}

}  // namespace ntsd
