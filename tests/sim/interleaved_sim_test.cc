// Interleaved mode in virtual time: two workers with one small store of departures, and more clients than it holds, all
// behind one address; a clock that strangers set, a network that loses and doubles, departures that the kernel tells,
// tells late or not at all, and restarts. Who gets the departure of which answer is checked against a ledger of what
// really happened:
//
//   * it is of an answer of this process, with the receive timestamp that the client names, told for the first time;
//   * it is when that answer left, by the clock that it was stamped with, and the clock was not set since;
//   * everybody else gets a basic answer with its own departure: because the clock was set, the server has restarted,
//     the entry was evicted, or the departure was told before.
//
// A failure names its seed; NTSD_SIM_SEED=N runs that one alone.
#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <map>
#include <memory>
#include <vector>

#include "core/base/published.h"
#include "core/nts/responder.h"
#include "server/reference/watcher.h"
#include "tests/sim/virtual_machine.h"
#include "tests/support/packet_builder.h"
#include "tests/support/responder_fixture.h"

namespace ntsd::sim {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::PacketBuilder;

constexpr std::size_t kClientCount = 48;
// Fewer than half of them find what they ask for.
constexpr std::size_t kCellCount = 32;
constexpr Duration kLength = hours(1);

// One answer, as it really was.
struct Past {
  UnixTime left{};  // by the clock of that moment
  int steps = 0;    // how often the clock had been set
  int life = 0;     // of which process
  bool is_told = false;
};

struct Tally {
  int answers = 0;
  int measured = 0;
  int reckoned = 0;
  int told_before = 0;
  int after_step = 0;
  int after_restart = 0;
  int evicted = 0;
};

class InterleavedService : private Scene {
 public:
  explicit InterleavedService(std::uint64_t seed)
      : Scene({.start = UnixTime(seconds(1'790'000'000))}, seed),
        ring_(KeySet::Make(std::vector<MasterKey>{testing::MakeMasterKey(0xA001)}, 0, 1, false)),
        watcher_({}, std::make_unique<DaemonSource>(daemon_), clock_, published_, log_),
        last_receives_(kClientCount) {
    Start();
  }

  Tally Run() {
    daemon_.Update();
    Watch();
    Discipline();
    PlanStep();
    PlanRestart();
    for (std::size_t client = 0; client < kClientCount; ++client) PlanRequest(client);
    RunFor(kLength);
    return tally_;
  }

 private:
  // --- The machine ---

  // A process with nothing in memory.
  void Start() {
    ++life_;
    store_ = std::make_unique<InterleavedStore>(kCellCount);
    for (auto& worker : workers_) {
      worker = std::make_unique<Responder>(*SelectAead(), ring_, published_, clock_, random_,
                                           std::vector<ListenerPolicy>{ListenerPolicy{}}, nullptr, store_.get());
    }
  }
  void PlanRestart() {
    In(Between(minutes(10), minutes(40)), [this] {
      Start();
      PlanRestart();
    });
  }
  void Watch() {
    watcher_.Tick();
    In(seconds(1), [this] { Watch(); });
  }
  void Discipline() {
    In(Daemon::kUpdateInterval, [this] {
      const Duration before = clock_.Error();
      daemon_.Update();
      if (std::chrono::abs(clock_.Error() - before) > kClockStepMin) NoteStep();
      Discipline();
    });
  }
  void NoteStep() {
    ++steps_;
    In(Between(microseconds(5), milliseconds(30)), [this] { watcher_.Tick(); });
  }
  // By amounts that a departure could be off by without looking strange, too.
  void PlanStep() {
    In(Between(minutes(2), minutes(20)), [this] {
      const Duration by = Chance(70) ? Between(milliseconds(2), milliseconds(900)) : Duration(minutes(5));
      clock_.Step(Chance(50) ? by : -by);
      NoteStep();
      PlanStep();
    });
  }

  // --- The clients ---

  void PlanRequest(std::size_t client) {
    In(Between(seconds(4), seconds(40)), [this, client] {
      Send(client);
      PlanRequest(client);
    });
  }
  void Send(std::size_t client) {
    PacketBuilder request;
    request.header().origin = last_receives_[client];
    request.header().receive.bits = random_.Next();
    request.header().transmit.bits = random_.Next();
    if (client % 3 == 0) {
      const AssociationKeys keys = testing::VectorKeys(AeadId::kAesSivCmac256);
      request.UniqueId().Cookie(testing::SealedCookie(ring_, random_, keys)).Authenticate(*SelectAead(), keys);
    }
    const int copies = Chance(8) ? 2 : 1;
    for (int copy = 0; copy < copies; ++copy) {
      if (Chance(4)) continue;
      In(Between(microseconds(50), milliseconds(50)),
         [this, client, octets = request.Build()] { Serve(client, octets); });
    }
  }

  // --- The server ---

  void Serve(std::size_t client, Octets octets) {
    const NtpHeader request = *NtpHeader::Parse(octets);
    const std::size_t worker = random_.Below(workers_.size());
    std::array<std::uint8_t, kReplySizeMax> reply;
    Exchange exchange{.request = octets,
                      .reply = reply,
                      .source = testing::ResponderHarness::DefaultSource(),
                      .received = clock_.Wall()};
    clock_.AdvanceTo(clock_.elapsed() + Between(microseconds(1), microseconds(300)));
    workers_[worker]->Prepare(std::span(&exchange, 1));
    workers_[worker]->Finish(std::span(&exchange, 1));
    if (exchange.reply_size == 0) {
      ASSERT_EQ(exchange.reason, Reason::kClockStepped) << ReasonName(exchange.reason);
      return;
    }
    // The way through the kernel; it is the same for all, so that it can be learned.
    clock_.AdvanceTo(clock_.elapsed() + microseconds(2));
    const NtpHeader answer = *NtpHeader::Parse(ByteView(reply).first(exchange.reply_size));
    ++tally_.answers;
    ASSERT_NO_FATAL_FAILURE(Check(request, answer));
    const Past past{.left = clock_.Wall(), .steps = steps_, .life = life_};
    if (exchange.sample != 0 && Chance(80)) {
      Tell(worker, {.sample = exchange.sample, .left = past.left});
    }
    ASSERT_TRUE(ledger_.emplace(answer.receive.bits, past).second) << "two answers with one receive timestamp";
    if (!Chance(4))
      In(Between(microseconds(50), milliseconds(50)), [this, client, answer] { Receive(client, answer); });
  }
  // The kernel tells at once, or after the next batches.
  void Tell(std::size_t worker, Departure departure) {
    if (Chance(90)) {
      workers_[worker]->Learn(std::span(&departure, 1));
      return;
    }
    In(milliseconds(200), [this, worker, departure, life = life_] {
      if (life == life_) workers_[worker]->Learn(std::span(&departure, 1));
    });
  }
  void Receive(std::size_t client, const NtpHeader& answer) { last_receives_[client] = answer.receive; }

  // --- The checks ---

  void Check(const NtpHeader& request, const NtpHeader& answer) {
    ASSERT_NE(answer.receive, answer.transmit) << "R-IL-05";
    const UnixTime now = clock_.Wall();
    const UnixTime told = answer.transmit.ToUnix(now);
    const auto known = ledger_.find(request.origin.bits);
    if (answer.origin != request.receive) {
      ASSERT_EQ(answer.origin, request.transmit) << "neither basic nor interleaved";
      ASSERT_LE(std::chrono::abs(told - now), microseconds(5)) << "a basic answer tells its own departure";
      if (known != ledger_.end()) CountFallback(known->second);
      return;
    }
    ASSERT_NE(known, ledger_.end()) << "R-IL-02: no answer had that receive timestamp";
    Past& past = known->second;
    ASSERT_FALSE(past.is_told) << "R-IL-04: told twice";
    past.is_told = true;
    ASSERT_EQ(past.life, life_) << "of a process that is no more";
    ASSERT_EQ(past.steps, steps_) << "by another clock";
    ASSERT_LE(std::chrono::abs(told - past.left), microseconds(5)) << "R-IL-03: another answer's departure";
    if (told - past.left < Duration(5) && past.left - told < Duration(5)) {
      ++tally_.measured;
    } else {
      ++tally_.reckoned;
    }
  }
  void CountFallback(const Past& past) {
    if (past.is_told) {
      ++tally_.told_before;
    } else if (past.life != life_) {
      ++tally_.after_restart;
    } else if (past.steps != steps_) {
      ++tally_.after_step;
    } else {
      ++tally_.evicted;
    }
  }

  Log log_{LogLevel::kError, LogFormat::kText, [](std::string_view) {}};
  Published<ServerState> published_{ServerState{}};
  KeyRing ring_;
  ReferenceWatcher watcher_;
  std::unique_ptr<InterleavedStore> store_;
  std::array<std::unique_ptr<Responder>, 2> workers_;
  std::vector<NtpTimestamp> last_receives_;  // by client
  std::map<std::uint64_t, Past> ledger_;     // by receive timestamp
  int life_ = 0;
  int steps_ = 0;
  Tally tally_;
};

class InterleavedSimulation : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(InterleavedSimulation, TellsEachDepartureOnceToWhomItBelongs) {
  const char* chosen = std::getenv("NTSD_SIM_SEED");
  const std::uint64_t seed = chosen != nullptr ? std::strtoull(chosen, nullptr, 10) : GetParam();
  SCOPED_TRACE("seed " + std::to_string(seed));
  const Tally tally = InterleavedService(seed).Run();
  std::printf(
      "seed %llu: %d answers, %d with a measured departure, %d with a reckoned one; basic: %d told before, %d after "
      "a step, %d after a restart, %d evicted\n",
      static_cast<unsigned long long>(seed), tally.answers, tally.measured, tally.reckoned, tally.told_before,
      tally.after_step, tally.after_restart, tally.evicted);
  EXPECT_GT(tally.measured, tally.answers / 8);
  EXPECT_GT(tally.reckoned, 0);
  EXPECT_GT(tally.told_before, 0);
  EXPECT_GT(tally.after_step, 0);
  EXPECT_GT(tally.after_restart, 0);
  EXPECT_GT(tally.evicted, tally.answers / 20) << "there are more clients than room";
}

INSTANTIATE_TEST_SUITE_P(Seeds, InterleavedSimulation, ::testing::Values(1, 2, 3));

}  // namespace
}  // namespace ntsd::sim
