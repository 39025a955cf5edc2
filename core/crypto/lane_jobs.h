// What the lane kernels take from the jobs of a batch, and where they keep secrets while they work.
#pragma once

#include "core/crypto/backend.h"
#include "core/crypto/lanes.h"

namespace ntsd {
namespace {

// The text of a job without its tag, and the place of the tag, which is only read when a job is opened.
struct LaneText {
  const std::uint8_t* in;
  std::uint8_t* out;
  std::size_t size;
  std::uint8_t* tag;
};

template <bool kTagFirst>
LANES_INLINE inline LaneText TextOf(const SealJob& job) {
  const std::size_t size = job.plaintext.size();
  if (kTagFirst) return {job.plaintext.data(), job.sealed + kAeadTagSize, size, job.sealed};
  return {job.plaintext.data(), job.sealed, size, job.sealed + size};
}
template <bool kTagFirst>
LANES_INLINE inline LaneText TextOf(const OpenJob& job) {
  const std::size_t size = job.sealed.size() - kAeadTagSize;
  std::uint8_t* const sealed = const_cast<std::uint8_t*>(job.sealed.data());
  if (kTagFirst) return {sealed + kAeadTagSize, job.plaintext, size, sealed};
  return {sealed, job.plaintext, size, sealed + size};
}

constexpr bool IsSeal(const SealJob*) { return true; }
constexpr bool IsSeal(const OpenJob*) { return false; }

// The texts of a group of jobs. Lanes without a job of their own repeat the last one; a block of all lanes is read
// before one is written, so that the repetitions do no harm in place.
template <typename V, int kVectors, bool kTagFirst, typename Job>
struct LaneTexts {
  static constexpr int kLanes = V::kLanes * kVectors;
  LaneStrings<V, kVectors> in;
  std::uint8_t* out[kLanes];
  std::uint8_t* tag[kLanes];

  LANES_INLINE LaneTexts(Job* const* jobs, bool is_uniform) {
    for (int i = 0; i < kLanes; ++i) {
      const LaneText text = TextOf<kTagFirst>(*jobs[i]);
      in.data[i] = text.in;
      in.size[i] = text.size;
      out[i] = text.out;
      tag[i] = text.tag;
    }
    in.Measure(is_uniform);
  }
  // To be called when a job has been decrypted: the plaintext is to be read there from now on.
  LANES_INLINE void ReadOutput() {
    for (int i = 0; i < kLanes; ++i) in.data[i] = out[i];
  }
};

template <typename V, int kVectors, typename Job>
LANES_INLINE inline void SetAssociatedData(LaneStrings<V, kVectors>& strings, Job* const* jobs, bool is_uniform) {
  for (int i = 0; i < V::kLanes * kVectors; ++i) {
    const ByteView octets = jobs[i]->associated_data;
    strings.data[i] = octets.data();
    strings.size[i] = octets.size();
  }
  strings.Measure(is_uniform);
}

// Says for each job whether the tag that it came with is `tag`. The octets are compared all at once; only the verdict
// steers anything.
template <typename V, int kVectors>
LANES_INLINE inline void Judge(OpenJob* const* jobs, int count, const Group<V, kVectors>& tag,
                               std::uint8_t* const* received) {
  alignas(64) std::uint8_t difference[16 * V::kLanes * kVectors];
  (tag ^ Group<V, kVectors>::Gather(received, 0)).Store(difference);
  // Through memory for certain: the verdict is then the one way out of the vectors, and the object code has none else.
  __asm__("" : : "r"(difference) : "memory");
  for (int i = 0; i < count; ++i) {
    std::uint64_t halves[2];
    std::memcpy(halves, difference + 16 * i, 16);
    jobs[i]->ok = (halves[0] | halves[1]) == 0;
  }
}

// A structure of key material in the memory that the caller wipes; at most its first `size` octets are going to be
// used.
template <typename T>
LANES_INLINE inline T& Place(LaneScratch& scratch, std::size_t size = sizeof(T)) {
  static_assert(sizeof(T) <= sizeof(scratch.octets));
  if (size > scratch.used) scratch.used = size;
  return *reinterpret_cast<T*>(scratch.octets);
}

// Counter block number `n` is `base` + n in the first word of each lane.
template <typename V, int kVectors>
LANES_INLINE inline Group<V, kVectors> PlusFirstWord(const Group<V, kVectors>& base, std::size_t n) {
  alignas(16) static constexpr std::uint32_t kFirstWord[4] = {0xFFFFFFFF, 0, 0, 0};
  const typename V::Reg summand = V::And(V::Broadcast32(static_cast<std::uint32_t>(n)), V::Broadcast(kFirstWord));
  Group<V, kVectors> sum;
  Repeat<kVectors>([&](auto i) LANES_INLINE { sum.v[i] = V::Add32(base.v[i], summand); });
  return sum;
}

}  // namespace
}  // namespace ntsd
