// An immutable object that one thread replaces as a whole and many threads use in turns without waiting: settings that
// a reload swaps, for instance. What fits into some words is better Published.
//
// Threads: Publish() and Reclaim() by one thread. Each reading thread owns one Reader and pins once a batch.
// Memory: an object lives until no reader pins it, so a retired one is gone within one batch of the slowest reader.
//         A sleeping worker pins nothing. kReaderCountMax cache lines a handle.
// Errors: more readers than kReaderCountMax is a broken promise.
//
// Proof. A pin stores the object's address in the reader's slot and then looks again whether that object is still the
// current one. The writer stores the new object as current and then looks into all slots. All four are sequentially
// consistent, so in their single total order either the reader's store comes before the writer's look, and the writer
// sees the pin and keeps the object, or the writer's store comes before the reader's second look, and the reader sees
// the new object and tries again. With anything weaker both could miss each other (store buffering), and a reader would
// use an object that is being destroyed. Unpin is a release store, which the writer's look acquires: all reads of the
// batch happen before the destruction. A new object may stand where a destroyed one stood; a reader that takes the one
// for the other has pinned the new one, which is what it wanted.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "core/base/check.h"
#include "core/base/counters.h"

namespace ntsd {

template <typename Value, std::size_t kReaderCountMax>
class Pinned {
  struct alignas(kCacheLineSize) Slot {
    std::atomic<const Value*> pinned{nullptr};
    std::atomic<bool> taken{false};
  };

 public:
  // Holds an object for one batch; give it back before waiting for anything.
  class Pin {
   public:
    Pin(const Pin&) = delete;
    Pin& operator=(const Pin&) = delete;
    ~Pin() { slot_->pinned.store(nullptr, std::memory_order_release); }
    const Value& operator*() const { return *value_; }
    const Value* operator->() const { return value_; }

   private:
    friend class Pinned;
    Pin(Slot* slot, const Value* value) : slot_(slot), value_(value) {}
    Slot* slot_;
    const Value* value_;
  };

  // One thread's way to the object. Made at start, by any thread; used by one thread; outlived by the handle.
  class Reader {
   public:
    explicit Reader(Pinned& handle) : handle_(&handle), slot_(handle.TakeSlot()) {}
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;
    // Release: the next owner of the slot finds it as we left it.
    ~Reader() { slot_->taken.store(false, std::memory_order_release); }

    // A few ns: one sequentially consistent store and two loads, whatever the writer does. Not to be nested.
    Pin Acquire() {
      const Value* value = handle_->current_.load(std::memory_order_seq_cst);
      // Ends: each turn means that the writer published once more, which happens when an operator asks for it.
      while (true) {
        slot_->pinned.store(value, std::memory_order_seq_cst);
        const Value* const now = handle_->current_.load(std::memory_order_seq_cst);
        if (now == value) return Pin(slot_, value);
        value = now;
      }
    }

   private:
    Pinned* handle_;
    Slot* slot_;
  };

  explicit Pinned(std::shared_ptr<const Value> initial) : current_(initial.get()), owner_(std::move(initial)) {
    CHECK(owner_ != nullptr);
  }
  Pinned(const Pinned&) = delete;
  Pinned& operator=(const Pinned&) = delete;

  // Makes `next` the object of every batch that begins from now on; the old one goes when nobody pins it.
  void Publish(std::shared_ptr<const Value> next) {
    CHECK(next != nullptr);
    current_.store(next.get(), std::memory_order_seq_cst);
    retired_.push_back(std::exchange(owner_, std::move(next)));
    Reclaim();
  }
  // Lets go of retired objects that nobody pins. Returns how many still wait: call again soon while that is not zero.
  std::size_t Reclaim() {
    std::erase_if(retired_, [this](const std::shared_ptr<const Value>& value) { return !IsPinned(value.get()); });
    return retired_.size();
  }
  // The writer's own view of the object in force.
  const std::shared_ptr<const Value>& Current() const { return owner_; }

 private:
  bool IsPinned(const Value* value) const {
    return std::any_of(slots_.begin(), slots_.end(),
                       [value](const Slot& slot) { return slot.pinned.load(std::memory_order_seq_cst) == value; });
  }
  Slot* TakeSlot() {
    for (Slot& slot : slots_) {
      // Acquire: what the slot's last owner did with it is over before we use it.
      if (!slot.taken.exchange(true, std::memory_order_acq_rel)) return &slot;
    }
    const bool has_slot_for_every_reader = false;
    CHECK(has_slot_for_every_reader);
    return nullptr;
  }

  std::atomic<const Value*> current_;
  std::array<Slot, kReaderCountMax> slots_;
  // The writer's.
  std::shared_ptr<const Value> owner_;
  std::vector<std::shared_ptr<const Value>> retired_;
};

}  // namespace ntsd
