#include "server/reference/watcher.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "core/base/check.h"

namespace ntsd {
namespace {

constexpr Duration kTickInterval = std::chrono::seconds(1);
// A daemon that asks us to slow down is asked half as often, again and again down to this, and so until we are
// restarted: a limit that was met once will be met again.
constexpr Duration kPollIntervalMax = std::chrono::seconds(64);

double ToMicroseconds(Duration duration) { return static_cast<double>(duration.count()) / 1000; }

std::string Text(double value, const char* unit) {
  std::array<char, 64> text;
  std::snprintf(text.data(), text.size(), "%.3f %s", value, unit);
  return text.data();
}

}  // namespace

ReferenceWatcher::ReferenceWatcher(const ReferenceSettings& settings, std::unique_ptr<ClockSource> source,
                                   const Clock& clock, Published<ServerState>& published, Log& log)
    : settings_(settings),
      source_(std::move(source)),
      clock_(clock),
      published_(published),
      log_(log),
      state_({.distance_max = settings.distance_max, .precision = PrecisionLog2(MeasurePrecision(clock))},
             ReadClocks(clock)),
      poll_interval_(kTickInterval),
      leap_list_(settings.leap_seconds_file, log),
      stop_descriptor_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  CHECK(source_ != nullptr);
  CHECK(stop_descriptor_ >= 0);
}

ReferenceWatcher::~ReferenceWatcher() {
  Stop();
  close(stop_descriptor_);
}

void ReferenceWatcher::Tick() {
  LookAtTheClock();
  TakeLeapList();
  if (clock_.Monotonic() >= next_poll_) AskTheSource();
  Publish();
}

void ReferenceWatcher::ReadLeapList() {
  const bool has_changed = leap_list_.Reload(clock_.Now());
  const std::lock_guard lock(leap_mutex_);
  leap_problem_ = leap_list_.problem();
  if (!has_changed) return;
  leap_table_ = leap_list_.table();
  leap_table_is_new_ = true;
}

void ReferenceWatcher::TakeLeapList() {
  const std::lock_guard lock(leap_mutex_);
  if (std::exchange(leap_table_is_new_, false)) state_.SetLeapTable(leap_table_);
}

void ReferenceWatcher::LookAtTheClock() {
  const auto jump = state_.OnClock(ReadClocks(clock_));
  if (!jump) return;
  // At once: the workers answer nobody as long as the published epoch is not the clock's.
  Publish();
  next_poll_ = {};
  log_.Warning("the clock was stepped", {{"by", Text(ToMicroseconds(*jump) / 1e6, "s")}});
}

void ReferenceWatcher::AskTheSource() {
  const auto sample = source_->Poll();
  const MonotonicTime polled_at = clock_.Monotonic();
  next_poll_ = polled_at + poll_interval_ - kTickInterval / 2;
  const std::uint32_t epoch = state_.clock_epoch();
  LookAtTheClock();
  last_fault_.reset();
  if (sample) {
    state_.OnSample(*sample);
    if (state_.clock_epoch() != epoch) last_fault_ = ReferenceFault::kStepped;
  } else {
    last_fault_ = sample.error();
    state_.OnNoSample();
  }
  if (!last_fault_) return;
  faults_.Add(static_cast<std::size_t>(*last_fault_));
  if (*last_fault_ == ReferenceFault::kRefused && settings_.kind == ReferenceKind::kNtp) {
    poll_interval_ = std::min(2 * poll_interval_, kPollIntervalMax);
  }
}

void ReferenceWatcher::Publish() {
  const ClockReading now = ReadClocks(clock_);
  const ServerState state = state_.Publish(now);
  published_.Publish(state);

  ReferenceSummary summary;
  summary.source = settings_.kind;
  if (settings_.kind == ReferenceKind::kChrony || settings_.kind == ReferenceKind::kNtp) {
    summary.address = settings_.address;
  }
  summary.condition = state_.ConditionAt(now);
  summary.fit = state.IsFitToServe(now.monotonic);
  summary.stratum = summary.fit ? state.stratum : 0;
  summary.reference_id = state.reference_id;
  summary.leap = summary.fit ? state.LeapAt(now.wall) : LeapIndicator::kUnsynchronized;
  if (state.leap_second.change != 0) summary.leap_at = state.leap_second.at;
  {
    const std::lock_guard lock(leap_mutex_);
    summary.leap_problem = leap_problem_;
    if (leap_table_) summary.leap_list_expires = leap_table_->expires;
  }
  summary.root_delay = state.root_delay;
  summary.root_dispersion = state.RootDispersionAt(now.monotonic);
  if (state_.sample()) {
    summary.offset = state_.sample()->offset;
    summary.sample_age = now.monotonic - state_.sample()->taken.monotonic;
  }
  summary.precision = state.precision;
  summary.clock_steps = state.clock_epoch;
  summary.last_fault = last_fault_;

  std::unique_lock lock(summary_mutex_);
  std::swap(summary_, summary);
  lock.unlock();
  LogChanges(summary, summary_);  // this thread alone writes summary_, so it may read it without the lock
}

void ReferenceWatcher::LogChanges(const ReferenceSummary& before, const ReferenceSummary& after) {
  if (after.condition != before.condition || after.fit != before.fit) {
    const auto level = after.condition == ReferenceCondition::kSynchronized ? &Log::Info : &Log::Warning;
    (log_.*level)("reference", {{"source", std::string(ToString(after.source))},
                                {"condition", std::string(ToString(after.condition))},
                                {"fit", after.fit ? "yes" : "no"},
                                {"stratum", std::to_string(after.stratum)},
                                {"offset", Text(ToMicroseconds(after.offset), "us")},
                                {"dispersion", Text(ToMicroseconds(after.root_dispersion) / 1000, "ms")},
                                {"fault", after.last_fault ? std::string(ToString(*after.last_fault)) : "none"}});
  }
  if (after.leap == before.leap || !after.fit || !before.fit) return;
  log_.Info("leap second", {{"announced", after.leap == LeapIndicator::kNone     ? "no more"
                                          : after.leap == LeapIndicator::kInsert ? "insert"
                                                                                 : "delete"}});
}

ReferenceSummary ReferenceWatcher::Summary() const {
  const std::lock_guard lock(summary_mutex_);
  return summary_;
}

void ReferenceWatcher::Start() {
  CHECK(!thread_.joinable());
  thread_ = std::thread([this] { Run(); });
}

void ReferenceWatcher::Stop() {
  if (!thread_.joinable()) return;
  const std::uint64_t one = 1;
  CHECK(write(stop_descriptor_, &one, sizeof(one)) == sizeof(one));
  thread_.join();
  std::uint64_t taken = 0;
  CHECK(read(stop_descriptor_, &taken, sizeof(taken)) == sizeof(taken));
}

void ReferenceWatcher::Run() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);  // signals are the main thread's
  pthread_setname_np(pthread_self(), "reference");
  for (;;) {  // ends when Stop() writes
    std::array<pollfd, 2> awaited{{{.fd = stop_descriptor_, .events = POLLIN, .revents = 0},
                                   {.fd = alarm_.descriptor(), .events = POLLIN, .revents = 0}}};
    constexpr auto kTick_ms = std::chrono::duration_cast<std::chrono::milliseconds>(kTickInterval).count();
    poll(awaited.data(), awaited.size(), static_cast<int>(kTick_ms));
    if (awaited[0].revents != 0) return;
    if (awaited[1].revents != 0) alarm_.Rearm();
    Tick();
  }
}

}  // namespace ntsd
