#include "core/nts/record.h"

namespace ntsd {

namespace {

constexpr std::uint16_t kCriticalBit = 0x8000;

}  // namespace

std::optional<KeRecord> KeRecordReader::Next() {
  if (reader_.remaining() == 0) return std::nullopt;
  const std::uint16_t head = reader_.ReadU16();
  const std::uint16_t body_size = reader_.ReadU16();
  const ByteView body = reader_.ReadBytes(body_size);
  if (!reader_.ok()) return std::nullopt;
  return KeRecord{
      .critical = (head & kCriticalBit) != 0, .type = static_cast<KeRecordType>(head & ~kCriticalBit), .body = body};
}

void WriteKeRecord(ByteWriter& writer, bool critical, KeRecordType type, ByteView body) {
  const auto number = static_cast<std::uint16_t>(type);
  writer.WriteU16(critical ? static_cast<std::uint16_t>(number | kCriticalBit) : number);
  writer.WriteU16(static_cast<std::uint16_t>(body.size()));
  writer.WriteBytes(body);
}

void WriteKeRecord(ByteWriter& writer, bool critical, KeRecordType type, std::uint16_t value) {
  const std::array<std::uint8_t, 2> body{static_cast<std::uint8_t>(value >> 8), static_cast<std::uint8_t>(value)};
  WriteKeRecord(writer, critical, type, body);
}

KeMessage::State KeMessage::Append(ByteView octets) {
  if (state_ == State::kTooLarge) return state_;
  if (octets.size() > size_max_ - octets_.size()) return state_ = State::kTooLarge;
  octets_.reserve(size_max_);  // growing would leave copies behind that nobody wipes
  octets_.insert(octets_.end(), octets.begin(), octets.end());
  // Ends: every turn moves the start on by at least a record header, and octets_ is bounded.
  while (state_ == State::kIncomplete && octets_.size() - record_start_ >= kKeRecordHeaderSize) {
    ByteReader header(ByteView(octets_).subspan(record_start_));
    const auto type = static_cast<KeRecordType>(header.ReadU16() & ~kCriticalBit);
    const std::size_t record_size = kKeRecordHeaderSize + header.ReadU16();
    if (record_size > size_max_ - record_start_) return state_ = State::kTooLarge;
    if (record_size > octets_.size() - record_start_) break;
    record_start_ += record_size;
    if (type == KeRecordType::kEndOfMessage) state_ = State::kComplete;
  }
  return state_;
}

void KeMessage::Clear() {
  Wipe(octets_);
  octets_.clear();
  record_start_ = 0;
  state_ = State::kIncomplete;
}

}  // namespace ntsd
