// The words that the lane kernels are written in: groups of vectors whose 128-bit lanes belong to different messages.
//
// Included by one .cc file for each instruction set, which is compiled for that set alone. Everything here is therefore
// in an anonymous namespace, and nothing of the standard library is called: an inline function with external linkage,
// compiled for AVX-512, might be the copy that the linker keeps for all of us.
// tests/unit/core/crypto/object_code.py checks that.
//
// A vector type V gives: Reg, kLanes, kRegisters and the static functions that the kernels use; see vector_128.h.
//
// Constant time: AES and carry-less multiplication by instructions, shuffles by sizes only. No function looks at the
// octets of a lane; branches and addresses depend on sizes, counts and pointers of jobs.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

#define LANES_INLINE __attribute__((always_inline))
// Ways that well-formed traffic does not take stay out of the kernels, to keep them small.
#define LANES_COLD __attribute__((noinline, cold))

namespace ntsd {
namespace {

template <int kValue>
struct Index {
  static constexpr int kIndex = kValue;
  constexpr operator int() const { return kValue; }  // NOLINT(google-explicit-constructor): that is its purpose
};

template <typename Body, int... kIndices>
LANES_INLINE constexpr void RepeatFor(Body& body, std::integer_sequence<int, kIndices...>) {
  (body(Index<kIndices>{}), ...);
}
// Calls body(Index<0>), …, body(Index<kCount - 1>): a loop that is unrolled for certain, so that arrays of vectors stay
// in registers.
template <int kCount, typename Body>
LANES_INLINE constexpr void Repeat(Body&& body) {
  RepeatFor(body, std::make_integer_sequence<int, kCount>{});
}

// kVectors vectors: one block of each of kVectors * V::kLanes messages.
template <typename V, int kVectors>
struct Group {
  static constexpr int kLanes = V::kLanes * kVectors;
  typename V::Reg v[kVectors];

  LANES_INLINE static Group Zero() {
    Group group;
    Repeat<kVectors>([&](auto i) LANES_INLINE { group.v[i] = V::Zero(); });
    return group;
  }
  LANES_INLINE static Group Broadcast(const void* block) {
    Group group;
    Repeat<kVectors>([&](auto i) LANES_INLINE { group.v[i] = V::Broadcast(block); });
    return group;
  }
  // The block `offset` octets behind each lane's pointer.
  LANES_INLINE static Group Gather(const std::uint8_t* const* pointers, std::size_t offset) {
    Group group;
    Repeat<kVectors>([&](auto i) LANES_INLINE { group.v[i] = V::Gather(pointers + i * V::kLanes, offset); });
    return group;
  }
  LANES_INLINE void Scatter(std::uint8_t* const* pointers, std::size_t offset) const {
    Repeat<kVectors>([&](auto i) LANES_INLINE { V::Scatter(v[i], pointers + i * V::kLanes, offset); });
  }
  // All lanes side by side.
  LANES_INLINE void Store(std::uint8_t* octets) const {
    Repeat<kVectors>([&](auto i) LANES_INLINE { V::Store(octets + i * sizeof(typename V::Reg), v[i]); });
  }

  LANES_INLINE friend Group operator^(const Group& a, const Group& b) {
    Group sum;
    Repeat<kVectors>([&](auto i) LANES_INLINE { sum.v[i] = V::Xor(a.v[i], b.v[i]); });
    return sum;
  }
  LANES_INLINE friend Group operator&(const Group& a, const Group& b) {
    Group both;
    Repeat<kVectors>([&](auto i) LANES_INLINE { both.v[i] = V::And(a.v[i], b.v[i]); });
    return both;
  }
  LANES_INLINE Group Shuffled(const Group& control) const {
    Group shuffled;
    Repeat<kVectors>([&](auto i) LANES_INLINE { shuffled.v[i] = V::Shuffle(v[i], control.v[i]); });
    return shuffled;
  }
  LANES_INLINE Group Plus32(const Group& summand) const {
    Group sum;
    Repeat<kVectors>([&](auto i) LANES_INLINE { sum.v[i] = V::Add32(v[i], summand.v[i]); });
    return sum;
  }
};

// --- Constants ---

alignas(64) constexpr std::uint8_t kZeroBlock[16] = {};
alignas(16) constexpr std::uint8_t kOnesBlock[16] = {255, 255, 255, 255, 255, 255, 255, 255,
                                                     255, 255, 255, 255, 255, 255, 255, 255};
alignas(16) constexpr std::uint8_t kReverse[16] = {15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0};

constexpr std::uint8_t kNone = 0x80;  // makes a shuffle give zero
// From `gap` on: the shuffle that moves the last 16 - gap octets of a block to its front.
alignas(64) constexpr std::uint8_t kToFront[32] = {
    0,     1,     2,     3,     4,     5,     6,     7,     8,     9,     10,    11,    12,    13,    14,    15,
    kNone, kNone, kNone, kNone, kNone, kNone, kNone, kNone, kNone, kNone, kNone, kNone, kNone, kNone, kNone, kNone};
// From `gap` on: the shuffle that moves the first `gap` octets of a block to its end.
alignas(64) constexpr std::uint8_t kToEnd[32] = {
    kNone, kNone, kNone, kNone, kNone, kNone, kNone, kNone, kNone, kNone, kNone, kNone, kNone, kNone, kNone, kNone,
    0,     1,     2,     3,     4,     5,     6,     7,     8,     9,     10,    11,    12,    13,    14,    15};
// From `gap` on: the padding of CMAC behind 16 - gap octets.
alignas(64) constexpr std::uint8_t kPadding[32] = {0,    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                                                   0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};

// --- AES ---

// Round keys of AES with kRoundCount rounds, a different key in every lane.
template <typename V, int kVectors, int kRoundCount>
struct LaneKeys {
  static constexpr int kRounds = kRoundCount;
  typename V::Reg round_keys[kRoundCount + 1][kVectors];

  LANES_INLINE typename V::Reg Get(int round, int vector) const { return round_keys[round][vector]; }
};

// One key for all lanes, as the portable code expanded it.
template <typename V>
struct SharedKeys {
  static constexpr int kRounds = 10;
  const std::uint8_t* round_keys;

  LANES_INLINE typename V::Reg Get(int round, int) const { return V::Broadcast(round_keys + 16 * round); }
};

// state[s] = AES(state[s] ^ block[s]) for kStreams independent streams under the same keys.
// The inner rounds stay a loop: unrolled, the kernels would not fit into the instruction cache.
template <typename V, int kVectors, int kStreams, typename Keys>
LANES_INLINE inline void EncryptSum(const Keys& keys, Group<V, kVectors>* state, const Group<V, kVectors>* block) {
  if constexpr (kStreams > 1 && kStreams * kVectors > V::kRegisters) {
    EncryptSum<V, kVectors, kStreams / 2>(keys, state, block);
    EncryptSum<V, kVectors, kStreams - kStreams / 2>(keys, state + kStreams / 2, block + kStreams / 2);
  } else {
    typename V::Reg x[kStreams][kVectors];
    Repeat<kVectors>([&](auto i) LANES_INLINE {
      const typename V::Reg key = keys.Get(0, i);
      Repeat<kStreams>([&](auto s) LANES_INLINE { x[s][i] = V::Xor3(state[s].v[i], block[s].v[i], key); });
    });
    const auto run_round = [&](int round) LANES_INLINE {
      Repeat<kVectors>([&](auto i) LANES_INLINE {
        typename V::Reg key = keys.Get(round, i);
        if constexpr (kStreams > 1) V::Keep(key);  // else the compiler loads it again for each stream
        Repeat<kStreams>([&](auto s) LANES_INLINE { x[s][i] = V::AesRound(x[s][i], key); });
      });
    };
    // Three rounds a turn (9 = 3 * 3, 13 = 1 + 3 * 4): a turn costs some copies of registers.
    if constexpr (Keys::kRounds == 14) run_round(1);
    for (int round = Keys::kRounds == 14 ? 2 : 1; round < Keys::kRounds; round += 3) {
      Repeat<3>([&](auto more) LANES_INLINE { run_round(round + more); });
    }
    Repeat<kVectors>([&](auto i) LANES_INLINE {
      const typename V::Reg key = keys.Get(Keys::kRounds, i);
      Repeat<kStreams>([&](auto s) LANES_INLINE { state[s].v[i] = V::AesLastRound(x[s][i], key); });
    });
  }
}

// Expands the 16-octet keys of kStreams groups side by side. The last round of AES on a vector of four equal words is
// SubWord on each, plus the round constant: unlike aeskeygenassist it exists in every width.
template <typename V, int kVectors, int kStreams>
LANES_INLINE inline void ExpandKeys(Group<V, kVectors> (&key)[kStreams],
                                    LaneKeys<V, kVectors, 10>* const (&out)[kStreams]) {
  alignas(16) static constexpr std::uint8_t kRotatedLastWord[16] = {13, 14, 15, 12, 13, 14, 15, 12,
                                                                    13, 14, 15, 12, 13, 14, 15, 12};
  const typename V::Reg rotated_last_word = V::Broadcast(kRotatedLastWord);
  std::uint32_t constant = 1;
  for (int round = 0;; ++round) {
    Repeat<kStreams>([&](auto s) LANES_INLINE {
      Repeat<kVectors>([&](auto i) LANES_INLINE { out[s]->round_keys[round][i] = key[s].v[i]; });
    });
    if (round == 10) break;
    const typename V::Reg round_constant = V::Broadcast32(constant);
    Repeat<kStreams>([&](auto s) LANES_INLINE {
      Repeat<kVectors>([&](auto i) LANES_INLINE {
        const typename V::Reg word = V::AesLastRound(V::Shuffle(key[s].v[i], rotated_last_word), round_constant);
        key[s].v[i] = V::PrefixXor32(key[s].v[i], word);
      });
    });
    constant = constant << 1 ^ (constant >> 7) * 0x11B;
  }
}

// The same for keys of 32 octets: key[s] their first, key_end[s] their second halves.
template <typename V, int kVectors, int kStreams>
LANES_INLINE inline void ExpandKeys(Group<V, kVectors> (&key)[kStreams], Group<V, kVectors> (&key_end)[kStreams],
                                    LaneKeys<V, kVectors, 14>* const (&out)[kStreams]) {
  alignas(16) static constexpr std::uint8_t kRotatedLastWord[16] = {13, 14, 15, 12, 13, 14, 15, 12,
                                                                    13, 14, 15, 12, 13, 14, 15, 12};
  alignas(16) static constexpr std::uint8_t kLastWord[16] = {12, 13, 14, 15, 12, 13, 14, 15,
                                                             12, 13, 14, 15, 12, 13, 14, 15};
  const typename V::Reg rotated_last_word = V::Broadcast(kRotatedLastWord), last_word = V::Broadcast(kLastWord);
  std::uint32_t constant = 1;
  for (int round = 0;; round += 2) {
    Repeat<kStreams>([&](auto s) LANES_INLINE {
      Repeat<kVectors>([&](auto i) LANES_INLINE { out[s]->round_keys[round][i] = key[s].v[i]; });
    });
    if (round == 14) break;
    const typename V::Reg round_constant = V::Broadcast32(constant);
    Repeat<kStreams>([&](auto s) LANES_INLINE {
      Repeat<kVectors>([&](auto i) LANES_INLINE {
        out[s]->round_keys[round + 1][i] = key_end[s].v[i];
        const typename V::Reg word = V::AesLastRound(V::Shuffle(key_end[s].v[i], rotated_last_word), round_constant);
        key[s].v[i] = V::PrefixXor32(key[s].v[i], word);
        const typename V::Reg word_end = V::AesLastRound(V::Shuffle(key[s].v[i], last_word), V::Zero());
        key_end[s].v[i] = V::PrefixXor32(key_end[s].v[i], word_end);
      });
    });
    constant <<= 1;
  }
}

// --- Messages in lanes ---

// One string of each message. Where all have the same size, which is the usual case, only the first size is looked at.
template <typename V, int kVectors>
struct LaneStrings {
  static constexpr int kLanes = V::kLanes * kVectors;
  const std::uint8_t* data[kLanes];
  std::size_t size[kLanes];
  std::size_t size_min, size_max;
  bool is_uniform;

  // To be called once data and size are set.
  LANES_INLINE void Measure(bool all_the_same) {
    is_uniform = all_the_same;
    size_min = size_max = size[0];
    if (!all_the_same) [[unlikely]]
      MeasureEach();
  }

 private:
  LANES_COLD void MeasureEach() {
    for (int i = 1; i < kLanes; ++i) {
      if (size[i] < size_min) size_min = size[i];
      if (size[i] > size_max) size_max = size[i];
    }
  }
};

LANES_INLINE constexpr std::size_t BlockCount(std::size_t size) { return (size + 15) / 16; }

// The blocks of a string in every lane, to be read one block a step, so that all lanes end in the same step. Lanes with
// fewer blocks start later: what their state went through before is cleared then.
template <typename V, int kVectors>
struct Chain {
  static constexpr int kLanes = V::kLanes * kVectors;
  std::size_t first_start, last_start;

  // All blocks but the last `dropped` ones; at least `count_min`; the last one is read in step `end` - 1.
  LANES_INLINE void Set(const LaneStrings<V, kVectors>& strings, std::size_t dropped, std::size_t count_min,
                        std::size_t end) {
    if (!strings.is_uniform) [[unlikely]]
      return SetEach(strings, dropped, count_min, end);
    first_start = last_start = end - Count(strings.size[0], dropped, count_min);
    pointers_ = strings.data;
    skip_ = 16 * first_start;
  }
  LANES_INLINE Group<V, kVectors> Load(std::size_t step) const {
    if (step < last_start) return first_start == last_start ? Group<V, kVectors>::Zero() : LoadStarted(step);
    return Group<V, kVectors>::Gather(pointers_, 16 * step - skip_);
  }
  // Clears the states of lanes that start in `step`.
  LANES_INLINE void Begin(std::size_t step, Group<V, kVectors>& state) const {
    if (step > last_start) return;
    if (first_start != last_start) [[unlikely]] {
      state = state & Unstarted(step);
    } else {
      state = Group<V, kVectors>::Zero();  // before the start of all lanes it does not matter
    }
  }

 private:
  LANES_INLINE static std::size_t Count(std::size_t size, std::size_t dropped, std::size_t count_min) {
    const std::size_t count = BlockCount(size) - dropped;
    return count < count_min ? count_min : count;
  }
  std::size_t Start(int lane) const { return first_start == last_start ? first_start : start_[lane]; }
  LANES_COLD void SetEach(const LaneStrings<V, kVectors>& strings, std::size_t dropped, std::size_t count_min,
                          std::size_t end) {
    first_start = ~std::size_t{0};
    last_start = 0;
    pointers_ = base_;
    skip_ = 0;
    for (int i = 0; i < kLanes; ++i) {
      start_[i] = end - Count(strings.size[i], dropped, count_min);
      // The place of an imagined block for step 0.
      base_[i] =
          reinterpret_cast<const std::uint8_t*>(reinterpret_cast<std::uintptr_t>(strings.data[i]) - 16 * start_[i]);
      if (start_[i] < first_start) first_start = start_[i];
      if (start_[i] > last_start) last_start = start_[i];
    }
  }
  LANES_COLD Group<V, kVectors> LoadStarted(std::size_t step) const {
    const std::uint8_t* pointers[kLanes];
    for (int i = 0; i < kLanes; ++i) pointers[i] = step >= Start(i) ? pointers_[i] + 16 * step - skip_ : kZeroBlock;
    return Group<V, kVectors>::Gather(pointers, 0);
  }
  LANES_COLD Group<V, kVectors> Unstarted(std::size_t step) const {
    const std::uint8_t* pointers[kLanes];
    for (int i = 0; i < kLanes; ++i) pointers[i] = step == Start(i) ? kZeroBlock : kOnesBlock;
    return Group<V, kVectors>::Gather(pointers, 0);
  }

  const std::uint8_t* const* pointers_;
  std::size_t skip_;
  // Only where the strings differ in size.
  std::size_t start_[kLanes];
  const std::uint8_t* base_[kLanes];
};

// The last, perhaps partial blocks of strings in all lanes.
template <typename V, int kVectors>
struct Tail {
  static constexpr int kLanes = V::kLanes * kVectors;
  // Copies of strings shorter than a block, which end where they end. May be secret: the caller says where they stand.
  using Copies = std::uint8_t[kLanes][16];

  LANES_INLINE void Set(const LaneStrings<V, kVectors>& strings, Copies& copies) {
    is_empty_ = strings.is_uniform && strings.size[0] == 0;
    is_uniform_ = is_empty_ || (strings.is_uniform && strings.size[0] >= 16);
    if (!is_uniform_) [[unlikely]]
      return SetEach(strings, copies);
    pointers_ = strings.data;
    offset_ = strings.size[0] - 16;
    gap_[0] = is_empty_ ? 16 : (0 - strings.size[0]) & 15;
  }
  // The last 16 octets, and the last blocks, filled with zeros.
  LANES_INLINE Group<V, kVectors> LoadEnd() const { return Group<V, kVectors>::Gather(pointers_, offset_); }
  LANES_INLINE Group<V, kVectors> Load() const {
    if (is_empty_) return Group<V, kVectors>::Zero();
    return LoadEnd().Shuffled(Look(kToFront));
  }
  // What a table has for every lane's gap: the octets that the last block lacks, 16 for the empty string.
  LANES_INLINE Group<V, kVectors> Look(const std::uint8_t* table) const {
    if (!is_uniform_) [[unlikely]]
      return LookEach(table);
    return Group<V, kVectors>::Broadcast(table + gap_[0]);
  }
  // `full` in lanes whose last block is whole, `partial` in the others.
  LANES_INLINE Group<V, kVectors> Choose(const Group<V, kVectors>& full, const Group<V, kVectors>& partial) const {
    if (!is_uniform_) [[unlikely]]
      return full ^ ((full ^ partial) & IsPartial());
    return gap_[0] == 0 ? full : partial;
  }

 private:
  LANES_COLD void SetEach(const LaneStrings<V, kVectors>& strings, Copies& copies) {
    pointers_ = last_;
    offset_ = 0;
    for (int i = 0; i < kLanes; ++i) {
      const std::size_t size = strings.size[i];
      gap_[i] = size == 0 ? 16 : (0 - size) & 15;
      last_[i] = strings.data[i] + size - 16;
      if (size >= 16) continue;
      std::memset(copies[i], 0, 16);
      for (std::size_t n = 0; n < size; ++n) copies[i][16 - size + n] = strings.data[i][n];
      last_[i] = copies[i];
    }
  }
  LANES_COLD Group<V, kVectors> LookEach(const std::uint8_t* table) const {
    const std::uint8_t* pointers[kLanes];
    for (int i = 0; i < kLanes; ++i) pointers[i] = table + gap_[i];
    return Group<V, kVectors>::Gather(pointers, 0);
  }
  LANES_COLD Group<V, kVectors> IsPartial() const {
    const std::uint8_t* pointers[kLanes];
    for (int i = 0; i < kLanes; ++i) pointers[i] = gap_[i] == 0 ? kZeroBlock : kOnesBlock;
    return Group<V, kVectors>::Gather(pointers, 0);
  }

  const std::uint8_t* const* pointers_;
  std::size_t offset_;
  bool is_empty_, is_uniform_;
  std::size_t gap_[kLanes];
  const std::uint8_t* last_[kLanes];
};

// Exclusive-ors up to 16 octets.
inline void XorOctets(const std::uint8_t* in, const std::uint8_t* key_stream, std::size_t size, std::uint8_t* out) {
  const auto piece = [&]<typename Word>(Word, std::size_t offset) LANES_INLINE {
    Word a, b;
    std::memcpy(&a, in + offset, sizeof(Word));
    std::memcpy(&b, key_stream + offset, sizeof(Word));
    a = static_cast<Word>(a ^ b);
    std::memcpy(out + offset, &a, sizeof(Word));
  };
  if (size == 16) {
    piece(std::uint64_t{}, 0);
    piece(std::uint64_t{}, 8);
    return;
  }
  if (size & 8) piece(std::uint64_t{}, 0);
  if (size & 4) piece(std::uint32_t{}, size & 8);
  if (size & 2) piece(std::uint16_t{}, size & 12);
  if (size & 1) piece(std::uint8_t{}, size & 14);
}

// The block at `offset` of texts that end in it or before it. `streams` holds a block of key stream for each lane.
__attribute__((noinline)) inline void XorLastBlocks(int lanes, const std::uint8_t* const* in, std::uint8_t* const* out,
                                                    const std::size_t* sizes, std::size_t offset,
                                                    const std::uint8_t* streams) {
  for (int i = 0; i < lanes; ++i) {
    // Not for duplicates, which follow the message that they repeat: in place they would undo its work.
    if (sizes[i] <= offset || (i > 0 && out[i] == out[i - 1])) continue;
    const std::size_t rest = sizes[i] - offset;
    XorOctets(in[i] + offset, streams + 16 * i, rest < 16 ? rest : 16, out[i] + offset);
  }
}

// Exclusive-ors the texts of all lanes with their key streams; block number `n` of a stream is AES(counter(n)).
// `in` and `out` of a lane are the same or do not overlap.
template <typename V, int kVectors, typename Keys, typename Counter>
LANES_INLINE inline void XorKeystream(const Keys& keys, Counter counter, const LaneStrings<V, kVectors>& in,
                                      std::uint8_t* const* out, std::uint8_t* stream_copy) {
  // So many blocks of a stream are made together: enough to keep the AES units busy, and no more, because some of the
  // last turn may be in vain.
  constexpr int kTurn = kVectors >= V::kStreamsBusy ? 1 : V::kStreamsBusy / kVectors;
  const std::size_t whole = in.size_min / 16;  // blocks that every lane has
  for (std::size_t first = 0; 16 * first < in.size_max; first += kTurn) {
    Group<V, kVectors> stream[kTurn], zero[kTurn];
    Repeat<kTurn>([&](auto s) LANES_INLINE {
      stream[s] = counter(first + s);
      zero[s] = Group<V, kVectors>::Zero();
    });
    EncryptSum<V, kVectors, kTurn>(keys, stream, zero);
    Repeat<kTurn>([&](auto s) LANES_INLINE {
      const std::size_t offset = 16 * (first + s);
      if (first + s < whole) [[likely]] {
        (stream[s] ^ Group<V, kVectors>::Gather(in.data, offset)).Scatter(out, offset);
      } else if (offset < in.size_max) {
        stream[s].Store(stream_copy);
        XorLastBlocks(V::kLanes * kVectors, in.data, out, in.size, offset, stream_copy);
      }
    });
  }
}

}  // namespace
}  // namespace ntsd
