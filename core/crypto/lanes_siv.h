// AES-SIV-CMAC (RFC 5297) in lanes.
//
// CMAC is one long chain of dependent encryptions, so everything that does not depend on it runs beside it: the chain
// of the associated data, that of the text up to where D of S2V comes in, the nonce and the subkeys.
#pragma once

#include "core/crypto/lane_jobs.h"
#include "core/crypto/prepared_key.h"

namespace ntsd {
namespace {

// Multiplies by x. `x` and the result are byte-reversed: little endian.
template <typename V, int kVectors>
LANES_INLINE inline Group<V, kVectors> Doubled(const Group<V, kVectors>& x) {
  alignas(16) static constexpr std::uint32_t kCarries[4] = {0x87, 1, 1, 1};
  const typename V::Reg carries = V::Broadcast(kCarries);
  Group<V, kVectors> doubled;
  Repeat<kVectors>([&](auto i) LANES_INLINE {
    doubled.v[i] = V::Xor(V::ShiftLeft32(x.v[i]), V::And(V::RotateWords(V::SignMask32(x.v[i])), carries));
  });
  return doubled;
}

template <typename V, int kVectors>
LANES_INLINE inline Group<V, kVectors> Reversed(const Group<V, kVectors>& x) {
  return x.Shuffled(Group<V, kVectors>::Broadcast(kReverse));
}

template <typename V, int kVectors>
struct CmacSubkeys {
  Group<V, kVectors> full, partial;
};

// The nonces of a group: nearly always of 16 octets, but clients may send any.
template <typename V, int kVectors>
struct Nonces {
  static constexpr int kLanes = V::kLanes * kVectors;
  using Blocks = Group<V, kVectors>;

  template <typename Job>
  LANES_INLINE Nonces(Job* const* jobs, bool is_uniform) {
    for (int i = 0; i < kLanes; ++i) {
      const ByteView nonce = jobs[i]->nonce;
      strings_.data[i] = nonce.data();
      strings_.size[i] = nonce.size();
    }
    strings_.Measure(is_uniform);
  }
  // Sets `state` and `block` so that the encryption of their sum is CMAC(nonce).
  template <typename Keys>
  LANES_INLINE void Prepare(const Keys& keys, const CmacSubkeys<V, kVectors>& subkeys, Blocks& state,
                            Blocks& block) const {
    if (strings_.size_min != 16 || strings_.size_max != 16) [[unlikely]] {
      Blocks both[2];
      PrepareEach(keys, subkeys, both);
      state = both[0];
      block = both[1];
      return;
    }
    state = Blocks::Zero();
    block = Blocks::Gather(strings_.data, 0) ^ subkeys.full;
  }

 private:
  template <typename Keys>
  LANES_COLD void PrepareEach(const Keys& keys, const CmacSubkeys<V, kVectors>& subkeys, Blocks* both) const {
    const std::size_t steps = BlockCount(strings_.size_max);
    Chain<V, kVectors> chain;
    chain.Set(strings_, 0, 1, steps);
    Blocks state = Blocks::Zero();
    for (std::size_t step = 0; step + 1 < steps; ++step) {
      chain.Begin(step, state);
      const Blocks next = chain.Load(step);
      EncryptSum<V, kVectors, 1>(keys, &state, &next);
    }
    chain.Begin(steps - 1, state);
    Tail<V, kVectors> tail;
    std::uint8_t copies[kLanes][16];
    tail.Set(strings_, copies);
    both[0] = state;
    both[1] = tail.Load() ^ tail.Look(kPadding) ^ tail.Choose(subkeys.full, subkeys.partial);
  }

  LaneStrings<V, kVectors> strings_;
};

// The end of S2V for texts that are all longer than a block: CMAC(text xorend d), where `state` is what all blocks but
// the last two gave.
template <typename V, int kVectors, typename Keys>
LANES_INLINE inline Group<V, kVectors> FinishLongTexts(const Keys& keys, const CmacSubkeys<V, kVectors>& subkeys,
                                                       const Chain<V, kVectors>& chain, const Tail<V, kVectors>& tail,
                                                       std::size_t steps, Group<V, kVectors> state,
                                                       const Group<V, kVectors>& d) {
  chain.Begin(steps, state);
  Group<V, kVectors> block = chain.Load(steps) ^ d.Shuffled(tail.Look(kToEnd));
  EncryptSum<V, kVectors, 1>(keys, &state, &block);
  block = (tail.LoadEnd() ^ d).Shuffled(tail.Look(kToFront)) ^ tail.Look(kPadding) ^
          tail.Choose(subkeys.full, subkeys.partial);
  EncryptSum<V, kVectors, 1>(keys, &state, &block);
  return state;
}

template <typename V, int kVectors, typename Keys, typename Texts>
LANES_INLINE inline void XorSivKeystream(const Keys& keys, const Group<V, kVectors>& tag, const Texts& texts,
                                         std::uint8_t* stream_copy) {
  // RFC 5297 §2.5 clears two bits, so that no carry leaves the last word.
  alignas(16) static constexpr std::uint8_t kMask[16] = {255,  255, 255, 255, 255,  255, 255, 255,
                                                         0x7F, 255, 255, 255, 0x7F, 255, 255, 255};
  const Group<V, kVectors> base = Reversed(tag & Group<V, kVectors>::Broadcast(kMask));
  const auto counter = [&](std::size_t n) LANES_INLINE { return Reversed(PlusFirstWord(base, n)); };
  XorKeystream<V, kVectors>(keys, counter, texts.in, texts.out, stream_copy);
}

// --- Raw keys ---

template <typename V, int kVectors, int kRounds>
struct SivScratch {
  std::uint8_t stream_copy[16 * V::kLanes * kVectors];
  typename Tail<V, kVectors>::Copies text_copies;
  LaneKeys<V, kVectors, kRounds> mac;
  LaneKeys<V, kVectors, kRounds> ctr;  // only where there is a text

  static constexpr std::size_t UsedSize(bool has_text) {
    return sizeof(SivScratch) - (has_text ? 0 : sizeof(LaneKeys<V, kVectors, kRounds>));
  }
};

// Reads and expands the keys of all lanes; K2 only where there is a text.
template <typename V, int kVectors, int kRounds>
LANES_INLINE inline void ExpandSivKeys(const std::uint8_t* const* keys, bool has_text,
                                       SivScratch<V, kVectors, kRounds>& scratch) {
  using Blocks = Group<V, kVectors>;
  if constexpr (kRounds == 10) {
    if (has_text) {
      Blocks halves[2] = {Blocks::Gather(keys, 0), Blocks::Gather(keys, 16)};
      ExpandKeys<V, kVectors, 2>(halves, {&scratch.mac, &scratch.ctr});
    } else {
      Blocks half[1] = {Blocks::Gather(keys, 0)};
      ExpandKeys<V, kVectors, 1>(half, {&scratch.mac});
    }
  } else {
    Blocks mac[1] = {Blocks::Gather(keys, 0)}, mac_end[1] = {Blocks::Gather(keys, 16)};
    ExpandKeys<V, kVectors, 1>(mac, mac_end, {&scratch.mac});
    if (has_text) {
      Blocks ctr[1] = {Blocks::Gather(keys, 32)}, ctr_end[1] = {Blocks::Gather(keys, 48)};
      ExpandKeys<V, kVectors, 1>(ctr, ctr_end, {&scratch.ctr});
    }
  }
}

LANES_INLINE constexpr std::size_t Max(std::size_t a, std::size_t b) { return a > b ? a : b; }

// S2V of associated data, nonce and text under raw keys. kLong: all texts are longer than a block, else none is.
template <typename V, int kVectors, bool kLong, typename Job, typename Scratch>
LANES_INLINE inline Group<V, kVectors> S2v(Job* const* jobs, bool is_uniform, const LaneStrings<V, kVectors>& texts,
                                           Scratch& scratch) {
  using Blocks = Group<V, kVectors>;
  const auto& keys = scratch.mac;
  LaneStrings<V, kVectors> data_strings;
  SetAssociatedData(data_strings, jobs, is_uniform);
  const Nonces<V, kVectors> nonces(jobs, is_uniform);
  // The subkeys come from the first step, and the last blocks need them: so there are at least two.
  std::size_t steps = Max(BlockCount(data_strings.size_max), 2);
  if constexpr (kLong) steps = Max(steps, BlockCount(texts.size_max) - 2);
  Chain<V, kVectors> data, text;
  Tail<V, kVectors> data_tail, text_tail;
  typename Tail<V, kVectors>::Copies data_copies;
  data.Set(data_strings, 0, 1, steps);
  data_tail.Set(data_strings, data_copies);
  text_tail.Set(texts, scratch.text_copies);
  if constexpr (kLong) text.Set(texts, 2, 0, steps);

  constexpr int kText = kLong ? 1 : 0;  // streams of the text, after those of the associated data
  Blocks state[4] = {Blocks::Zero(), Blocks::Zero(), Blocks::Zero(), Blocks::Zero()};
  Blocks block[4];
  // The first step also makes the subkeys.
  block[0] = data.Load(0);
  if constexpr (kLong) block[1] = text.Load(0);
  block[1 + kText] = Blocks::Zero();
  EncryptSum<V, kVectors, 2 + kText>(keys, state, block);
  const Blocks full_reversed = Doubled(Reversed(state[1 + kText]));
  const CmacSubkeys<V, kVectors> subkeys{Reversed(full_reversed), Reversed(Doubled(full_reversed))};
  for (std::size_t step = 1; step + 1 < steps; ++step) {
    if (!kLong || step < text.first_start) {
      data.Begin(step, state[0]);
      block[0] = data.Load(step);
      EncryptSum<V, kVectors, 1>(keys, state, block);
    } else if (step < data.first_start) {
      text.Begin(step, state[1]);
      block[1] = text.Load(step);
      EncryptSum<V, kVectors, 1>(keys, state + 1, block + 1);
    } else {
      data.Begin(step, state[0]);
      text.Begin(step, state[1]);
      block[0] = data.Load(step);
      block[1] = text.Load(step);
      EncryptSum<V, kVectors, 2>(keys, state, block);
    }
  }
  // The last step also makes CMAC(nonce) and CMAC(0^128).
  data.Begin(steps - 1, state[0]);
  block[0] = data_tail.Load() ^ data_tail.Look(kPadding) ^ data_tail.Choose(subkeys.full, subkeys.partial);
  if constexpr (kLong) {
    text.Begin(steps - 1, state[1]);
    block[1] = text.Load(steps - 1);
  }
  nonces.Prepare(keys, subkeys, state[1 + kText], block[1 + kText]);
  state[2 + kText] = Blocks::Zero();
  block[2 + kText] = subkeys.full;
  EncryptSum<V, kVectors, 3 + kText>(keys, state, block);

  const Blocks after_data = Doubled(Reversed(state[2 + kText])) ^ Reversed(state[0]);
  const Blocks after_nonce = Doubled(after_data) ^ Reversed(state[1 + kText]);
  const Blocks d = Reversed(after_nonce);
  if constexpr (kLong) return FinishLongTexts(keys, subkeys, text, text_tail, steps, state[1], d);
  state[0] = Blocks::Zero();
  block[0] =
      text_tail.Load() ^ text_tail.Look(kPadding) ^ text_tail.Choose(d, Reversed(Doubled(after_nonce))) ^ subkeys.full;
  EncryptSum<V, kVectors, 1>(keys, state, block);
  return state[0];
}

template <typename V, int kVectors, int kRounds, bool kLong, typename Job>
void SivRaw(Job* const* jobs, int count, bool is_uniform, LaneScratch& scratch) {
  constexpr int kLanes = V::kLanes * kVectors;
  using Scratch = SivScratch<V, kVectors, kRounds>;
  LaneTexts<V, kVectors, true, Job> texts(jobs, is_uniform);
  const bool has_text = texts.in.size_max > 0;
  auto& secrets = Place<Scratch>(scratch, Scratch::UsedSize(has_text));
  const std::uint8_t* keys[kLanes];
  for (int i = 0; i < kLanes; ++i) keys[i] = jobs[i]->key.raw;
  ExpandSivKeys(keys, has_text, secrets);
  if constexpr (IsSeal(static_cast<Job*>(nullptr))) {
    const Group<V, kVectors> tag = S2v<V, kVectors, kLong>(jobs, is_uniform, texts.in, secrets);
    if (has_text) XorSivKeystream(secrets.ctr, tag, texts, secrets.stream_copy);
    tag.Scatter(texts.tag, 0);
  } else {
    if (has_text) {
      XorSivKeystream(secrets.ctr, Group<V, kVectors>::Gather(texts.tag, 0), texts, secrets.stream_copy);
      texts.ReadOutput();
    }
    Judge(jobs, count, S2v<V, kVectors, kLong>(jobs, is_uniform, texts.in, secrets), texts.tag);
  }
}

// --- Cookies: one prepared key, no associated data ---

template <typename V, int kVectors, typename Job>
LANES_INLINE inline Group<V, kVectors> S2vOfCookies(Job* const* jobs, bool is_uniform,
                                                    const LaneStrings<V, kVectors>& texts, const ExpandedKey& key) {
  using Blocks = Group<V, kVectors>;
  const SharedKeys<V> keys{reinterpret_cast<const std::uint8_t*>(&key.mac.round_keys)};
  const CmacSubkeys<V, kVectors> subkeys{Blocks::Broadcast(&key.subkey_full), Blocks::Broadcast(&key.subkey_partial)};
  const Nonces<V, kVectors> nonces(jobs, is_uniform);
  const std::size_t steps = Max(BlockCount(texts.size_max) - 2, 1);
  Chain<V, kVectors> text;
  Tail<V, kVectors> tail;
  typename Tail<V, kVectors>::Copies none;  // no text is that short
  text.Set(texts, 2, 0, steps);
  tail.Set(texts, none);
  Blocks state[2] = {Blocks::Zero(), Blocks::Zero()};
  Blocks block[2];
  for (std::size_t step = 0; step + 1 < steps; ++step) {
    text.Begin(step, state[0]);
    block[0] = text.Load(step);
    EncryptSum<V, kVectors, 1>(keys, state, block);
  }
  text.Begin(steps - 1, state[0]);
  block[0] = text.Load(steps - 1);
  nonces.Prepare(keys, subkeys, state[1], block[1]);
  EncryptSum<V, kVectors, 2>(keys, state, block);
  const Blocks after_data = Reversed(Blocks::Broadcast(&key.after_empty_ad));
  const Blocks d = Reversed(Doubled(after_data) ^ Reversed(state[1]));
  return FinishLongTexts(keys, subkeys, text, tail, steps, state[0], d);
}

template <typename V, int kVectors, typename Job>
void SivCookie(Job* const* jobs, int count, bool is_uniform, LaneScratch& scratch) {
  auto& stream_copy = Place<std::uint8_t[16 * V::kLanes * kVectors]>(scratch);
  LaneTexts<V, kVectors, true, Job> texts(jobs, is_uniform);
  const ExpandedKey& key = jobs[0]->key.prepared->expanded();
  const SharedKeys<V> ctr{reinterpret_cast<const std::uint8_t*>(&key.ctr.round_keys)};
  if constexpr (IsSeal(static_cast<Job*>(nullptr))) {
    const Group<V, kVectors> tag = S2vOfCookies<V, kVectors>(jobs, is_uniform, texts.in, key);
    XorSivKeystream(ctr, tag, texts, stream_copy);
    tag.Scatter(texts.tag, 0);
  } else {
    XorSivKeystream(ctr, Group<V, kVectors>::Gather(texts.tag, 0), texts, stream_copy);
    texts.ReadOutput();
    Judge(jobs, count, S2vOfCookies<V, kVectors>(jobs, is_uniform, texts.in, key), texts.tag);
  }
}

}  // namespace
}  // namespace ntsd
