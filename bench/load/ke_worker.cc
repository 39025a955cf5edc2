#include "bench/load/ke_worker.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

#include "bench/load/cpu_meter.h"
#include "bench/load/share.h"
#include "bench/load/thread_place.h"
#include "core/base/check.h"

namespace ntsd::load {
namespace {

constexpr Duration kWaitMax = std::chrono::milliseconds(20);
// When keys are wanted and nothing but failures comes, somebody should look.
constexpr std::size_t kFailuresInARowMax = 16;

MonotonicTime Now() { return std::chrono::steady_clock::now(); }

}  // namespace

KeWorker::KeWorker(const KePlan& plan, const KeSettings& settings, std::size_t index, std::size_t results_wanted)
    : plan_(plan),
      settings_(settings),
      index_(index),
      results_wanted_(results_wanted),
      has_slow_(settings.shares[static_cast<std::size_t>(KeBehaviour::kSlow)] > 0),
      epoll_(epoll_create1(EPOLL_CLOEXEC)) {
  CHECK(epoll_ >= 0);
  const std::size_t concurrency = std::max<std::size_t>(1, settings.concurrency / settings.thread_count);
  slots_.resize(results_wanted > 0 ? std::min(concurrency, results_wanted) : concurrency);
  for (std::size_t i = slots_.size(); i > 0; --i) free_.push_back(i - 1);
  const auto threads = static_cast<double>(settings.thread_count);
  if (settings.rate) {
    arrivals_.emplace(settings.arrivals, *settings.rate / threads, static_cast<double>(index) / threads, random_);
  }
}

KeWorker::~KeWorker() { close(epoll_); }

bool KeWorker::IsFinished(MonotonicTime now) const {
  if (results_wanted_ > 0) return results_.size() >= results_wanted_ || failed_in_a_row_ >= kFailuresInARowMax;
  // Connections that were begun in time may end.
  return now >= start_ + settings_.length && free_.size() == slots_.size();
}

void KeWorker::Run(MonotonicTime start, const std::atomic<bool>& stop) {
  start_ = start;
  PlaceThread(settings_.cpus, index_);
  SleepUntil(start);
  const Duration cpu_before = ThreadCpuTime();
  // Ends: every connection has a deadline.
  for (MonotonicTime now = Now(); !IsFinished(now) && !stop.load(std::memory_order_relaxed); now = Now()) {
    BeginDue(now);
    std::array<epoll_event, 64> events;
    const Duration wait = TimeToWait(now);
    const timespec limit{.tv_sec = 0, .tv_nsec = wait.count()};
    const int count = epoll_pwait2(epoll_, events.data(), static_cast<int>(events.size()), &limit, nullptr);
    for (int i = 0; i < count; ++i) CarryOn(events[static_cast<std::size_t>(i)].data.u64, Now());
    if (has_slow_) SendOctets(Now());
    ExpireOld(Now());
  }
  totals_.cpu = ThreadCpuTime() - cpu_before;
}

Duration KeWorker::TimeToWait(MonotonicTime now) const {
  Duration wait = has_slow_ ? std::chrono::milliseconds(5) : kWaitMax;
  if (arrivals_ && !free_.empty()) wait = std::min(wait, start_ + arrivals_->next() - now);
  if (!deadlines_.empty()) wait = std::min(wait, deadlines_.front().time - now);
  return std::max(wait, Duration(0));
}

void KeWorker::BeginDue(MonotonicTime now) {
  const MonotonicTime end = results_wanted_ > 0 ? MonotonicTime::max() : start_ + settings_.length;
  if (!arrivals_) {
    // Ends: with the free places, or when enough are under way.
    while (!free_.empty() && now < end) {
      const std::size_t under_way = slots_.size() - free_.size();
      if (results_wanted_ > 0 && results_.size() + under_way >= results_wanted_) return;
      ++totals_.due;
      Begin(now, now);
      // A connection that fails at once gives its place back at once.
      if (results_wanted_ > 0 && failed_in_a_row_ >= kFailuresInARowMax) return;
      now = Now();
    }
    return;
  }
  // What finds no free place waits for one, and its latency with it.
  while (!free_.empty() && start_ + arrivals_->next() <= now && start_ + arrivals_->next() < end) {
    ++totals_.due;
    Begin(start_ + arrivals_->next(), now);
    arrivals_->Advance();
  }
}

KeBehaviour KeWorker::PickBehaviour() {
  double dice = RandomShare(random_);
  for (std::size_t i = 1; i < kKeBehaviourCount; ++i) {
    if (dice < settings_.shares[i]) return static_cast<KeBehaviour>(i);
    dice -= settings_.shares[i];
  }
  return KeBehaviour::kHonest;
}

void KeWorker::Begin(MonotonicTime intended, MonotonicTime now) {
  const std::size_t index = free_.back();
  free_.pop_back();
  Slot& slot = slots_[index];
  slot.connection = std::make_unique<KeConnection>(plan_, PickBehaviour(), random_);
  slot.intended = intended;
  slot.serial = next_serial_++;
  ++totals_.started;
  live_.Add(static_cast<std::size_t>(KeLive::kStarted));
  totals_.send_lag.Record(now - intended);
  std::optional<IpAddress> source;
  if (!plan_.sources.empty()) source = plan_.sources[next_source_++ % plan_.sources.size()];
  if (const std::optional<KeEnding> ending = slot.connection->Begin(source, now)) {
    End(index, *ending, Now());
    return;
  }
  deadlines_.push_back({index, slot.serial, now + settings_.timeout});
  Watch(index, true);
}

void KeWorker::Watch(std::size_t index, bool is_new) {
  Slot& slot = slots_[index];
  const bool wants_room = slot.connection->WantsToWrite();
  if (!is_new && wants_room == slot.waits_for_room) return;
  slot.waits_for_room = wants_room;
  epoll_event event{};
  event.events = wants_room ? EPOLLIN | EPOLLOUT : EPOLLIN;
  event.data.u64 = index;
  epoll_ctl(epoll_, is_new ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, slot.connection->fd(), &event);
}

void KeWorker::CarryOn(std::size_t index, MonotonicTime now) {
  Slot& slot = slots_[index];
  if (slot.connection == nullptr) return;
  if (const std::optional<KeEnding> ending = slot.connection->Advance(now)) {
    End(index, *ending, Now());
  } else {
    Watch(index, false);
  }
}

void KeWorker::SendOctets(MonotonicTime now) {
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (slots_[i].connection == nullptr) continue;
    const std::optional<MonotonicTime> next = slots_[i].connection->next_octet();
    if (next && *next <= now) CarryOn(i, now);
  }
}

void KeWorker::ExpireOld(MonotonicTime now) {
  // Ends: at the first that has time left.
  while (!deadlines_.empty() && deadlines_.front().time <= now) {
    const Deadline deadline = deadlines_.front();
    deadlines_.pop_front();
    Slot& slot = slots_[deadline.slot];
    if (slot.connection == nullptr || slot.serial != deadline.serial) continue;
    End(deadline.slot, slot.connection->Expire(), now);
  }
}

void KeWorker::End(std::size_t index, KeEnding ending, MonotonicTime now) {
  Slot& slot = slots_[index];
  KeConnection& connection = *slot.connection;
  const KeBehaviour behaviour = connection.behaviour();
  totals_.Count(behaviour, ending);
  const bool is_good = ending == KeEnding::kOk;
  live_.Add(static_cast<std::size_t>(is_good ? KeLive::kOk : KeLive::kFailed));
  if (behaviour != KeBehaviour::kHonest) {
    totals_.held.Record(now - connection.began());
  } else if (is_good) {
    totals_.connect.Record(connection.connected() - connection.began());
    totals_.tls.Record(connection.secured() - connection.connected());
    totals_.exchange.Record(now - connection.secured());
    totals_.total.Record(now - slot.intended);
    if (results_wanted_ > 0) results_.push_back(connection.TakeResult());
  }
  if (!is_good && behaviour == KeBehaviour::kHonest) {
    last_problem_ = std::string(KeEndingName(ending)) + (connection.detail().empty() ? "" : ": " + connection.detail());
  }
  failed_in_a_row_ = is_good ? 0 : failed_in_a_row_ + 1;
  slot.connection.reset();
  free_.push_back(index);
}

}  // namespace ntsd::load
