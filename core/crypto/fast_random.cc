#include "core/crypto/fast_random.h"

#include <pthread.h>
#include <sodium.h>

#include <algorithm>
#include <atomic>
#include <cstring>

#include "core/base/check.h"
#include "core/base/secret.h"

namespace ntsd {
namespace {

constexpr std::size_t kNonceSize = 16;

// How often this process descends from a fork(). Only the child's side of fork() writes, when it has one thread, so
// relaxed order is enough: later threads of the child are created after the store.
std::atomic<std::uint64_t> fork_count{0};

void CountForks() {
  static const bool kRegistered = [] {
    CHECK(sodium_init() >= 0);
    CHECK(pthread_atfork(nullptr, nullptr, [] { fork_count.fetch_add(1, std::memory_order_relaxed); }) == 0);
    return true;
  }();
  static_cast<void>(kRegistered);
}

}  // namespace

FastRandom::FastRandom() { CountForks(); }

FastRandom::~FastRandom() {
  Wipe(key_);
  Wipe(buffer_);
}

void FastRandom::Fill(ByteSpan target) {
  if (fork_count_ != fork_count.load(std::memory_order_relaxed)) [[unlikely]] {
    fork_count_ = fork_count.load(std::memory_order_relaxed);
    available_ = 0;
    refill_count_ = 0;
  }
  if (target.size() == kNonceSize && available_ >= kNonceSize) {
    // What is asked for once or twice in every answer.
    std::uint8_t* const from = buffer_.data() + (kBufferSize - available_);
    std::memcpy(target.data(), from, kNonceSize);
    std::memset(from, 0, kNonceSize);
    available_ -= kNonceSize;
    return;
  }
  while (!target.empty()) {  // ends: Refill() makes octets available, and every turn takes at least one
    if (available_ == 0) Refill();
    const std::size_t size = std::min(target.size(), available_);
    std::uint8_t* const from = buffer_.data() + (kBufferSize - available_);
    std::memcpy(target.data(), from, size);
    std::memset(from, 0, size);
    available_ -= size;
    target = target.subspan(size);
  }
}

void FastRandom::Refill() {
  if (refill_count_ == 0) {
    // Added to the key, not put in its place: a weak moment of either does not weaken the sum.
    std::array<std::uint8_t, kKeySize> fresh;
    randombytes_buf(fresh.data(), fresh.size());
    for (std::size_t i = 0; i < kKeySize; ++i) key_[i] ^= fresh[i];
    Wipe(fresh);
  }
  refill_count_ = (refill_count_ + 1) % (kReseedSize / kBufferSize);
  // The same nonce is good every time, because no key is used twice.
  static constexpr std::uint8_t kNonce[crypto_stream_chacha20_NONCEBYTES] = {};
  static_assert(crypto_stream_chacha20_KEYBYTES == kKeySize);
  crypto_stream_chacha20(buffer_.data(), buffer_.size(), kNonce, key_.data());
  std::memcpy(key_.data(), buffer_.data(), kKeySize);
  std::memset(buffer_.data(), 0, kKeySize);
  available_ = kBufferSize - kKeySize;
}

}  // namespace ntsd
