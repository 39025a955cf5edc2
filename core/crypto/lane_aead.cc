#include "core/crypto/lane_aead.h"

#include <algorithm>

#include "core/base/check.h"
#include "core/crypto/prepared_key.h"

namespace ntsd {
namespace {

// Jobs that are sorted together. Sixteen lanes fill four times.
constexpr std::size_t kWindowSize = 64;

std::size_t TextSize(const SealJob& job) { return job.plaintext.size(); }
std::size_t TextSize(const OpenJob& job) { return job.sealed.size() - kAeadTagSize; }

std::size_t BlockCount(std::size_t size) { return (size + 15) / 16; }

// What decides which jobs go together: the kind of kernel first, then everything that makes lanes wait for each other.
template <typename Job>
LaneKind KindOf(const Job& job) {
  const bool is_long = TextSize(job) > kAesBlockSize;
  const bool is_prepared = job.key.prepared != nullptr;
  switch (job.aead) {
    case AeadId::kAesSivCmac256:
      return is_prepared ? LaneKind::kSiv256Cookie : is_long ? LaneKind::kSiv256Long : LaneKind::kSiv256Short;
    case AeadId::kAesSivCmac512:
      return is_long ? LaneKind::kSiv512Long : LaneKind::kSiv512Short;
    case AeadId::kAes128GcmSiv:
      break;
  }
  return is_prepared ? LaneKind::kGcmSivCookie : LaneKind::kGcmSiv;
}

// Jobs with like shapes get near numbers.
template <typename Job>
std::uint64_t OrderOf(const Job& job) {
  constexpr std::size_t kCap = 0xFFFF;
  return std::uint64_t{static_cast<std::uint8_t>(KindOf(job))} << 48 |
         (reinterpret_cast<std::uintptr_t>(job.key.prepared) >> 4 & 0xFFFF) << 32 |
         std::min(TextSize(job), kCap) << 16 | std::min(job.associated_data.size(), kCap);
}

// The same in everything but octets. Without branches, because it is asked of every job.
template <typename Job>
bool IsLike(const Job& a, const Job& b) {
  const auto address = [](const Job& job) { return reinterpret_cast<std::uintptr_t>(job.key.prepared); };
  return ((static_cast<std::size_t>(a.aead) ^ static_cast<std::size_t>(b.aead)) | (address(a) ^ address(b)) |
          (TextSize(a) ^ TextSize(b)) | (a.associated_data.size() ^ b.associated_data.size()) |
          (a.nonce.size() ^ b.nonce.size())) == 0;
}

// Whether jobs may share a group although they differ. All lanes take as many steps as the longest, so jobs that are
// much longer than the first stay out.
template <typename Job>
bool Joins(const Job& job, const Job& first) {
  if (KindOf(job) != KindOf(first) || job.key.prepared != first.key.prepared) return false;
  const std::size_t text = BlockCount(TextSize(job)), first_text = BlockCount(TextSize(first));
  if (job.aead == AeadId::kAes128GcmSiv && text != first_text) return false;
  const auto is_near = [](std::size_t a, std::size_t b) { return std::max(a, b) <= std::min(a, b) * 5 / 4 + 2; };
  return is_near(text, first_text) &&
         is_near(BlockCount(job.associated_data.size()), BlockCount(first.associated_data.size()));
}

// Prepared keys have kernels for what cookies look like; other jobs take the long way over the raw key.
template <typename Job>
bool IsUnusual(const Job& job) {
  CHECK((job.key.raw == nullptr) != (job.key.prepared == nullptr));
  if (job.key.prepared == nullptr) return false;
  CHECK(job.key.prepared->aead() == job.aead);
  if (job.aead == AeadId::kAes128GcmSiv) return false;
  return job.aead != AeadId::kAesSivCmac256 || !job.associated_data.empty() || TextSize(job) <= kAesBlockSize;
}

// What a job needs before and after the kernels.
bool Admit(const SealJob& job) {
  CHECK(AeadNonceSizeIsLegal(job.aead, job.nonce.size()));
  return true;
}
bool Admit(OpenJob& job) {
  job.ok = false;
  if (job.sealed.size() < kAeadTagSize) return false;
  if (AeadNonceSizeIsLegal(job.aead, job.nonce.size())) return true;
  std::fill_n(job.plaintext, TextSize(job), std::uint8_t{0});
  return false;
}
void Settle(const SealJob&) {}
void Settle(const OpenJob& job) {
  if (!job.ok) std::fill_n(job.plaintext, TextSize(job), std::uint8_t{0});
}
void TakeOver(SealJob&, const SealJob&) {}
void TakeOver(OpenJob& job, const OpenJob& copy) { job.ok = copy.ok; }

template <typename Job>
struct Candidate {
  std::uint64_t order;
  Job* job;
};

// Sorts by shape; stable, and quick when there is little to do.
template <typename Job>
void SortByShape(std::span<Candidate<Job>> candidates) {
  for (std::size_t i = 1; i < candidates.size(); ++i) {
    if (candidates[i].order >= candidates[i - 1].order) continue;
    const Candidate<Job> moved = candidates[i];
    std::size_t place = i;
    for (; place > 0 && candidates[place - 1].order > moved.order; --place) candidates[place] = candidates[place - 1];
    candidates[place] = moved;
  }
}

// Feeds one batch to the kernels of one backend.
template <typename Job, typename Kernel>
class Batch {
 public:
  Batch(int lanes, const Kernel (&kernels)[kLaneKindCount])
      : lanes_(static_cast<std::size_t>(lanes)), kernels_(kernels) {}
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;
  ~Batch() { Wipe({scratch_.octets, scratch_.used}); }

  void Process(std::span<Job> jobs) {
    while (!jobs.empty()) {  // ends: every turn takes at least one job
      const std::span<Job> window = jobs.first(std::min(jobs.size(), kWindowSize));
      const auto is_like_first = [&](const Job& job) { return IsLike(job, window[0]); };
      if (std::all_of(window.begin(), window.end(), is_like_first)) {
        ProcessLikes(window);
      } else {
        ProcessMixed(window);
      }
      jobs = jobs.subspan(window.size());
    }
  }

 private:
  // All jobs are like the first: what holds for it holds for all, and there is nothing to sort.
  void ProcessLikes(std::span<Job> jobs) {
    if (!Admit(jobs[0])) {
      for (Job& job : jobs.subspan(1)) Admit(job);
      return;
    }
    if (IsUnusual(jobs[0])) {
      for (Job& job : jobs) ProcessUnusual(job);
      return;
    }
    for (Job& job : jobs) {
      group_[group_size_++] = &job;
      if (group_size_ == lanes_) RunGroup(true);
    }
    RunGroup(true);
  }

  void ProcessMixed(std::span<Job> jobs) {
    std::array<Candidate<Job>, kWindowSize> window;
    std::size_t count = 0;
    for (Job& job : jobs) {
      if (!Admit(job)) continue;
      if (IsUnusual(job)) {
        ProcessUnusual(job);
      } else {
        window[count++] = {OrderOf(job), &job};
      }
    }
    SortByShape(std::span(window).first(count));
    for (std::size_t i = 0; i < count; ++i) {
      Job& job = *window[i].job;
      // A different job may fill up a group that would be nearly empty; one with some company stays uniform.
      const bool is_like = group_size_ == 0 || IsLike(job, *group_[0]);
      if (!is_like && (group_size_ >= lanes_ / 4 || !Joins(job, *group_[0]))) RunGroup(is_uniform_);
      is_uniform_ = group_size_ == 0 || (is_uniform_ && is_like);
      group_[group_size_++] = &job;
      if (group_size_ == lanes_) RunGroup(is_uniform_);
    }
    RunGroup(is_uniform_);
  }

  void ProcessUnusual(Job& job) {
    Job copy = job;
    copy.key = {.raw = job.key.prepared->key().data()};
    std::array<Job*, kLanesMax> group;
    group.fill(&copy);
    kernels_[static_cast<std::size_t>(KindOf(copy))](group.data(), 1, true, scratch_);
    Settle(copy);
    TakeOver(job, copy);
  }

  void RunGroup(bool is_uniform) {
    if (group_size_ == 0) return;
    const auto kind = static_cast<std::size_t>(KindOf(*group_[0]));
    for (std::size_t i = group_size_; i < lanes_; ++i) group_[i] = group_[group_size_ - 1];
    kernels_[kind](group_.data(), static_cast<int>(group_size_), is_uniform, scratch_);
    for (std::size_t i = 0; i < group_size_; ++i) Settle(*group_[i]);
    group_size_ = 0;
  }

  const std::size_t lanes_;
  const Kernel (&kernels_)[kLaneKindCount];
  std::array<Job*, kLanesMax> group_;
  std::size_t group_size_ = 0;
  bool is_uniform_ = true;
  LaneScratch scratch_;
};

}  // namespace

void LaneAead::Seal(std::span<SealJob> jobs) const {
  Batch<SealJob, SealLanes>(kernels_.lanes, kernels_.seal).Process(jobs);
}

void LaneAead::Open(std::span<OpenJob> jobs) const {
  Batch<OpenJob, OpenLanes>(kernels_.lanes, kernels_.open).Process(jobs);
}

}  // namespace ntsd
