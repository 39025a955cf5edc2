#include "bench/load/ntp_worker.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>

#include "bench/load/cpu_meter.h"
#include "bench/load/share.h"
#include "bench/load/thread_place.h"

namespace ntsd::load {
namespace {

// Nearer than this the next request is awaited by looking at the clock, since waking up takes tens of microseconds.
constexpr Duration kSpin = std::chrono::microseconds(100);
constexpr Duration kWakeUp = std::chrono::microseconds(60);
constexpr Duration kWaitMax = std::chrono::milliseconds(20);
// Places for requests on their way.
constexpr std::size_t kFlightsMin = std::size_t{1} << 12;
constexpr std::size_t kFlightsMax = std::size_t{1} << 20;
// What a load thread may reach when it is told to go as fast as it can.
constexpr double kRateExpected = 2e6;
// A client that has run out of cookies is passed over; after so many the request is not made.
constexpr std::size_t kClientsTriedMax = 16;

std::size_t FlightCount(const NtpSettings& settings) {
  if (settings.window) return std::clamp(std::bit_ceil(*settings.window * 2), kFlightsMin, kFlightsMax);
  const double rate = settings.rate.value_or(kRateExpected) / static_cast<double>(settings.thread_count);
  const double seconds = std::chrono::duration<double>(settings.timeout).count() * 1.25;
  const double count = std::min(rate * seconds, static_cast<double>(kFlightsMax));
  return std::clamp(std::bit_ceil(static_cast<std::size_t>(count) + 1), kFlightsMin, kFlightsMax);
}

RequestShape ShapeOf(const NtpSettings& settings) {
  return {.version = settings.version,
          .is_nts = !settings.is_plain,
          .is_interleaved = settings.is_interleaved,
          .spends_cookies = settings.has_fresh_cookies,
          .placeholders = settings.placeholders};
}

JudgeSettings JudgeSettingsOf(const NtpSettings& settings) {
  return {.shape = ShapeOf(settings),
          .is_echo = settings.is_echo,
          .verify_every = settings.verify_every,
          .timeout = settings.timeout};
}

}  // namespace

NtpWorker::NtpWorker(const NtpSettings& settings, std::span<Client> clients, std::size_t index)
    : settings_(settings),
      index_(index),
      clients_(clients),
      aead_(*SelectAead()),
      flights_(FlightCount(settings), random_.NextU64()),
      stamps_(settings.stamp_every == 0 ? nullptr : std::make_unique<StampBook>(clients.size())),
      builder_(ShapeOf(settings), flights_, aead_, random_),
      judge_(JudgeSettingsOf(settings), flights_, clients, stamps_.get(), aead_) {
  const auto threads = static_cast<double>(settings.thread_count);
  if (settings.window) {
    window_ = std::max<std::size_t>(1, *settings.window / settings.thread_count);
  } else if (settings.rate) {
    arrivals_.emplace(settings.arrivals, *settings.rate / threads, static_cast<double>(index) / threads, random_);
  }
}

Expected<std::unique_ptr<NtpWorker>, std::string> NtpWorker::Make(const NtpSettings& settings, const IpEndpoint& server,
                                                                  std::span<Client> clients, std::size_t index) {
  std::unique_ptr<NtpWorker> worker(new NtpWorker(settings, clients, index));
  UdpChannelOptions options{.server = server,
                            .socket_count = settings.socket_count,
                            .sources = settings.sources,
                            .segments = settings.segments,
                            .has_stamps = settings.stamp_every != 0};
  // Each thread begins with another source address.
  if (!options.sources.empty()) {
    const std::size_t shift = index * settings.socket_count % options.sources.size();
    std::rotate(options.sources.begin(), options.sources.begin() + static_cast<std::ptrdiff_t>(shift),
                options.sources.end());
  }
  Expected<std::unique_ptr<UdpChannel>, std::string> channel = UdpChannel::Open(options);
  if (!channel) return Unexpected(std::move(channel.error()));
  worker->channel_ = *std::move(channel);
  return worker;
}

std::int64_t NtpWorker::Now() const {
  return std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now() - start_).count();
}

void NtpWorker::Run(MonotonicTime start, const std::atomic<bool>& stop) {
  start_ = start;
  PlaceThread(settings_.cpus, index_);
  SleepUntil(start);
  const Duration cpu_before = ThreadCpuTime();
  // Ends: with the run.
  while (!stop.load(std::memory_order_relaxed)) {
    const std::int64_t now = Now();
    if (now >= settings_.length.count()) break;
    const std::size_t sent = SendDue(now);
    ReceiveBatch(sent > 0 ? Duration(0) : TimeToWait(now));
  }
  totals_.cpu = ThreadCpuTime() - cpu_before;
  Finish();
}

bool NtpWorker::IsDue(std::int64_t now) const {
  if (window_) return flights_.open_count() < *window_;
  return !arrivals_ || arrivals_->next().count() <= now;
}

std::size_t NtpWorker::SendDue(std::int64_t now) {
  if (window_) flights_.GiveUp(now - settings_.timeout.count());
  builder_.Clear();
  composed_count_ = 0;
  std::size_t taken = 0;
  for (; taken < kBatchSizeMax && IsDue(now); ++taken) {
    Compose(arrivals_ ? arrivals_->next().count() : now);
    if (arrivals_) arrivals_->Advance();
  }
  totals_.due += taken;
  if (composed_count_ > 0) SendComposed();
  return taken;
}

void NtpWorker::Compose(std::int64_t intended_ns) {
  Flight& flight = flights_.Begin();
  flight.intended_ns = intended_ns;
  const RequestKind kind = PickKind();
  const std::size_t tries = std::min(clients_.size(), kClientsTriedMax);
  for (std::size_t i = 0; i < tries; ++i) {
    flight.client = static_cast<std::uint32_t>(next_client_);
    next_client_ = next_client_ + 1 == clients_.size() ? 0 : next_client_ + 1;
    if (!builder_.Add(kind, clients_[flight.client], flight)) continue;
    composed_[composed_count_++] = &flight;
    return;
  }
  ++totals_.starved;
  flights_.Withdraw(flight);
}

RequestKind NtpWorker::PickKind() {
  if (settings_.forged == 0 && settings_.stale == 0 && settings_.garbage == 0) return RequestKind::kGood;
  const double dice = RandomShare(random_);
  if (dice < settings_.forged) return RequestKind::kForged;
  if (dice < settings_.forged + settings_.stale) return RequestKind::kStale;
  if (dice < settings_.forged + settings_.stale + settings_.garbage) return RequestKind::kGarbage;
  return RequestKind::kGood;
}

bool NtpWorker::WantsStamp(const Flight& flight) const {
  if (stamps_ == nullptr || flight.kind != RequestKind::kGood) return false;
  // An interleaved answer speaks of the one before, so all of a client's exchanges are stamped, or none.
  return (settings_.is_interleaved ? flight.client : flight.number) % settings_.stamp_every == 0;
}

void NtpWorker::SendComposed() {
  builder_.Seal();
  const std::int64_t now = Now();
  std::array<ByteView, kBatchSizeMax> plain;
  std::array<Flight*, kBatchSizeMax> plain_flights;
  std::size_t count = 0;
  for (std::size_t i = 0; i < composed_count_; ++i) {
    Flight& flight = *composed_[i];
    const Duration lag(std::max<std::int64_t>(0, now - flight.intended_ns));
    flight.lag_ns = static_cast<std::uint32_t>(std::min<std::int64_t>(lag.count(), UINT32_MAX));
    totals_.send_lag.Record(lag);
    if (WantsStamp(flight)) {
      SendStamped(i);
    } else {
      plain[count] = builder_.datagrams()[i];
      plain_flights[count++] = &flight;
    }
  }
  const std::uint64_t sent = channel_->Send(std::span(plain).first(count));
  for (std::size_t i = 0; i < count; ++i) {
    if ((sent >> i & 1) != 0) {
      NoteSent(*plain_flights[i]);
    } else {
      flights_.Withdraw(*plain_flights[i]);
    }
  }
}

void NtpWorker::SendStamped(std::size_t index) {
  Flight& flight = *composed_[index];
  flight.stamp = stamps_->Begin(flight.client);
  if (!channel_->SendStamped(builder_.datagrams()[index])) {
    stamps_->Withdraw();
    flights_.Withdraw(flight);
    return;
  }
  NoteSent(flight);
  channel_->ReadDepartures([this](std::uint32_t number, UnixTime departure) { stamps_->Sent(number, departure); });
}

void NtpWorker::NoteSent(Flight& flight) {
  judge_.totals().outcomes.Sent(flight.kind);
  // Nobody waits for an answer to garbage.
  if (flight.kind == RequestKind::kGarbage) flights_.Withdraw(flight);
  live_.Add(static_cast<std::size_t>(Live::kSent));
}

std::size_t NtpWorker::ReceiveBatch(Duration wait) {
  const std::span<Arrival> arrivals = channel_->Receive(wait);
  if (arrivals.empty()) return 0;
  const std::int64_t now = Now();
  for (Arrival& arrival : arrivals) arrival.received_ns = now;
  const Outcomes& outcomes = judge_.totals().outcomes;
  const std::uint64_t before = outcomes.unexpected();
  judge_.Judge(arrivals);
  live_.Add(static_cast<std::size_t>(Live::kAnswered), arrivals.size());
  live_.Add(static_cast<std::size_t>(Live::kUnexpected), outcomes.unexpected() - before);
  return arrivals.size();
}

Duration NtpWorker::TimeToWait(std::int64_t now) const {
  const Duration left = settings_.length - Duration(now);
  if (!arrivals_) return std::clamp(left, Duration(0), kWaitMax);
  const Duration until_next = arrivals_->next() - Duration(now);
  if (until_next < kSpin) return Duration(0);
  return std::clamp(std::min(until_next, left) - kWakeUp, Duration(0), kWaitMax);
}

void NtpWorker::Finish() {
  const std::int64_t end = Now() + settings_.timeout.count();
  // Ends: at the latest when the last request's time is up.
  while (flights_.open_count() > 0 && Now() < end) {
    ReceiveBatch(std::chrono::milliseconds(5));
    flights_.GiveUp(Now() - settings_.timeout.count());
  }
  if (stamps_ != nullptr) {
    channel_->ReadDepartures([this](std::uint32_t number, UnixTime departure) { stamps_->Sent(number, departure); });
    totals_.stamps = stamps_->Finish();
  }
  totals_.answers = judge_.totals();
  totals_.channel = channel_->counts();
}

}  // namespace ntsd::load
