// The whole service in virtual time: a machine whose clock drifts, is slewed, stepped by its daemon and set by
// strangers; a daemon that goes away; leap seconds, both eras; a network that loses, doubles, delays and reorders;
// clients of every version, plain and NTS. Every answer is checked against the truth, which only the simulation knows:
//
//   * the receive and transmit timestamps are wrong by no more than the root distance that the answer tells;
//   * they are as far apart as they really were, so never of two epochs of the clock;
//   * the leap indicator is what the calendar says, and a smearing listener never has one;
//   * it is authentic, of the request's version, and no longer than the request.
//
// A failure names its seed; NTSD_SIM_SEED=N runs that one alone.
#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <deque>
#include <string>

#include "core/base/published.h"
#include "core/nts/client.h"
#include "core/nts/responder.h"
#include "server/reference/watcher.h"
#include "tests/sim/virtual_machine.h"
#include "tests/support/responder_fixture.h"

namespace ntsd::sim {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kPlainListener = 0;
constexpr std::size_t kSmearingListener = 1;

double ToMicroseconds(Duration duration) { return static_cast<double>(duration.count()) / 1000; }

struct Scenario {
  UnixTime start;
  Duration length;
  UnixTime leap_at{};
  int change = 0;
  bool strangers = true;  // set the clock now and then
  bool outages = true;    // of the daemon
};

struct Tally {
  int asked = 0;
  int synchronized = 0;
  int unsynchronized = 0;
  int refused_for_a_step = 0;
  int announced = 0;
  int smeared = 0;
  int verified = 0;
  int steps = 0;
};

struct Datagram {
  Octets octets;
  std::size_t client = 0;
  UnixTime received{};
  Duration arrived{};
};

struct Client {
  std::uint8_t version = 4;
  std::size_t listener = kPlainListener;
  std::optional<NtsAssociation> association;
  std::optional<ClientRequest> request;
  Duration sent{};
};

class Service : private Scene {
 public:
  Service(const Scenario& scenario, std::uint64_t seed)
      : Scene({scenario.start, scenario.leap_at, scenario.change}, seed),
        scenario_(scenario),
        ring_(KeySet::Make(std::vector<MasterKey>{testing::MakeMasterKey(0xA001)}, 0, 1, false)),
        watcher_(Settings(), std::make_unique<DaemonSource>(daemon_), clock_, published_, log_),
        responder_(*SelectAead(), ring_, published_, clock_, random_,
                   {ListenerPolicy{}, ListenerPolicy{.smear = true}}) {
    if (scenario.change != 0) daemon_.Announce(scenario.change > 0 ? LeapIndicator::kInsert : LeapIndicator::kDelete);
    for (std::uint8_t version = 1; version <= 4; ++version) AddClient(version, kPlainListener, std::nullopt);
    AddClient(4, kPlainListener, AeadId::kAesSivCmac256);
    AddClient(4, kPlainListener, AeadId::kAes128GcmSiv);
    AddClient(4, kSmearingListener, std::nullopt);
    AddClient(4, kSmearingListener, AeadId::kAesSivCmac256);
  }

  Tally Run() {
    daemon_.Update();
    Discipline();
    Watch();
    if (scenario_.change != 0) MakeTheLeapSecond();
    if (scenario_.strangers) PlanStranger();
    if (scenario_.outages) PlanOutage();
    for (std::size_t i = 0; i < clients_.size(); ++i) PlanRequest(i);
    RunFor(scenario_.length);
    return tally_;
  }

 private:
  static ReferenceSettings Settings() {
    ReferenceSettings settings;
    settings.distance_max = milliseconds(250);
    return settings;
  }

  void AddClient(std::uint8_t version, std::size_t listener, std::optional<AeadId> aead) {
    Client client;
    client.version = version;
    client.listener = listener;
    if (aead) {
      client.association.emplace();
      client.association->keys = testing::VectorKeys(*aead);
      for (int i = 0; i < 8; ++i)
        client.association->cookies.push_back(testing::SealedCookie(ring_, random_, client.association->keys));
    }
    clients_.push_back(std::move(client));
  }

  // --- The machine ---

  void Discipline() {
    In(Daemon::kUpdateInterval, [this] {
      if (daemon_.is_running()) Measure();
      Discipline();
    });
  }
  void Measure() {
    const Duration before = clock_.Wall() - UnixTime{} - MonotonicNow();
    daemon_.Update();
    Remember("the daemon measures");
    // Reading the clocks takes some nanoseconds; a step is more.
    if (std::chrono::abs(clock_.Wall() - UnixTime{} - MonotonicNow() - before) > kClockStepMin) WakeTheWatcher();
  }
  Duration MonotonicNow() const { return clock_.Monotonic().time_since_epoch(); }
  void Watch() {
    watcher_.Tick();
    In(seconds(1), [this] { Watch(); });
  }
  // The alarm; the thread may be late.
  void WakeTheWatcher() {
    ++tally_.steps;
    In(Between(microseconds(5), milliseconds(30)), [this] { watcher_.Tick(); });
  }
  void StepByAStranger() {
    // Within an hour of the leap second it would blur what that test is about.
    if (scenario_.change != 0 && std::chrono::abs(truth_.JumpAt() - clock_.elapsed()) < hours(1)) return;
    const Duration by = Chance(40)   ? Between(milliseconds(2), milliseconds(80))
                        : Chance(80) ? Between(milliseconds(200), seconds(4))
                                     : Duration(hours(1));
    clock_.Step(Chance(50) ? by : -by);
    Remember("a stranger steps");
    WakeTheWatcher();
  }
  // Now and then at any time, and now and then in the middle of an answer.
  void PlanStranger() {
    In(Between(seconds(1), hours(4)), [this] {
      if (Chance(30)) {
        StepByAStranger();
      } else {
        stranger_waits_ = true;
      }
      PlanStranger();
    });
  }
  // The last things that happened to the clock, for the message of a failure.
  void Remember(std::string_view what) {
    story_.push_back(std::to_string(ToMicroseconds(clock_.elapsed()) / 1e6) + " s: " + std::string(what) +
                     ", now off by " + std::to_string(ToMicroseconds(clock_.Error())) + " us");
    if (story_.size() > 12) story_.pop_front();
  }
  std::string Story() const {
    std::string story = "now " + std::to_string(ToMicroseconds(clock_.elapsed()) / 1e6) + " s";
    for (const std::string& line : story_) story += "\n" + line;
    return story;
  }
  void MaybeStepNow() {
    if (!stranger_waits_ || !Chance(40)) return;
    stranger_waits_ = false;
    StepByAStranger();
  }
  void PlanOutage() {
    In(Between(hours(1), hours(12)), [this] {
      daemon_.Stop();
      In(Between(seconds(20), hours(5)), [this] {
        daemon_.Start();
        Measure();  // a daemon that has just started has nothing to say before
        PlanOutage();
      });
    });
  }
  // The kernel makes it when its own clock says so.
  void MakeTheLeapSecond() {
    const UnixTime when = scenario_.leap_at - seconds(scenario_.change > 0 ? 0 : 1);
    const Duration left = when - clock_.Wall();
    if (left > Duration::zero()) {
      In(std::max(left - left / 1'000, Duration(1)), [this] { MakeTheLeapSecond(); });
      return;
    }
    clock_.Step(-seconds(scenario_.change));
    daemon_.Announce(LeapIndicator::kNone);
    WakeTheWatcher();
  }

  // --- The network ---

  void PlanRequest(std::size_t index) {
    In(Between(seconds(4), seconds(40)), [this, index] {
      Send(index);
      PlanRequest(index);
    });
  }
  void Send(std::size_t index) {
    Client& client = clients_[index];
    ++tally_.asked;
    if (client.association) {
      while (client.association->cookies.size() < 4)
        client.association->cookies.push_back(testing::SealedCookie(ring_, random_, client.association->keys));
      client.request = BuildNtsRequest(*client.association, *SelectAead(), random_);
    } else {
      client.request = BuildPlainRequest(client.version, random_);
    }
    client.sent = clock_.elapsed();
    for (int copy = 0; copy < (Chance(5) ? 2 : 1); ++copy) {
      if (Chance(5)) continue;
      In(Delay(), [this, index, octets = client.request->datagram] { Arrive(index, octets); });
    }
  }
  Duration Delay() {
    return Chance(3) ? Between(milliseconds(80), seconds(3)) : Between(microseconds(50), milliseconds(80));
  }

  void Arrive(std::size_t index, const Octets& octets) {
    MaybeStepNow();
    queue_.push_back({octets, index, clock_.Wall(), clock_.elapsed()});
    if (queue_.size() > 1) return;  // the worker is on its way already
    // A worker that is busy for a while is a backlog, and what came in the meantime is one batch.
    In(Chance(3) ? Between(milliseconds(5), milliseconds(90)) : Between(microseconds(10), milliseconds(2)),
       [this] { Serve(); });
  }
  void Serve() {
    MaybeStepNow();
    std::array<std::array<std::uint8_t, kReplySizeMax>, kBatchSizeMax> replies;
    std::array<Exchange, kBatchSizeMax> batch;
    const std::size_t count = std::min(queue_.size(), kBatchSizeMax);
    std::vector<Datagram> datagrams(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(count));
    queue_.clear();
    for (std::size_t i = 0; i < count; ++i) {
      batch[i].request = datagrams[i].octets;
      batch[i].reply = replies[i];
      batch[i].source = testing::ResponderHarness::DefaultSource();
      batch[i].received = datagrams[i].received;
      batch[i].listener = clients_[datagrams[i].client].listener;
    }
    responder_.Prepare(std::span(batch).first(count));
    clock_.AdvanceTo(clock_.elapsed() + Between(microseconds(1), microseconds(400)));
    MaybeStepNow();
    for (std::size_t i = 0; i < count; ++i) {
      responder_.Finish(std::span(batch).subspan(i, 1));
      const ByteView answer = ByteView(replies[i]).first(batch[i].reply_size);
      if (batch[i].reason == Reason::kClockStepped) ++tally_.refused_for_a_step;
      EXPECT_TRUE(!answer.empty() || batch[i].reason == Reason::kClockStepped) << ReasonName(batch[i].reason);
      if (!answer.empty()) Depart(datagrams[i], answer);
    }
  }
  void Depart(const Datagram& request, ByteView answer) {
    ASSERT_LE(answer.size(), request.octets.size()) << "R-SEC-01";
    ASSERT_NO_FATAL_FAILURE(CheckAgainstTheTruth(request, answer));
    const Octets octets(answer.begin(), answer.end());
    for (int copy = 0; copy < (Chance(5) ? 2 : 1); ++copy) {
      if (Chance(5)) continue;
      In(Delay(), [this, index = request.client, octets] { Receive(index, octets); });
    }
  }

  // --- The checks ---

  // As the answer leaves; what happens to it afterwards is the network's doing.
  void CheckAgainstTheTruth(const Datagram& request, ByteView answer) {
    const NtpHeader header = *NtpHeader::Parse(answer);
    const Client& client = clients_[request.client];
    const bool is_smearing = client.listener == kSmearingListener;
    const Duration left = clock_.elapsed();
    ASSERT_EQ(header.version, client.version);
    ASSERT_EQ(header.mode, NtpMode::kServer);
    ASSERT_EQ(header.leap == LeapIndicator::kUnsynchronized, header.stratum == 0);
    ASSERT_FALSE(header.receive.IsUnknown() || header.transmit.IsUnknown());
    ASSERT_NE(header.receive, header.transmit);
    const UnixTime pivot = truth_.At(left);
    const UnixTime receive = header.receive.ToUnix(pivot);
    const UnixTime transmit = header.transmit.ToUnix(pivot);
    const Duration service = left - request.arrived;
    ASSERT_NEAR(ToMicroseconds(transmit - receive), ToMicroseconds(service), 5 + ToMicroseconds(service) / 100)
        << "two epochs";
    if (header.stratum == 0) {
      ++tally_.unsynchronized;
      return;
    }
    ++tally_.synchronized;
    const Duration distance =
        header.root_delay.ToDuration() / 2 + header.root_dispersion.ToDuration() + microseconds(20);
    ASSERT_LE(Error(receive, request.arrived, is_smearing), distance) << Story();
    ASSERT_LE(Error(transmit, left, is_smearing), distance) << Story();
    ASSERT_LE(header.reference.ToUnix(pivot), transmit);
    CheckLeap(header, left, is_smearing);
  }
  Duration Error(UnixTime told, Duration elapsed, bool is_smearing) const {
    if (is_smearing) return std::chrono::abs(told - truth_.SmearedAt(elapsed));
    const Duration error = std::chrono::abs(told - truth_.At(elapsed));
    // A clock that is off by a millisecond makes the leap second a millisecond off.
    return truth_.IsJumping(elapsed) ? std::min(error, std::chrono::abs(error - seconds(1))) : error;
  }
  void CheckLeap(const NtpHeader& header, Duration elapsed, bool is_smearing) {
    if (is_smearing) {
      ASSERT_EQ(header.leap, LeapIndicator::kNone) << "R-LEAP-04";
      if (header.reference_id >> 24 == 254) ++tally_.smeared;
      return;
    }
    if (scenario_.change == 0 || truth_.IsJumping(elapsed)) return;
    const UnixTime now = truth_.At(elapsed);
    const Duration into_last_day = now - (scenario_.leap_at - hours(24));
    if (std::chrono::abs(into_last_day) < milliseconds(300)) return;  // by the server's clock, which is not the truth
    const bool is_last_day = into_last_day > Duration::zero() && now < scenario_.leap_at;
    const LeapIndicator announced = scenario_.change > 0 ? LeapIndicator::kInsert : LeapIndicator::kDelete;
    ASSERT_EQ(header.leap, is_last_day ? announced : LeapIndicator::kNone) << "R-LEAP-01, R-LEAP-02";
    if (is_last_day) ++tally_.announced;
  }

  // A client whose own clock is right sees no more offset than it was told to expect.
  void Receive(std::size_t index, const Octets& octets) {
    Client& client = clients_[index];
    if (!client.request) return;
    const ResponseFacts facts = client.association
                                    ? JudgeNtsResponse(*client.request, octets, *client.association, *SelectAead())
                                    : JudgePlainResponse(*client.request, octets);
    if (facts.verdict == ResponseVerdict::kMismatched) return;  // late, or the second copy
    client.request.reset();
    ++tally_.verified;
    if (facts.verdict == ResponseVerdict::kUnsynchronized) return;
    ASSERT_EQ(facts.verdict, ResponseVerdict::kOk) << VerdictText(facts.verdict);
    if (client.listener == kSmearingListener || truth_.IsJumping(client.sent) || truth_.IsJumping(clock_.elapsed()))
      return;
    if (truth_.change != 0 && client.sent < truth_.JumpAt() && clock_.elapsed() >= truth_.JumpAt()) return;
    const Sample sample = ComputeSample(truth_.At(client.sent), facts.header, truth_.At(clock_.elapsed()));
    const Duration distance = facts.header.root_delay.ToDuration() / 2 + facts.header.root_dispersion.ToDuration();
    ASSERT_LE(std::chrono::abs(sample.offset), distance + sample.delay / 2 + microseconds(20));
  }

  const Scenario scenario_;
  Log log_{LogLevel::kError, LogFormat::kText, [](std::string_view) {}};
  Published<ServerState> published_{ServerState{}};
  KeyRing ring_;
  ReferenceWatcher watcher_;
  Responder responder_;
  std::vector<Client> clients_;
  std::deque<Datagram> queue_;
  bool stranger_waits_ = false;
  std::deque<std::string> story_;
  Tally tally_;
};

const UnixTime kLeapAt(seconds(1'483'228'800));                             // 2017-01-01
const UnixTime kEra1(seconds((std::int64_t{1} << 32) - kNtpUnixOffset_s));  // 2036-02-07T06:28:16Z
const UnixTime kUnixEnd(seconds(std::int64_t{1} << 31));                    // 2038-01-19T03:14:08Z

class ServiceSimulation : public ::testing::TestWithParam<std::uint64_t> {
 protected:
  Tally Run(const Scenario& scenario) {
    const char* chosen = std::getenv("NTSD_SIM_SEED");
    const std::uint64_t seed = chosen != nullptr ? std::strtoull(chosen, nullptr, 10) : GetParam();
    SCOPED_TRACE("seed " + std::to_string(seed));
    const Tally tally = Service(scenario, seed).Run();
    std::printf(
        "seed %llu: %d asked, %d answered with time, %d without, %d verified; %d steps, %d answers refused for one, %d "
        "announced a leap second, %d smeared\n",
        static_cast<unsigned long long>(seed), tally.asked, tally.synchronized, tally.unsynchronized, tally.verified,
        tally.steps, tally.refused_for_a_step, tally.announced, tally.smeared);
    return tally;
  }
};

TEST_P(ServiceSimulation, TellsTheTruthThroughStepsAndOutages) {
  const Tally tally = Run({.start = UnixTime(seconds(1'790'000'000)), .length = hours(48)});
  EXPECT_GT(tally.steps, 10);
  EXPECT_GT(tally.unsynchronized, 0);
  EXPECT_GT(tally.synchronized, tally.asked / 2);
}

TEST_P(ServiceSimulation, MakesAnInsertedLeapSecond) {
  const Tally tally = Run({.start = kLeapAt - hours(38),
                           .length = hours(64),
                           .leap_at = kLeapAt,
                           .change = 1,
                           .strangers = false,
                           .outages = false});
  EXPECT_GT(tally.announced, 1000);
  EXPECT_GT(tally.smeared, 500);
  EXPECT_GT(tally.synchronized, tally.asked * 8 / 10);
}

TEST_P(ServiceSimulation, MakesADeletedLeapSecond) {
  const Tally tally = Run({.start = kLeapAt - hours(38),
                           .length = hours(64),
                           .leap_at = kLeapAt,
                           .change = -1,
                           .strangers = true,
                           .outages = false});
  EXPECT_GT(tally.announced, 500);
  EXPECT_GT(tally.smeared, 300);
}

TEST_P(ServiceSimulation, PassesTheEndsOfEra0AndOf32BitUnixTime) {  // R-NTP-18
  for (const UnixTime end : {kEra1, kUnixEnd}) {
    const Tally tally = Run({.start = end - hours(1), .length = hours(2), .strangers = false, .outages = false});
    EXPECT_GT(tally.synchronized, tally.asked * 8 / 10);
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, ServiceSimulation, ::testing::Values(1, 2, 3));

}  // namespace
}  // namespace ntsd::sim
