// AES-128-GCM-SIV (RFC 8452) in lanes.
#pragma once

#include "core/crypto/lane_jobs.h"
#include "core/crypto/prepared_key.h"

namespace ntsd {
namespace {

// A product of two field elements before it is reduced.
template <typename V>
struct Product {
  typename V::Reg low, middle, high;

  LANES_INLINE static Product Of(typename V::Reg a, typename V::Reg b) {
    return {V::template Multiply<0x00>(a, b),
            V::Xor(V::template Multiply<0x01>(a, b), V::template Multiply<0x10>(a, b)),
            V::template Multiply<0x11>(a, b)};
  }
  LANES_INLINE friend Product operator^(const Product& a, const Product& b) {
    return {V::Xor(a.low, b.low), V::Xor(a.middle, b.middle), V::Xor(a.high, b.high)};
  }
  // Times x^-128 modulo x^128 + x^127 + x^126 + x^121 + 1, as POLYVAL wants it (RFC 8452 §3): twice the lowest 64 bits
  // are cleared by adding them times the polynomial, whose low half is 1.
  LANES_INLINE typename V::Reg Reduced() const {
    alignas(16) static constexpr std::uint64_t kPolynomial[2] = {1, 0xC200000000000000};
    const typename V::Reg polynomial = V::Broadcast(kPolynomial);
    typename V::Reg low_half = V::Xor(low, V::template ShiftOctetsUp<8>(middle));
    const typename V::Reg high_half = V::Xor(high, V::template ShiftOctetsDown<8>(middle));
    low_half = V::Xor(V::SwapHalves(low_half), V::template Multiply<0x10>(low_half, polynomial));
    low_half = V::Xor(V::SwapHalves(low_half), V::template Multiply<0x10>(low_half, polynomial));
    return V::Xor(low_half, high_half);
  }
};

template <typename V, int kVectors>
struct GcmSivScratch {
  std::uint8_t stream_copy[16 * V::kLanes * kVectors];
  typename Tail<V, kVectors>::Copies text_copies;
  LaneKeys<V, kVectors, 10> encrypting;
  LaneKeys<V, kVectors, 10> generating;  // only with raw keys
};

// The keys of these nonces (RFC 8452 §4), and what the rest needs of them.
template <typename V, int kVectors>
struct GcmSivKeys {
  Group<V, kVectors> nonces;          // followed by four zero octets
  Group<V, kVectors> authenticating;  // the key of POLYVAL
};

template <typename V, int kVectors, typename Keys, typename Job>
LANES_INLINE inline GcmSivKeys<V, kVectors> DeriveKeys(const Keys& generating, Job* const* jobs,
                                                       LaneKeys<V, kVectors, 10>& encrypting) {
  constexpr int kLanes = V::kLanes * kVectors;
  using Blocks = Group<V, kVectors>;
  alignas(64) std::uint8_t nonces[16 * kLanes];
  for (int i = 0; i < kLanes; ++i) {
    std::memcpy(nonces + 16 * i, jobs[i]->nonce.data(), 12);
    std::memset(nonces + 16 * i + 12, 0, 4);
  }
  GcmSivKeys<V, kVectors> keys;
  Blocks block[4], zero[4];
  Repeat<kVectors>([&](auto i) LANES_INLINE {
    keys.nonces.v[i] = V::Load(nonces + i * sizeof(typename V::Reg));
    block[0].v[i] = V::template ShiftOctetsUp<4>(keys.nonces.v[i]);
  });
  Repeat<4>([&](auto s) LANES_INLINE {
    if constexpr (s > 0) block[s] = PlusFirstWord(block[0], s);
    zero[s] = Blocks::Zero();
  });
  EncryptSum<V, kVectors, 4>(generating, block, zero);
  Blocks key[1];
  Repeat<kVectors>([&](auto i) LANES_INLINE {
    keys.authenticating.v[i] = V::LowHalves(block[0].v[i], block[1].v[i]);
    key[0].v[i] = V::LowHalves(block[2].v[i], block[3].v[i]);
  });
  ExpandKeys<V, kVectors, 1>(key, {&encrypting});
  return keys;
}

// The sequence that POLYVAL hashes: associated data and text, both filled with zeros, and their lengths. Blocks of
// zeros stand before shorter associated data: they change nothing while the sum is zero. The texts of a group have the
// same number of blocks.
template <typename V, int kVectors>
struct PolyvalInput {
  static constexpr int kLanes = V::kLanes * kVectors;
  using Blocks = Group<V, kVectors>;
  LaneStrings<V, kVectors> data_strings;
  Chain<V, kVectors> data, text;
  Tail<V, kVectors> data_tail, text_tail;
  typename Tail<V, kVectors>::Copies data_copies;
  alignas(64) std::uint64_t lengths[2 * kLanes];
  std::size_t data_count, text_count;

  template <typename Job>
  LANES_INLINE PolyvalInput(Job* const* jobs, bool is_uniform, const LaneStrings<V, kVectors>& texts,
                            typename Tail<V, kVectors>::Copies& text_copies) {
    SetAssociatedData(data_strings, jobs, is_uniform);
    data_count = ntsd::BlockCount(data_strings.size_max);
    text_count = ntsd::BlockCount(texts.size_max);
    data.Set(data_strings, 0, 0, data_count);
    data_tail.Set(data_strings, data_copies);
    text.Set(texts, 0, 0, text_count);
    text_tail.Set(texts, text_copies);
    for (int i = 0; i < kLanes; ++i) {
      lengths[2 * i] = 8 * data_strings.size[i];
      lengths[2 * i + 1] = 8 * texts.size[i];
    }
  }
  std::size_t BlockCount() const { return data_count + text_count + 1; }
  LANES_INLINE Blocks Load(std::size_t n) const {
    if (n < data_count) return n + 1 == data_count ? data_tail.Load() : data.Load(n);
    n -= data_count;
    if (n < text_count) return n + 1 == text_count ? text_tail.Load() : text.Load(n);
    Blocks blocks;
    Repeat<kVectors>([&](auto i) LANES_INLINE { blocks.v[i] = V::Load(lengths + i * 2 * V::kLanes); });
    return blocks;
  }
};

// Two blocks a turn, under the square of the key and the key, so that they share one reduction.
template <typename V, int kVectors, typename Input>
LANES_INLINE inline Group<V, kVectors> Polyval(const Group<V, kVectors>& key, const Input& input) {
  using Blocks = Group<V, kVectors>;
  Blocks square, sum;
  Repeat<kVectors>([&](auto i) LANES_INLINE { square.v[i] = Product<V>::Of(key.v[i], key.v[i]).Reduced(); });
  std::size_t n = 0;
  sum = Blocks::Zero();
  if (input.BlockCount() % 2 == 1) {
    const Blocks block = input.Load(n++);
    Repeat<kVectors>([&](auto i) LANES_INLINE { sum.v[i] = Product<V>::Of(block.v[i], key.v[i]).Reduced(); });
  }
  for (; n < input.BlockCount(); n += 2) {
    const Blocks first = input.Load(n), second = input.Load(n + 1);
    Repeat<kVectors>([&](auto i) LANES_INLINE {
      const Product<V> product = Product<V>::Of(second.v[i], key.v[i]);
      sum.v[i] = (Product<V>::Of(V::Xor(sum.v[i], first.v[i]), square.v[i]) ^ product).Reduced();
    });
  }
  return sum;
}

template <typename V, int kVectors, typename Job>
LANES_INLINE inline Group<V, kVectors> GcmSivTag(const GcmSivKeys<V, kVectors>& keys, Job* const* jobs, bool is_uniform,
                                                 const LaneStrings<V, kVectors>& texts,
                                                 GcmSivScratch<V, kVectors>& secrets) {
  using Blocks = Group<V, kVectors>;
  alignas(16) static constexpr std::uint8_t kMask[16] = {255, 255, 255, 255, 255, 255, 255, 255,
                                                         255, 255, 255, 255, 255, 255, 255, 0x7F};
  const PolyvalInput<V, kVectors> input(jobs, is_uniform, texts, secrets.text_copies);
  Blocks tag = (Polyval(keys.authenticating, input) ^ keys.nonces) & Blocks::Broadcast(kMask);
  const Blocks zero = Blocks::Zero();
  EncryptSum<V, kVectors, 1>(secrets.encrypting, &tag, &zero);
  return tag;
}

template <typename V, int kVectors, typename Texts>
LANES_INLINE inline void XorGcmSivKeystream(const Group<V, kVectors>& tag, const Texts& texts,
                                            GcmSivScratch<V, kVectors>& secrets) {
  using Blocks = Group<V, kVectors>;
  alignas(16) static constexpr std::uint8_t kAllButTop[16] = {255, 255, 255, 255, 255, 255, 255, 255,
                                                              255, 255, 255, 255, 255, 255, 255, 0x7F};
  alignas(16) static constexpr std::uint8_t kTop[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80};
  const Blocks base = (tag & Blocks::Broadcast(kAllButTop)) ^ Blocks::Broadcast(kTop);
  const auto counter = [&](std::size_t n) LANES_INLINE { return PlusFirstWord(base, n); };
  XorKeystream<V, kVectors>(secrets.encrypting, counter, texts.in, texts.out, secrets.stream_copy);
}

// kCookie: one prepared key for all, else raw keys.
template <typename V, int kVectors, bool kCookie, typename Job>
void GcmSiv(Job* const* jobs, int count, bool is_uniform, LaneScratch& scratch) {
  constexpr int kLanes = V::kLanes * kVectors;
  using Blocks = Group<V, kVectors>;
  using Scratch = GcmSivScratch<V, kVectors>;
  auto& secrets = Place<Scratch>(scratch, sizeof(Scratch) - (kCookie ? sizeof(Scratch::generating) : 0));
  LaneTexts<V, kVectors, false, Job> texts(jobs, is_uniform);
  GcmSivKeys<V, kVectors> keys;
  if constexpr (kCookie) {
    const ExpandedKey& key = jobs[0]->key.prepared->expanded();
    const SharedKeys<V> generating{reinterpret_cast<const std::uint8_t*>(&key.mac.round_keys)};
    keys = DeriveKeys<V, kVectors>(generating, jobs, secrets.encrypting);
  } else {
    const std::uint8_t* raw_keys[kLanes];
    for (int i = 0; i < kLanes; ++i) raw_keys[i] = jobs[i]->key.raw;
    Blocks raw[1] = {Blocks::Gather(raw_keys, 0)};
    ExpandKeys<V, kVectors, 1>(raw, {&secrets.generating});
    keys = DeriveKeys<V, kVectors>(secrets.generating, jobs, secrets.encrypting);
  }
  const bool has_text = texts.in.size_max > 0;
  if constexpr (IsSeal(static_cast<Job*>(nullptr))) {
    const Blocks tag = GcmSivTag(keys, jobs, is_uniform, texts.in, secrets);
    if (has_text) XorGcmSivKeystream(tag, texts, secrets);
    tag.Scatter(texts.tag, 0);
  } else {
    if (has_text) {
      XorGcmSivKeystream(Blocks::Gather(texts.tag, 0), texts, secrets);
      texts.ReadOutput();
    }
    Judge(jobs, count, GcmSivTag(keys, jobs, is_uniform, texts.in, secrets), texts.tag);
  }
}

}  // namespace
}  // namespace ntsd
