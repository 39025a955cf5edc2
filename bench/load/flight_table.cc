#include "bench/load/flight_table.h"

#include <bit>

#include "core/base/check.h"

namespace ntsd::load {
namespace {

// A bijection of 64 bits: two rounds of multiply and fold. Each step has an inverse.
constexpr std::uint64_t kFactor = 0x9E3779B97F4A7C15;

// Newton's iteration doubles the right bits of an inverse modulo 2^64 each time.
constexpr std::uint64_t InverseOf(std::uint64_t odd) {
  std::uint64_t inverse = odd;
  for (int i = 0; i < 6; ++i) inverse *= 2 - odd * inverse;
  return inverse;
}
constexpr std::uint64_t kInverse = InverseOf(kFactor);
static_assert(kFactor * kInverse == 1);

constexpr std::uint64_t Fold(std::uint64_t value) { return value ^ value >> 32; }

}  // namespace

FlightTable::FlightTable(std::size_t capacity, std::uint64_t secret) : flights_(capacity), secret_(secret) {
  CHECK(std::has_single_bit(capacity));
}

NtpTimestamp FlightTable::Encode(std::uint64_t value) const {
  return {Fold(Fold(Fold(value ^ secret_) * kFactor) * kFactor)};
}

std::uint64_t FlightTable::Decode(NtpTimestamp stamp) const {
  return Fold(Fold(Fold(stamp.bits) * kInverse) * kInverse) ^ secret_;
}

Flight& FlightTable::Begin() {
  // Of all numbers one has the transmit timestamp zero, and one the receive timestamp zero.
  while (Encode(next_ << 1).IsUnknown() || Encode(next_ << 1 | 1).IsUnknown()) ++next_;
  Flight& flight = At(next_);
  if (flight.state == FlightState::kOpen) --open_count_;
  flight = {};
  flight.number = next_++;
  flight.state = FlightState::kOpen;
  ++open_count_;
  return flight;
}

FlightTable::Match FlightTable::Find(NtpTimestamp origin) {
  const std::uint64_t value = Decode(origin);
  const std::uint64_t number = value >> 1;
  if (number == 0 || number >= next_) return {};
  const bool is_interleaved = (value & 1) != 0;
  Flight& flight = At(number);
  if (flight.number != number) return {Found::kTooOld, nullptr, is_interleaved};
  return {Found::kFlight, &flight, is_interleaved};
}

void FlightTable::Close(Flight& flight, FlightState state) {
  if (flight.state == FlightState::kOpen) --open_count_;
  flight.state = state;
}

void FlightTable::GiveUp(std::int64_t before_ns) {
  // Ends: at the first open request that is young enough, or at the last one.
  for (; oldest_ < next_; ++oldest_) {
    Flight& flight = At(oldest_);
    if (flight.number != oldest_ || flight.state != FlightState::kOpen) continue;
    if (flight.intended_ns >= before_ns) return;
    Close(flight, FlightState::kGivenUp);
  }
}

}  // namespace ntsd::load
