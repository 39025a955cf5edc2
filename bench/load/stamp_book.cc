#include "bench/load/stamp_book.h"

namespace ntsd::load {

void StampQuality::Merge(const StampQuality& other) {
  receive_error.Merge(other.receive_error);
  transmit_error.Merge(other.transmit_error);
  offset_error.Merge(other.offset_error);
  incomplete += other.incomplete;
  interleaved += other.interleaved;
}

std::uint16_t StampBook::Begin(std::uint32_t client) {
  const std::uint32_t number = next_++;
  Exchange& exchange = exchanges_[number % kExchangesMax];
  if (exchange.is_open) ++quality_.incomplete;
  exchange = {};
  exchange.is_open = true;
  exchange.client = client;
  return static_cast<std::uint16_t>(number % kExchangesMax);
}

void StampBook::Withdraw() { exchanges_[--next_ % kExchangesMax].is_open = false; }

void StampBook::Sent(std::uint32_t number, UnixTime departure) {
  // Too old to be in the ring any more?
  if (next_ - number > kExchangesMax) return;
  Exchange& exchange = exchanges_[number % kExchangesMax];
  exchange.departure = departure;
  Conclude(exchange);
}

void StampBook::Answered(std::uint16_t index, NtpTimestamp receive, NtpTimestamp transmit, UnixTime arrival,
                         bool interleaved) {
  Exchange& exchange = exchanges_[index % kExchangesMax];
  exchange.arrival = arrival;
  exchange.receive = receive;
  exchange.transmit = transmit;
  exchange.is_interleaved = interleaved;
  Conclude(exchange);
}

void StampBook::Conclude(Exchange& exchange) {
  if (!exchange.is_open || !exchange.departure || !exchange.arrival) return;
  exchange.is_open = false;
  const Duration there = exchange.receive.ToUnix(*exchange.departure) - *exchange.departure;
  quality_.receive_error.Record(there);
  Previous& previous = clients_[exchange.client];
  // The arrival that belongs to the transmit stamp, and the way there of the same exchange.
  const std::optional<UnixTime> arrival = exchange.is_interleaved ? previous.arrival : exchange.arrival;
  const std::optional<Duration> same_there = exchange.is_interleaved ? previous.there : there;
  if (exchange.is_interleaved) ++quality_.interleaved;
  if (arrival) {
    const Duration back = *arrival - exchange.transmit.ToUnix(*arrival);
    quality_.transmit_error.Record(back);
    if (same_there) quality_.offset_error.Record((*same_there - back) / 2);
  }
  previous = {there, exchange.arrival};
}

StampQuality StampBook::Finish() {
  for (const Exchange& exchange : exchanges_) quality_.incomplete += exchange.is_open ? 1 : 0;
  return quality_;
}

}  // namespace ntsd::load
