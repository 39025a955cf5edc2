// The key set in force, shared by one writer and many readers without a lock.
//
// Threads: Publish() and Reclaim() by the keeper only. Each reading thread owns one Reader and pins once a batch.
// Memory: a set lives until no reader pins it; then its keys are wiped. A reader pins for the length of one batch, so a
//         retired key is gone within one batch of the slowest reader. A sleeping worker pins nothing.
//
// Pin after the batch was received, not before: a cookie in it was then sealed with a set that was published before the
// pin, so the pinned set is that one or a newer one, and knows the key.
//
// Proof. A pin stores the set's address in the reader's slot and then looks again whether that set is still the
// current one. The keeper stores the new set as current and then looks into all slots. Both pairs are sequentially
// consistent, so in their single total order either the reader's store comes before the keeper's look, and the keeper
// sees the pin and keeps the set, or the keeper's store comes before the reader's second look, and the reader sees the
// new set and tries again. With anything weaker both could miss each other (store buffering), and a reader would use
// keys that are being wiped. Unpin is a release store, which the keeper's look acquires: all reads of the batch happen
// before the wiping.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <memory>
#include <vector>

#include "core/base/check.h"
#include "core/base/counters.h"
#include "core/keys/key_set.h"
#include "core/limits.h"

namespace ntsd {

class KeyRing {
  struct alignas(kCacheLineSize) Slot {
    std::atomic<const KeySet*> pinned{nullptr};
    std::atomic<bool> taken{false};
  };

 public:
  class Reader;

  // Holds a set for one batch; give it back before waiting for anything.
  class Pin {
   public:
    Pin(const Pin&) = delete;
    Pin& operator=(const Pin&) = delete;
    ~Pin() { slot_->pinned.store(nullptr, std::memory_order_release); }
    const KeySet& operator*() const { return *set_; }
    const KeySet* operator->() const { return set_; }

   private:
    friend class Reader;
    Pin(Slot* slot, const KeySet* set) : slot_(slot), set_(set) {}
    Slot* slot_;
    const KeySet* set_;
  };

  // One thread's way to the keys. Made at start, by any thread; used by one thread; outlived by the ring.
  class Reader {
   public:
    explicit Reader(KeyRing& ring) : ring_(&ring), slot_(ring.TakeSlot()) {}
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;
    ~Reader() { slot_->taken.store(false, std::memory_order_release); }

    // A few ns: one sequentially consistent store and two loads, whatever the writer does. Not to be nested.
    Pin Acquire() {
      const KeySet* set = ring_->current_.load(std::memory_order_seq_cst);
      // Ends: each turn means that the keeper published once more, which happens a few times a day.
      while (true) {
        slot_->pinned.store(set, std::memory_order_seq_cst);
        const KeySet* const now = ring_->current_.load(std::memory_order_seq_cst);
        if (now == set) return Pin(slot_, set);
        set = now;
      }
    }

   private:
    KeyRing* ring_;
    Slot* slot_;
  };

  explicit KeyRing(std::shared_ptr<const KeySet> initial);
  KeyRing(const KeyRing&) = delete;
  KeyRing& operator=(const KeyRing&) = delete;

  // Makes `next` the set in force for every batch that begins from now on; the old one waits for Reclaim().
  void Publish(std::shared_ptr<const KeySet> next);
  // Wipes retired sets that nobody pins. Returns how many still wait: call again soon while that is not zero.
  std::size_t Reclaim();
  // The keeper's: sets that still wait, as of the last Reclaim().
  std::size_t RetiredCount() const { return retired_.size(); }
  // The keeper's own view of the set in force.
  std::shared_ptr<const KeySet> Current() const { return owner_; }

 private:
  Slot* TakeSlot();

  std::atomic<const KeySet*> current_;
  std::array<Slot, kKeyRingReadersMax> slots_;
  // The keeper's.
  std::shared_ptr<const KeySet> owner_;
  std::vector<std::shared_ptr<const KeySet>> retired_;
};

}  // namespace ntsd
