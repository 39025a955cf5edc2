#include "ke/worker.h"

#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>

#include "core/base/check.h"
#include "ke/local_endpoint.h"

namespace ntsd::ke {

namespace {

constexpr std::size_t kEventsPerTurn = 64;
// Few at a time: others may be idle, and who is in goes before who is not.
constexpr std::size_t kAcceptsPerTurn = 16;
constexpr std::size_t kBacklogTurns = 256;
constexpr std::size_t kListenersMax = 64;  // one bit each
constexpr std::size_t kBufferSize = 16 * 1024;
// After the answer we wait this long for the client to close: had the kernel to close over octets that we have not
// read, it would send a reset, which destroys an answer still on its way.
constexpr Duration kLingerTime = std::chrono::seconds(1);
constexpr std::size_t kDiscardedSizeMax = 256 * 1024;
constexpr Duration kAcceptPause = std::chrono::milliseconds(100);
// Octets, or the end of what the client sends.
constexpr std::uint32_t kInput = EPOLLIN | EPOLLRDHUP;

// What an event is about: a slot and its generation, or one of these.
constexpr std::uint64_t kTagWake = ~std::uint64_t{0};
constexpr std::uint64_t kTagProbe = kTagWake - 1;
constexpr std::uint64_t kTagListener = std::uint64_t{1} << 63;

constexpr std::uint64_t TagOf(std::size_t index, std::uint32_t generation) {
  return (std::uint64_t{generation} & 0x7FFFFFFF) << 32 | index;
}

std::size_t TableSize(const std::vector<Settings>& settings) {
  std::size_t size = 0;
  for (const Settings& service : settings) size += service.max_connections;
  return size;
}

std::uint64_t Nanoseconds(const timespec& time) {
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(time.tv_nsec);
}

bool IsShortage(int error) { return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM; }

}  // namespace

// Every worker has room for all connections: the kernel gives them to whoever is idle, and the bound is a common one.
Worker::Worker(Shared& shared, std::size_t index)
    : shared_(shared),
      index_(index),
      random_(shared.options.make_random()),
      keys_(shared.keys),
      slots_(TableSize(shared.settings)),
      deadlines_(slots_.size(), shared.settings.size() * kQueueCount),
      states_(shared.settings.size()),
      lag_(shared.options.saturation),
      buffer_(kBufferSize) {
  CHECK(shared.listeners.size() <= kListenersMax);
  if (shared.options.guard != nullptr) guard_.emplace(*shared.options.guard);
  free_.reserve(slots_.size());
  for (std::size_t i = slots_.size(); i > 0; --i) free_.push_back(i - 1);
  epoll_fd_ = epoll_create1(EPOLL_CLOEXEC);
  wake_fd_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  CHECK(epoll_fd_ >= 0 && wake_fd_ >= 0);
  CHECK(Watch(wake_fd_, EPOLLIN, kTagWake) && Watch(lag_.fd(), EPOLLIN, kTagProbe));
  ListenAgain();
}

Worker::~Worker() {
  CutOff();
  close(wake_fd_);
  close(epoll_fd_);
}

void Worker::Run() {
  PrepareThread();
  std::array<epoll_event, kEventsPerTurn> events;
  // Ends: when the server says stop, or says drain and the last connection has gone.
  while (true) {
    const int count = epoll_wait(epoll_fd_, events.data(), static_cast<int>(events.size()), TimeoutMs());
    CHECK(count >= 0 || errno == EINTR);
    now_ = shared_.clock.Monotonic();
    TakeStates();
    std::uint64_t listeners_ready = 0;
    bool is_busy = false;
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      const std::uint64_t tag = event.data.u64;
      if (tag == kTagWake) {
        HandleWake();
      } else if (tag == kTagProbe) {
        lag_.See(now_);
      } else if ((tag & kTagListener) != 0) {
        listeners_ready |= std::uint64_t{1} << (tag & 63);
      } else if (const std::size_t index = tag & 0xFFFFFFFF; tag == TagOf(index, slots_[index].generation)) {
        is_busy = true;
        OnEvent(index, event.events);
      }
    }
    ExpireDue();
    // Last, so that finishing goes before beginning.
    for (std::size_t i = 0; i < shared_.listeners.size(); ++i) {
      if ((listeners_ready >> i & 1) != 0) Accept(shared_.listeners[i]);
    }
    lag_.Send(is_busy, now_);
    if (accept_again_.has_value() && *accept_again_ <= now_) ListenAgain();
    if (shared_.stopping.load()) break;
    if (draining_ && free_.size() == slots_.size()) break;
  }
  has_cpu_clock_.store(false);
  timespec used{};
  if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used) == 0) counters_.Add(kCpu_ns, Nanoseconds(used));
  shared_.running_workers.fetch_sub(1);
}

std::size_t Worker::CutOff() {
  std::size_t count = 0;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (slots_[i].state == Slot::State::kFree) continue;
    if (slots_[i].state == Slot::State::kOpen) {
      ends_.Add(static_cast<std::size_t>(ConnectionEnd::kShutdown));
      ++count;
    }
    Release(i);
  }
  return count;
}

void Worker::PrepareThread() {
  pthread_setname_np(pthread_self(), ("ntsd-ke-" + std::to_string(index_)).substr(0, 15).c_str());
  const ServerOptions& options = shared_.options;
  if (!options.cpus.empty()) {
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET(static_cast<unsigned>(options.cpus[index_ % options.cpus.size()]), &cpus);
    if (pthread_setaffinity_np(pthread_self(), sizeof(cpus), &cpus) != 0 && options.log) {
      options.log(LogLevel::kWarning, "an NTS-KE worker cannot be bound to its CPU; it runs anywhere");
    }
  }
  // On Linux, niceness belongs to the thread. That it cannot be lowered further is no reason to stop.
  if (options.niceness != 0) setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + options.niceness);
  if (pthread_getcpuclockid(pthread_self(), &cpu_clock_) == 0) has_cpu_clock_.store(true);
}

void Worker::Wake() { eventfd_write(wake_fd_, 1); }

void Worker::AddTo(Snapshot& snapshot) const {
  for (std::size_t i = 0; i < snapshot.ends.size(); ++i) snapshot.ends[i] += ends_.Read(i);
  for (std::size_t i = 0; i < snapshot.aeads.size(); ++i) snapshot.aeads[i] += aeads_.Read(i);
  for (std::size_t i = 0; i < snapshot.seconds_buckets.size(); ++i) snapshot.seconds_buckets[i] += seconds_.Read(i);
  snapshot.pool_answers += counters_.Read(kPoolAnswers);
  snapshot.accept_failures += counters_.Read(kAcceptFailures);
  snapshot.seconds_sum += static_cast<double>(counters_.Read(kSecondsSum_ns)) * 1e-9;
  timespec used{};
  // A thread that ends meanwhile has no such clock any more; its sum is in the counter then.
  const bool runs = has_cpu_clock_.load() && clock_gettime(cpu_clock_, &used) == 0;
  snapshot.cpu_seconds += static_cast<double>(runs ? Nanoseconds(used) : counters_.Read(kCpu_ns)) * 1e-9;
}

// False: the kernel has no memory left for one more.
bool Worker::Watch(int fd, std::uint32_t events, std::uint64_t tag) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = tag;
  return epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event) == 0;
}

int Worker::TimeoutMs() const {
  std::optional<MonotonicTime> next = deadlines_.Next();
  if (accept_again_.has_value() && (!next.has_value() || *accept_again_ < *next)) next = accept_again_;
  if (!next.has_value()) return -1;
  const Duration left = *next - shared_.clock.Monotonic();
  if (left <= Duration::zero()) return 0;
  // Rounded up: to wake before the deadline would mean to wake twice.
  return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(left).count());
}

void Worker::TakeStates() {
  const std::uint64_t generation = shared_.generation.load(std::memory_order_acquire);
  if (generation == generation_) return;
  generation_ = generation;
  const std::lock_guard lock(shared_.mutex);
  states_ = shared_.states;
}

void Worker::HandleWake() {
  eventfd_t value = 0;
  eventfd_read(wake_fd_, &value);
  if (shared_.draining.load() && !draining_) BeginDrain();
}

// What waits in the backlog has been accepted by the kernel in our name: it is served before the doors close.
void Worker::BeginDrain() {
  draining_ = true;
  // Ends: the kernel's backlog is bounded, and so is the number of turns that we give it.
  for (std::size_t turn = 0; turn < kBacklogTurns; ++turn) {
    for (const Listener& listener : shared_.listeners) Accept(listener);
  }
  StopListening();
  if (shared_.listening_workers.fetch_sub(1) == 1) {
    for (const Listener& listener : shared_.listeners) close(listener.fd);
  }
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (slots_[i].state != Slot::State::kOpen || !slots_[i].connection.IsKeptAlive()) continue;
    slots_[i].connection.Expire(ServicesOf(slots_[i]));
    Settle(i);
  }
}

void Worker::ExpireDue() {
  // Ends: each turn takes one deadline out, and those set here lie in the future.
  while (const std::optional<std::size_t> index = deadlines_.TakeDue(now_)) {
    Slot& slot = slots_[*index];
    if (slot.state == Slot::State::kLingering) {
      Release(*index);
    } else if (slot.connection.end().has_value()) {
      Finish(*index, ConnectionEnd::kResponseTimeout, false);
    } else {
      slot.connection.Expire(ServicesOf(slot));
      // What there is to say gets as long as it takes to linger.
      deadlines_.Set(*index, QueueOf(slot.service, kLinger), now_ + kLingerTime);
      Settle(*index);
    }
  }
}

Services Worker::ServicesOf(const Slot& slot) {
  const ServiceState& state = *states_[slot.service];
  const bool may_keep_alive = !draining_ && shared_.occupancy.HasRoomToKeep(slot.service);
  return {state.tls, state.policy, shared_.aead, keys_, *random_, may_keep_alive};
}

// --- Letting clients in ---

void Worker::Accept(const Listener& listener) {
  std::array<int, kAcceptsPerTurn> fds;
  std::array<IpAddress, kAcceptsPerTurn> peers;
  std::array<GuardReason, kAcceptsPerTurn> reasons;
  std::size_t count = 0;
  int error = 0;
  // Ends: a client that has gone already uses up a turn as well.
  for (std::size_t turn = 0; turn < kAcceptsPerTurn; ++turn) {
    sockaddr_storage address{};
    socklen_t size = sizeof(address);
    fds[count] = accept4(listener.fd, reinterpret_cast<sockaddr*>(&address), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fds[count] >= 0) {
      peers[count++] = ReadSocketAddress(&address, size).value_or(IpEndpoint{}).address;
    } else if (error = errno; error == EAGAIN || IsShortage(error)) {
      break;
    }
  }
  std::fill_n(reasons.begin(), count, GuardReason::kWithinRate);
  if (guard_.has_value()) {
    guard_->Decide(std::span(peers).first(count), now_, *random_, std::span(reasons).first(count));
  }
  for (std::size_t i = 0; i < count; ++i) {
    if (const std::optional<ConnectionEnd> refusal = Refuse(listener.service, peers[i], reasons[i])) {
      ends_.Add(static_cast<std::size_t>(*refusal));
      close(fds[i]);
    } else {
      Open(fds[i], listener.service, peers[i]);
    }
  }
  if (IsShortage(error)) PauseAccepting();
}

// Nothing: the client is let in, and has been counted.
std::optional<ConnectionEnd> Worker::Refuse(std::size_t service, const IpAddress& peer, GuardReason reason) {
  if (reason == GuardReason::kDeniedByAccess) return ConnectionEnd::kDenied;
  if (ActionOf(reason) != GuardAction::kServe) return ConnectionEnd::kRateLimited;
  if (lag_.IsSaturated()) return ConnectionEnd::kSaturated;
  // Who has had its answer and only has not closed yet makes room for who has not.
  const std::optional<std::size_t> lingering = deadlines_.First(QueueOf(service, kLinger));
  if (lingering.has_value() && shared_.occupancy.IsFull(service) &&
      slots_[*lingering].state == Slot::State::kLingering) {
    Release(*lingering);
  }
  return shared_.occupancy.Enter(service, peer);
}

// Without a descriptor or memory for one more, the listener would stay ready and the loop would spin.
void Worker::PauseAccepting() {
  counters_.Add(kAcceptFailures);
  if (!listening_ || draining_) return;
  StopListening();
  accept_again_ = now_ + kAcceptPause;
}

void Worker::StopListening() {
  accept_again_.reset();
  if (!listening_) return;
  listening_ = false;
  for (const Listener& listener : shared_.listeners) epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, listener.fd, nullptr);
}

void Worker::ListenAgain() {
  accept_again_.reset();
  listening_ = true;
  for (std::size_t i = 0; i < shared_.listeners.size(); ++i) {
    // Exclusive: one client wakes one idle worker.
    if (!Watch(shared_.listeners[i].fd, EPOLLIN | EPOLLEXCLUSIVE, kTagListener | i)) return PauseAccepting();
  }
}

// --- One connection ---

void Worker::Open(int fd, std::size_t service, const IpAddress& peer) {
  const std::size_t index = free_.back();
  free_.pop_back();
  Slot& slot = slots_[index];
  slot.state = Slot::State::kOpen;
  slot.fd = fd;
  slot.service = service;
  slot.peer = peer;
  slot.accepted = now_;
  const std::optional<IpEndpoint> local = LocalEndpoint(fd);
  slot.connection.Open(local.has_value() ? std::optional(local->address) : std::nullopt);
  if (!Watch(fd, kInput, TagOf(index, slot.generation))) return Finish(index, ConnectionEnd::kTableFull, false);
  deadlines_.Set(index, QueueOf(service, kExchange), now_ + shared_.settings[service].timeout);
}

void Worker::OnEvent(std::size_t index, std::uint32_t events) {
  Slot& slot = slots_[index];
  if (slot.state == Slot::State::kLingering) return Discard(index, events);
  if ((events & EPOLLIN) != 0) return OnInput(index);
  if ((events & (EPOLLERR | EPOLLHUP)) != 0) return Finish(index, ConnectionEnd::kReset, false);
  Settle(index);
}

void Worker::OnInput(std::size_t index) {
  Slot& slot = slots_[index];
  const ssize_t size = recv(slot.fd, buffer_.data(), buffer_.size(), 0);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return Settle(index);
  if (size < 0) return Finish(index, ConnectionEnd::kReset, false);
  if (size == 0) {
    slot.peer_closed = true;
    slot.connection.AdvanceToEnd(ServicesOf(slot));
  } else {
    slot.connection.Advance(ByteView(buffer_).first(static_cast<std::size_t>(size)), ServicesOf(slot));
  }
  Settle(index);
}

// Does what the connection wants: sends, finishes, or waits.
void Worker::Settle(std::size_t index) {
  Slot& slot = slots_[index];
  const bool had_output = !slot.connection.outgoing().empty();
  if (!Flush(index)) return Finish(index, ConnectionEnd::kReset, false);
  const bool is_flushed = slot.connection.outgoing().empty();
  if (!is_flushed || slot.polls_output) PollOutput(index, !is_flushed);
  if (!is_flushed) return;
  NoteAnswers(index);
  const std::optional<ConnectionEnd> end = slot.connection.end();
  if (end.has_value()) Finish(index, *end, had_output);
}

// False: the connection is broken.
bool Worker::Flush(std::size_t index) {
  Slot& slot = slots_[index];
  // The last octets wait for the end of the stream, which Finish() sends at once: one segment tells both.
  const int flags = MSG_NOSIGNAL | (slot.connection.end().has_value() ? MSG_MORE : 0);
  // Ends: each turn sends something, or leaves.
  while (!slot.connection.outgoing().empty()) {
    const ByteView octets = slot.connection.outgoing();
    const ssize_t size = send(slot.fd, octets.data(), octets.size(), flags);
    if (size < 0) return errno == EAGAIN || errno == EINTR;
    slot.connection.Sent(static_cast<std::size_t>(size));
  }
  return true;
}

// A client that does not take what it is owed is not listened to: its next request would only make the pile grow. End
// of stream stays readable for ever, so after it there is nothing to listen for.
void Worker::PollOutput(std::size_t index, bool wanted) {
  Slot& slot = slots_[index];
  epoll_event event{};
  event.data.u64 = TagOf(index, slot.generation);
  if (wanted || !slot.peer_closed) event.events = wanted ? EPOLLOUT : kInput;
  slot.polls_output = wanted;
  CHECK(epoll_ctl(epoll_fd_, EPOLL_CTL_MOD, slot.fd, &event) == 0);
}

// Counts the answers that have gone out since the last time, and gives a pool's connection its time to ask again.
void Worker::NoteAnswers(std::size_t index) {
  Slot& slot = slots_[index];
  const Connection::Tally tally = slot.connection.TakeTally();
  if (tally.answers == 0) return;
  for (std::size_t i = 0; i < tally.grants.size(); ++i) aeads_.Add(i, tally.grants[i]);
  if (!std::exchange(slot.answered, true)) ObserveSeconds(shared_.clock.Monotonic() - slot.accepted);
  if (!slot.connection.IsKeptAlive()) return;
  counters_.Add(kPoolAnswers, tally.answers);
  if (!std::exchange(slot.kept_alive, true)) shared_.occupancy.Keep(slot.service);
  const Duration idle = shared_.settings[slot.service].kept_alive_timeout;
  deadlines_.Set(index, QueueOf(slot.service, kKeptAlive), now_ + idle);
}

void Worker::ObserveSeconds(Duration elapsed) {
  const double seconds = std::chrono::duration<double>(elapsed).count();
  const auto* const bucket = std::lower_bound(kSecondsBounds.begin(), kSecondsBounds.end(), seconds);
  seconds_.Add(static_cast<std::size_t>(bucket - kSecondsBounds.begin()));
  counters_.Add(kSecondsSum_ns, static_cast<std::uint64_t>(elapsed.count()));
}

void Worker::Finish(std::size_t index, ConnectionEnd end, bool linger) {
  Slot& slot = slots_[index];
  ends_.Add(static_cast<std::size_t>(end));
  if (!linger || slot.peer_closed || shutdown(slot.fd, SHUT_WR) != 0) return Release(index);
  slot.connection.Close();
  slot.state = Slot::State::kLingering;
  if (slot.polls_output) PollOutput(index, false);
  deadlines_.Set(index, QueueOf(slot.service, kLinger), now_ + kLingerTime);
}

void Worker::Discard(std::size_t index, std::uint32_t events) {
  Slot& slot = slots_[index];
  const ssize_t size = recv(slot.fd, buffer_.data(), buffer_.size(), 0);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (size > 0) slot.discarded_size += static_cast<std::size_t>(size);
  // When the end had come before we read and there was room for more, nothing is left that a reset could follow.
  const bool is_drained = (events & EPOLLRDHUP) != 0 && size < static_cast<ssize_t>(buffer_.size());
  if (size <= 0 || is_drained || slot.discarded_size > kDiscardedSizeMax) Release(index);
}

void Worker::Release(std::size_t index) {
  Slot& slot = slots_[index];
  deadlines_.Remove(index);
  close(slot.fd);
  if (slot.kept_alive) shared_.occupancy.StopKeeping(slot.service);
  shared_.occupancy.Leave(slot.service, slot.peer);
  const std::uint32_t generation = slot.generation + 1;
  slot = Slot();
  slot.generation = generation;
  free_.push_back(index);
}

}  // namespace ntsd::ke
