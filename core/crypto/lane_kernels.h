// The kernels of one instruction set: for each kind of jobs a function that takes the narrowest group that holds them.
#pragma once

#include "core/crypto/lanes_gcm_siv.h"
#include "core/crypto/lanes_siv.h"

namespace ntsd {
namespace {

template <LaneKind kKind, typename V, int kVectors, typename Job>
LANES_INLINE inline void RunGroup(Job* const* jobs, int count, bool is_uniform, LaneScratch& scratch) {
  if constexpr (kKind == LaneKind::kSiv256Short) SivRaw<V, kVectors, 10, false>(jobs, count, is_uniform, scratch);
  if constexpr (kKind == LaneKind::kSiv256Long) SivRaw<V, kVectors, 10, true>(jobs, count, is_uniform, scratch);
  if constexpr (kKind == LaneKind::kSiv256Cookie) SivCookie<V, kVectors>(jobs, count, is_uniform, scratch);
  if constexpr (kKind == LaneKind::kSiv512Short) SivRaw<V, kVectors, 14, false>(jobs, count, is_uniform, scratch);
  if constexpr (kKind == LaneKind::kSiv512Long) SivRaw<V, kVectors, 14, true>(jobs, count, is_uniform, scratch);
  if constexpr (kKind == LaneKind::kGcmSiv) GcmSiv<V, kVectors, false>(jobs, count, is_uniform, scratch);
  if constexpr (kKind == LaneKind::kGcmSivCookie) GcmSiv<V, kVectors, true>(jobs, count, is_uniform, scratch);
}

// What servers do all day gets a kernel for several widths of groups, which takes all jobs at once. The rest, which
// clients and tests do, goes through that of one vector in turns.
template <LaneKind kKind, typename Job>
constexpr bool IsFrequent() {
  const bool is_seal = IsSeal(static_cast<Job*>(nullptr));
  if (kKind == LaneKind::kSiv256Short || kKind == LaneKind::kSiv512Short) return !is_seal;
  if (kKind == LaneKind::kSiv256Long || kKind == LaneKind::kSiv512Long) return is_seal;
  return true;
}

// Most clients use AES-SIV-CMAC-256, and cookies do: it gets more widths.
constexpr bool IsMain(LaneKind kind) { return kind <= LaneKind::kSiv256Cookie; }

// Widths of groups in vectors, ascending.
template <int... kVectors>
struct Widths {};

template <LaneKind kKind, typename V, typename Job, int kVectors, int... kMore>
LANES_INLINE inline void RunNarrowest(Job* const* jobs, int count, bool is_uniform, LaneScratch& scratch,
                                      Widths<kVectors, kMore...>) {
  if constexpr (sizeof...(kMore) > 0) {
    if (count > kVectors * V::kLanes) {
      return RunNarrowest<kKind, V>(jobs, count, is_uniform, scratch, Widths<kMore...>{});
    }
  }
  RunGroup<kKind, V, kVectors>(jobs, count, is_uniform, scratch);
}

template <LaneKind kKind, typename V, typename MainWidths, typename OtherWidths, typename Job>
void Run(Job* const* jobs, int count, bool is_uniform, LaneScratch& scratch) {
  if constexpr (!IsFrequent<kKind, Job>()) {
    for (int first = 0; first < count; first += V::kLanes) {
      const int rest = count - first;
      RunGroup<kKind, V, 1>(jobs + first, rest < V::kLanes ? rest : V::kLanes, is_uniform, scratch);
    }
  } else if constexpr (IsMain(kKind)) {
    RunNarrowest<kKind, V>(jobs, count, is_uniform, scratch, MainWidths{});
  } else {
    RunNarrowest<kKind, V>(jobs, count, is_uniform, scratch, OtherWidths{});
  }
}

// Both lists of widths end with the same one.
template <typename V, int kWidest, typename MainWidths, typename OtherWidths>
constexpr LaneKernels MakeLaneKernels(std::string_view name) {
  LaneKernels kernels{.name = name, .lanes = kWidest * V::kLanes, .seal = {}, .open = {}};
  Repeat<kLaneKindCount>([&](auto index) {
    constexpr LaneKind kKind = static_cast<LaneKind>(static_cast<int>(decltype(index)::kIndex));
    kernels.seal[index] = &Run<kKind, V, MainWidths, OtherWidths, SealJob>;
    kernels.open[index] = &Run<kKind, V, MainWidths, OtherWidths, OpenJob>;
  });
  return kernels;
}

}  // namespace
}  // namespace ntsd
