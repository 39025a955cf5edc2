#include "core/keys/vault.h"

#include <sodium.h>

#include "core/base/check.h"

namespace ntsd {
namespace {

// Guard pages and digests depend on it. Any thread may come first: libsodium lets one through and the others wait.
void InitialiseSodium() { CHECK(sodium_init() >= 0); }

}  // namespace

void* AllocateGuarded(std::size_t size) {
  InitialiseSodium();
  // The object ends where its page ends, so a size that is a multiple of the alignment is aligned.
  void* const memory = sodium_malloc(size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

void FreeGuarded(void* memory) { sodium_free(memory); }

// sodium_malloc() locks what it gives and does not tell when that failed. Locks do not nest, so asking again is
// harmless.
bool IsLocked(void* memory, std::size_t size) { return sodium_mlock(memory, size) == 0; }

void MakeReadOnly(void* memory) { CHECK(sodium_mprotect_readonly(memory) == 0); }

void MakeWritable(void* memory) { CHECK(sodium_mprotect_readwrite(memory) == 0); }

struct Digest::State {
  crypto_generichash_state hash;
};

Digest::Digest() : state_(std::make_unique<State>()) {
  InitialiseSodium();
  CHECK(crypto_generichash_init(&state_->hash, nullptr, 0, kSize) == 0);
}

Digest::~Digest() { sodium_memzero(&state_->hash, sizeof(state_->hash)); }

void Digest::Add(ByteView octets) {
  CHECK(crypto_generichash_update(&state_->hash, octets.data(), octets.size()) == 0);
}

std::array<std::uint8_t, Digest::kSize> Digest::Finish() {
  std::array<std::uint8_t, kSize> digest;
  CHECK(crypto_generichash_final(&state_->hash, digest.data(), digest.size()) == 0);
  return digest;
}

}  // namespace ntsd
