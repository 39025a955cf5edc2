// The proof in key_ring.h, checked by walking all interleavings, and weaker orders shown to fail.
//
// The machine is the one of x86 (total store order): a store that is not sequentially consistent waits in its thread's
// buffer, from where it reaches memory at any later moment; a sequentially consistent one empties the buffer at once.
// On weaker machines more can happen, so what fails here fails everywhere. A relaxed unpin is modelled as what
// compilers and weaker machines may make of it: the reader's last look at the keys comes after it. On real processors
// the same failures come once in millions of tries or never; here they come every time.
#include <gtest/gtest.h>

#include <array>
#include <deque>
#include <set>
#include <tuple>
#include <vector>

namespace ntsd {
namespace {

enum class Order { kSequential, kRelease };

struct Protocol {
  Order pin = Order::kSequential;      // the reader's store of its pin
  Order publish = Order::kSequential;  // the keeper's store of the new set
  bool looks_again = true;             // the reader's second load
  bool unpin_after_use = true;         // the unpin is a release store
};

// One reader takes three batches, the keeper publishes two sets after the first one.
constexpr int kBatches = 3;
constexpr int kLastSet = 3;

// Memory cells.
constexpr int kCurrent = 0;
constexpr int kPinned = 1;

struct State {
  std::array<int, 2> memory{1, 0};
  std::array<std::deque<std::pair<int, int>>, 2> buffer;  // of the reader, of the keeper: cell and value, oldest first
  std::array<int, 2> step{0, 0};
  int batch = 0;
  int reader_set = 0;    // what the reader believes is current
  int published = 1;     // what the keeper stored last
  unsigned retired = 0;  // bit n: set n waits
  unsigned wiped = 0;    // bit n: set n is gone
  bool used_wiped = false;

  auto Key() const { return std::tie(memory, buffer, step, batch, reader_set, published, retired, wiped, used_wiped); }
  bool operator<(const State& other) const { return Key() < other.Key(); }
};

enum Thread { kReader, kKeeper };

int Load(const State& state, Thread thread, int cell) {
  const auto& buffer = state.buffer[thread];
  for (auto store = buffer.rbegin(); store != buffer.rend(); ++store) {
    if (store->first == cell) return store->second;
  }
  return state.memory[static_cast<std::size_t>(cell)];
}

void Flush(State& state, Thread thread) {
  const auto [cell, value] = state.buffer[thread].front();
  state.buffer[thread].pop_front();
  state.memory[static_cast<std::size_t>(cell)] = value;
}

void Store(State& state, Thread thread, int cell, int value, Order order) {
  state.buffer[thread].emplace_back(cell, value);
  while (order == Order::kSequential && !state.buffer[thread].empty()) Flush(state, thread);
}

void Use(State& state) {
  if ((state.wiped >> state.reader_set & 1U) != 0) state.used_wiped = true;
}

// The reader's next step, as Acquire() and ~Pin() take them. False: it is done.
bool StepReader(State& state, const Protocol& protocol) {
  if (state.batch == kBatches) return false;
  switch (state.step[kReader]++) {
    case 0:
      state.reader_set = Load(state, kReader, kCurrent);
      break;
    case 1:
      Store(state, kReader, kPinned, state.reader_set, protocol.pin);
      break;
    case 2:
      if (protocol.looks_again) {
        const int now = Load(state, kReader, kCurrent);
        if (now != state.reader_set) state.step[kReader] = 1;
        state.reader_set = now;
      }
      break;
    case 3:
      Use(state);
      if (!protocol.unpin_after_use) Store(state, kReader, kPinned, 0, Order::kRelease);
      break;
    case 4:
      Use(state);
      break;
    default:
      if (protocol.unpin_after_use) Store(state, kReader, kPinned, 0, Order::kRelease);
      state.step[kReader] = 0;
      ++state.batch;
  }
  return true;
}

// The keeper's next step, as Publish() and Reclaim() take them.
bool StepKeeper(State& state, const Protocol& protocol) {
  if (state.step[kKeeper] == 0) {
    if (state.published == kLastSet) return false;
    state.retired |= 1U << state.published;
    Store(state, kKeeper, kCurrent, ++state.published, protocol.publish);
    state.step[kKeeper] = 1;
    return true;
  }
  // One look at the slot for each retired set would be more steps and no more freedom: there is one slot.
  const int pinned = Load(state, kKeeper, kPinned);
  const unsigned keep = pinned > 0 ? 1U << pinned : 0;
  state.wiped |= state.retired & ~keep;
  state.retired &= keep;
  state.step[kKeeper] = 0;
  return true;
}

struct Result {
  bool used_wiped = false;
  std::size_t states = 0;
};

Result WalkAll(const Protocol& protocol) {
  Result result;
  std::set<State> seen;
  std::vector<State> open{State()};
  // Ends: threads take a bounded number of steps, except for the reader's loop, which comes back to states seen before.
  while (!open.empty()) {
    const State state = open.back();
    open.pop_back();
    if (!seen.insert(state).second) continue;
    result.used_wiped |= state.used_wiped;
    State next = state;
    if (StepReader(next, protocol)) open.push_back(next);
    next = state;
    if (StepKeeper(next, protocol)) open.push_back(next);
    for (const Thread thread : {kReader, kKeeper}) {
      next = state;
      if (next.buffer[thread].empty()) continue;
      Flush(next, thread);
      open.push_back(next);
    }
  }
  result.states = seen.size();
  return result;
}

TEST(KeyRingModel, NoInterleavingUsesAWipedSet) {
  const Result result = WalkAll({});
  EXPECT_FALSE(result.used_wiped);
  EXPECT_GT(result.states, 400U);
}

TEST(KeyRingModel, AWeakerPinFails) { EXPECT_TRUE(WalkAll({.pin = Order::kRelease}).used_wiped); }

TEST(KeyRingModel, AWeakerPublicationFails) { EXPECT_TRUE(WalkAll({.publish = Order::kRelease}).used_wiped); }

TEST(KeyRingModel, WithoutTheSecondLookItFails) { EXPECT_TRUE(WalkAll({.looks_again = false}).used_wiped); }

TEST(KeyRingModel, ARelaxedUnpinFails) { EXPECT_TRUE(WalkAll({.unpin_after_use = false}).used_wiped); }

}  // namespace
}  // namespace ntsd
