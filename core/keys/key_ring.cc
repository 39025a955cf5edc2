#include "core/keys/key_ring.h"

#include <algorithm>
#include <utility>

namespace ntsd {

KeyRing::KeyRing(std::shared_ptr<const KeySet> initial) : current_(initial.get()), owner_(std::move(initial)) {
  CHECK(owner_ != nullptr);
}

void KeyRing::Publish(std::shared_ptr<const KeySet> next) {
  CHECK(next != nullptr);
  current_.store(next.get(), std::memory_order_seq_cst);
  retired_.push_back(std::exchange(owner_, std::move(next)));
  Reclaim();
}

std::size_t KeyRing::Reclaim() {
  const auto is_pinned = [this](const std::shared_ptr<const KeySet>& set) {
    return std::any_of(slots_.begin(), slots_.end(),
                       [&set](const Slot& slot) { return slot.pinned.load(std::memory_order_seq_cst) == set.get(); });
  };
  std::erase_if(retired_, [&is_pinned](const auto& set) { return !is_pinned(set); });
  return retired_.size();
}

KeyRing::Slot* KeyRing::TakeSlot() {
  for (Slot& slot : slots_) {
    // Acquire: what the slot's last owner did with it is over before we use it.
    if (!slot.taken.exchange(true, std::memory_order_acq_rel)) return &slot;
  }
  CHECK(false && "more threads read the key ring than kKeyRingReadersMax");
  return nullptr;
}

}  // namespace ntsd
