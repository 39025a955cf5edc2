#include "server/reference/watcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <mutex>

#include "server/system_clock.h"
#include "tests/support/fakes.h"

namespace ntsd {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::FakeClock;
using ::testing::HasSubstr;

using Polled = Expected<ReferenceSample, ReferenceFault>;

class FakeSource final : public ClockSource {
 public:
  explicit FakeSource(std::function<Polled()> answer) : answer_(std::move(answer)) {}
  Polled Poll() override { return answer_(); }

 private:
  std::function<Polled()> answer_;
};

class ReferenceWatcherTest : public ::testing::Test {
 protected:
  ReferenceWatcherTest() {
    sample_.synchronized = true;
    sample_.leap = LeapIndicator::kNone;
    sample_.stratum = 2;
    sample_.root_dispersion = milliseconds(3);
    settings_.distance_max = milliseconds(500);
  }
  ~ReferenceWatcherTest() override {
    if (!folder_.empty()) std::filesystem::remove_all(folder_);
  }
  ReferenceWatcher& Watcher() {
    if (!watcher_) {
      auto source = std::make_unique<FakeSource>([this]() -> Polled {
        ++polls_;
        if (during_poll_) during_poll_();
        if (fault_) return Unexpected(*fault_);
        ReferenceSample sample = sample_;
        sample.taken = {clock_.Now(), clock_.Monotonic()};
        return sample;
      });
      watcher_.emplace(settings_, std::move(source), clock_, published_, log_);
    }
    return *watcher_;
  }
  void Run(int ticks) {
    for (int i = 0; i < ticks; ++i) {
      clock_.Advance(seconds(1));
      Watcher().Tick();
    }
  }
  bool IsFit() const { return published_.Read().IsFitToServe(clock_.Monotonic()); }
  std::uint64_t Faults(ReferenceFault fault) { return Watcher().faults().Read(static_cast<std::size_t>(fault)); }
  std::string WriteLeapFile(std::string_view text) {
    if (folder_.empty()) {
      std::string pattern = (std::filesystem::temp_directory_path() / "ntsd-test-XXXXXX").string();
      folder_ = mkdtemp(pattern.data());
    }
    std::ofstream(folder_ / "leap-seconds.list") << text;
    return folder_ / "leap-seconds.list";
  }

  FakeClock clock_;
  ReferenceSample sample_;
  std::optional<ReferenceFault> fault_;
  std::function<void()> during_poll_;
  int polls_ = 0;
  std::string logged_;
  std::mutex log_mutex_;
  Log log_{LogLevel::kInfo, LogFormat::kText, [this](std::string_view line) {
             const std::lock_guard lock(log_mutex_);
             logged_ += line;
             logged_ += '\n';
           }};
  Published<ServerState> published_{ServerState{}};
  ReferenceSettings settings_;
  std::filesystem::path folder_;
  std::optional<ReferenceWatcher> watcher_;
};

TEST_F(ReferenceWatcherTest, PublishesWhatTheSourceSays) {
  EXPECT_FALSE(IsFit());
  Run(1);
  EXPECT_TRUE(IsFit());
  EXPECT_EQ(published_.Read().stratum, 2);
  const ReferenceSummary summary = Watcher().Summary();
  EXPECT_TRUE(summary.fit);
  EXPECT_EQ(summary.condition, ReferenceCondition::kSynchronized);
  EXPECT_EQ(summary.stratum, 2);
  EXPECT_EQ(summary.leap, LeapIndicator::kNone);
  EXPECT_EQ(summary.source, ReferenceKind::kChrony);
  EXPECT_EQ(summary.address, "127.0.0.1:323");
  EXPECT_EQ(summary.root_dispersion, milliseconds(3));
  EXPECT_EQ(summary.sample_age, Duration::zero());
  EXPECT_FALSE(summary.last_fault);
  EXPECT_THAT(logged_, HasSubstr("condition=synchronized"));
}

TEST_F(ReferenceWatcherTest, HoldsAndComesBack) {
  sample_.dispersion_rate_ppb = 100'000'000;  // 0.1 s a second, to make it short
  Run(1);
  fault_ = ReferenceFault::kNotRunning;
  Run(4);
  EXPECT_TRUE(IsFit());
  EXPECT_EQ(Watcher().Summary().condition, ReferenceCondition::kHolding);
  EXPECT_EQ(Watcher().Summary().sample_age, seconds(4));
  Run(1);
  EXPECT_FALSE(IsFit());
  EXPECT_EQ(Watcher().Summary().condition, ReferenceCondition::kTooFar);
  EXPECT_EQ(Watcher().Summary().stratum, 0);
  EXPECT_EQ(Watcher().Summary().leap, LeapIndicator::kUnsynchronized);
  EXPECT_EQ(Faults(ReferenceFault::kNotRunning), 5U);
  fault_.reset();
  Run(1);
  EXPECT_TRUE(IsFit());
}

TEST_F(ReferenceWatcherTest, CountsEachReason) {
  for (std::size_t i = 0; i < kReferenceFaultCount; ++i) {
    fault_ = static_cast<ReferenceFault>(i);
    Run(1);
    EXPECT_EQ(Faults(*fault_), 1U) << ToString(*fault_);
    EXPECT_EQ(Watcher().Summary().last_fault, fault_);
  }
}

TEST_F(ReferenceWatcherTest, LogsChangesOnly) {
  Run(1);
  const std::string logged = logged_;
  Run(100);
  EXPECT_EQ(logged_, logged);
}

TEST_F(ReferenceWatcherTest, PublishesAStepBeforeItAsksAgain) {
  Run(1);
  bool was_fit_during_poll = true;
  during_poll_ = [&] { was_fit_during_poll = IsFit(); };
  clock_.Step(seconds(-5));
  Run(1);
  EXPECT_FALSE(was_fit_during_poll);
  EXPECT_EQ(published_.Read().clock_epoch, 1U);
  EXPECT_EQ(Watcher().Summary().clock_steps, 1U);
  EXPECT_THAT(logged_, HasSubstr("by=\"-5.000 s\""));
}

TEST_F(ReferenceWatcherTest, IgnoresASampleThatAStepOvertook) {
  sample_.knows_of_steps = true;
  auto source = std::make_unique<FakeSource>([this]() -> Polled {
    ReferenceSample sample = sample_;
    sample.taken = {clock_.Now(), clock_.Monotonic()};
    clock_.Step(seconds(1));  // the answer was read when somebody sets the clock
    return sample;
  });
  ReferenceWatcher watcher(settings_, std::move(source), clock_, published_, log_);
  watcher.Tick();
  EXPECT_FALSE(IsFit());
  EXPECT_EQ(watcher.faults().Read(static_cast<std::size_t>(ReferenceFault::kStepped)), 1U);
}

TEST_F(ReferenceWatcherTest, AsksADaemonLessOftenThatSaysSo) {
  settings_.kind = ReferenceKind::kNtp;
  fault_ = ReferenceFault::kRefused;
  Run(1);
  EXPECT_EQ(polls_, 1);
  Run(2);
  EXPECT_EQ(polls_, 2) << "every other second";
  Run(4);
  EXPECT_EQ(polls_, 3);
  Run(1000);
  EXPECT_LE(polls_, 3 + 6 + 1000 / 64);
  fault_.reset();
  Run(128);
  EXPECT_TRUE(IsFit());
  const int polls = polls_;
  Run(640);
  EXPECT_EQ(polls_, polls + 10);
}

// The hash is by an independent program.
constexpr std::string_view kLeapAtEndOf2026 =
    "#$ 3960835200\n#@ 4039200000\n3644697600 36\n3692217600 37\n4007750400 38\n#h ae1d7983 9e7bf240 a808f4a6 a05cdda9 "
    "f73f12e1\n";

TEST_F(ReferenceWatcherTest, ReadsTheListOfLeapSeconds) {
  settings_.leap_seconds_file = WriteLeapFile(kLeapAtEndOf2026);
  const UnixTime at(seconds(1'798'761'600));  // 2027-01-01
  clock_ = FakeClock(at - hours(48));
  Watcher().ReadLeapList();
  Run(1);
  EXPECT_EQ(Watcher().Summary().leap_problem, "");
  EXPECT_EQ(Watcher().Summary().leap_at, at);
  EXPECT_EQ(published_.Read().leap, LeapIndicator::kNone);
  clock_.Advance(hours(25));
  Run(1);
  EXPECT_EQ(published_.Read().leap, LeapIndicator::kInsert);
  EXPECT_THAT(logged_, HasSubstr("announced=insert"));
}

TEST_F(ReferenceWatcherTest, KeepsTheListWhenTheFileIsSpoilt) {
  settings_.leap_seconds_file = WriteLeapFile(kLeapAtEndOf2026);
  Watcher().ReadLeapList();
  Run(1);
  std::string was = Watcher().Summary().leap_problem;
  WriteLeapFile(kLeapAtEndOf2026.substr(0, kLeapAtEndOf2026.size() / 2));
  Run(4000);
  EXPECT_EQ(Watcher().Summary().leap_problem, was) << "it never reads by itself: a disk may hang";
  Watcher().ReadLeapList();
  Run(1);
  was = Watcher().Summary().leap_problem;
  EXPECT_NE(was, "");
  EXPECT_TRUE(Watcher().Summary().leap_list_expires);
  EXPECT_THAT(logged_, HasSubstr("leap seconds come from the source alone"));
  WriteLeapFile(kLeapAtEndOf2026);
  Run(4000);
  EXPECT_EQ(Watcher().Summary().leap_problem, was) << "it never reads by itself: a disk may hang";
  Watcher().ReadLeapList();
  Run(1);
  EXPECT_EQ(Watcher().Summary().leap_problem, "");
}

TEST_F(ReferenceWatcherTest, SaysWhenThereIsNoFile) {
  settings_.leap_seconds_file = "/nowhere/leap-seconds.list";
  Watcher().ReadLeapList();
  Run(1);
  EXPECT_EQ(Watcher().Summary().leap_problem, "the file cannot be read");
  EXPECT_TRUE(IsFit()) << "time is served without it";
}

TEST(ReferenceWatcherThread, PublishesFromItsOwnThreadAndStops) {
  const SystemClock clock;
  testing::FakeRandom random;
  Log log(LogLevel::kError, LogFormat::kText, [](std::string_view) {});
  Published<ServerState> published(ServerState{});
  ReferenceSettings settings;
  settings.kind = ReferenceKind::kLocal;
  auto source = OpenClockSource(settings, clock, random);
  ASSERT_TRUE(source);
  ReferenceWatcher watcher(settings, *std::move(source), clock, published, log);
  watcher.Tick();
  ASSERT_TRUE(published.Read().IsFitToServe(clock.Monotonic()));
  EXPECT_EQ(published.Read().stratum, 10);
  const UnixTime first = published.Read().reference_time;
  watcher.Start();
  const MonotonicTime deadline = clock.Monotonic() + seconds(20);
  while (published.Read().reference_time == first && clock.Monotonic() < deadline) {
    std::this_thread::sleep_for(milliseconds(10));
    EXPECT_TRUE(watcher.Summary().fit);
  }
  EXPECT_GT(published.Read().reference_time, first);
  watcher.Stop();
  watcher.Stop();
  watcher.Start();
}

}  // namespace
}  // namespace ntsd
