// The second step of a batch: stamp, seal, count.
#include <algorithm>
#include <bit>

#include "core/base/check.h"
#include "core/base/fixed_vector.h"
#include "core/nts/responder.h"
#include "core/nts/responder_work.h"

namespace ntsd {

std::size_t ResponderCounters::ServiceBucket(Duration service) {
  if (service.count() <= 0) return 0;
  const auto microseconds = (static_cast<std::uint64_t>(service.count()) + 999) / 1000;
  return std::min<std::size_t>(static_cast<std::size_t>(std::bit_width(microseconds - 1)), kServiceBucketCount - 1);
}

void Responder::Finish(std::span<Exchange> group) {
  CHECK(group.size() <= kSendGroupSizeMax);
  FixedVector<SealJob, kSendGroupSizeMax> jobs;
  FixedVector<Work*, kSendGroupSizeMax> sealed;
  MonotonicTime now;
  UnixTime wall;
  // A pause between the two readings looks like a step of the clock; only what stays is one.
  for (int attempt = 0; attempt < 3; ++attempt) {
    now = clock_.Monotonic();
    wall = clock_.Now();
    if ((*headers_)[0].state.IsOneEpoch(wall, wall, now)) break;
  }
  BeginGroup(group, wall, now);
  for (Exchange& exchange : group) {
    Work& work = (*works_)[exchange.slot];
    if (work.reply_size == 0) continue;
    const HeaderTemplate& shared = TemplateFor(exchange);
    if (!shared.state.IsOneEpoch(exchange.received, wall, now)) {
      exchange.reason = Reason::kClockStepped;
    } else {
      const NtpTimestamp transmit = TransmitOf(exchange, work);
      ByteWriter(exchange.reply.subspan<kNtpTransmitOffset, sizeof(transmit)>()).WriteU64(transmit.bits);
      exchange.reply_size = work.reply_size;
    }
    CountAnswer(exchange, wall);
    work.reply_size = 0;
    if (!work.is_sealed) continue;
    const std::size_t plaintext_size = work.sealed.size() - kAeadTagSize;
    jobs.push_back({.aead = work.keys.aead,
                    .key = {.raw = work.keys.s2c.data()},
                    .associated_data = exchange.reply.first(work.associated_size),
                    .nonce = work.nonce,
                    .plaintext = work.sealed.subspan(AeadPlaintextOffset(work.keys.aead), plaintext_size),
                    .sealed = work.sealed.data()});
    sealed.push_back(&work);
  }
  if (jobs.size() == 0) return;
  aead_.Seal(jobs.span());
  for (Work* const work : sealed.span()) {
    Wipe(work->keys.c2s);
    Wipe(work->keys.s2c);
  }
}

void Responder::BeginGroup(std::span<const Exchange> group, UnixTime wall, MonotonicTime now) {
  std::size_t answer_count = 0;
  bool is_sealed = false;
  for (const Exchange& exchange : group) {
    const Work& work = (*works_)[exchange.slot];
    if (work.reply_size == 0) continue;
    ++answer_count;
    is_sealed = is_sealed || work.is_sealed;
  }
  if (answer_count > 0) stamper_.Begin(wall, now, (*headers_)[0].state.clock_epoch, answer_count, is_sealed);
}

// When the answer leaves; or, in interleaved mode, when the one before did.
NtpTimestamp Responder::TransmitOf(Exchange& exchange, Work& work) {
  const HeaderTemplate& shared = TemplateFor(exchange);
  const auto remembered = work.is_remembered ? std::optional(work.receive) : std::nullopt;
  const TransmitStamper::Stamp stamp = stamper_.Next(work.transmit_noise >> 16, remembered, shared.state.smeared);
  exchange.sample = stamp.sample;
  NtpTimestamp transmit = InterleavedStore::MarkTransmit(shared.Stamp(stamp.departure, work.transmit_noise));
  // Noise may not turn them round. Receive timestamps are odd, so this is no other's.
  if (static_cast<std::int64_t>(transmit.bits - work.receive.bits) <= 0) {
    transmit = InterleavedStore::MarkTransmit({work.receive.bits + 1});
  }
  if (work.is_remembered && departures_->Save(work.receive, transmit, ContextOf(exchange))) {
    counters_.interleaved.Add(ResponderCounters::kRemembered);
  }
  return work.interleaved.value_or(transmit);
}

void Responder::Learn(std::span<const Departure> departures) {
  for (const Departure& departure : departures) {
    const auto measured = stamper_.Learn(departure.sample, departure.left);
    if (!measured) continue;
    const HeaderTemplate& shared = (*headers_)[measured->context.is_smeared ? 1 : 0];
    // Without noise: the client shall have it as the kernel told it.
    departures_->Improve(measured->receive, NtpTimestamp::FromUnix(shared.state.ServedTime(departure.left)),
                         measured->context);
  }
}

void Responder::CountAnswer(const Exchange& exchange, UnixTime transmitted) {
  counters_.reasons.Add(static_cast<std::size_t>(exchange.reason));
  if (exchange.reply_size == 0) return;
  counters_.octets.Add(ResponderCounters::kOctetsOut, exchange.reply_size);
  if (exchange.reply_size > exchange.request.size()) counters_.octets.Add(ResponderCounters::kAmplified);
  const Duration service = transmitted - exchange.received;
  counters_.service.Add(ResponderCounters::ServiceBucket(service));
  counters_.service_ns.Add(0, service.count() > 0 ? static_cast<std::uint64_t>(service.count()) : 0);
}

}  // namespace ntsd
