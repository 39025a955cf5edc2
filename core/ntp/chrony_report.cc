#include "core/ntp/chrony_report.h"

#include <algorithm>
#include <cmath>

namespace ntsd {
namespace {

constexpr std::uint8_t kProtocolVersion = 6;
constexpr std::uint8_t kRequestType = 1;
constexpr std::uint8_t kReplyType = 2;
constexpr std::uint16_t kTrackingCommand = 33;
constexpr std::uint16_t kTrackingReply = 5;
// In the high half of the seconds: the sender has 32-bit time.
constexpr std::uint32_t kNoHighSeconds = 0x7FFF'FFFF;
// Year 2200: past that, nanoseconds do not fit; no chronyd that is synchronized says so.
constexpr std::int64_t kSecondsMax = 7'258'118'400;

struct ReplyHeader {
  std::uint8_t version;
  std::uint8_t type;
  std::uint16_t command;
  std::uint16_t reply;
  std::uint16_t status;
  std::uint32_t sequence;
};

ReplyHeader ReadReplyHeader(ByteReader& reader) {
  ReplyHeader header{};
  header.version = reader.ReadU8();
  header.type = reader.ReadU8();
  reader.Skip(2);
  header.command = reader.ReadU16();
  header.reply = reader.ReadU16();
  header.status = reader.ReadU16();
  reader.Skip(6);
  header.sequence = reader.ReadU32();
  reader.Skip(8);
  return header;
}

// Nothing usable gives the start of 1970, which is what chronyd says when it was never synchronized.
UnixTime ReadTime(ByteReader& reader) {
  const std::uint32_t high = reader.ReadU32();
  const std::uint32_t low = reader.ReadU32();
  const std::uint32_t nanoseconds = reader.ReadU32();
  const std::uint64_t seconds = std::uint64_t{high == kNoHighSeconds ? 0 : high} << 32 | low;
  if (seconds > static_cast<std::uint64_t>(kSecondsMax) || nanoseconds >= 1'000'000'000) return UnixTime{};
  return UnixTime(std::chrono::seconds(static_cast<std::int64_t>(seconds)) + Duration(nanoseconds));
}

double ReadFloat(ByteReader& reader) { return ChronyFloat(reader.ReadU32()); }

}  // namespace

double ChronyFloat(std::uint32_t bits) {
  // Arithmetic shifts carry the signs of both parts.
  const std::int32_t exponent = static_cast<std::int32_t>(bits) >> 25;
  const std::int32_t coefficient = static_cast<std::int32_t>(bits << 7) >> 7;
  return std::ldexp(coefficient, exponent - 25);
}

Duration SecondsToDuration(double seconds) {
  constexpr double kLimit_s = 1e9;  // 30 years: as good as endless for an error, and sums of a few still fit
  return Duration(std::llround(std::clamp(seconds, -kLimit_s, kLimit_s) * 1e9));
}

std::array<std::uint8_t, kChronyTrackingSize> WriteChronyTrackingRequest(std::uint32_t sequence) {
  std::array<std::uint8_t, kChronyTrackingSize> request{};
  ByteWriter writer(request);
  writer.WriteU8(kProtocolVersion);
  writer.WriteU8(kRequestType);
  writer.WriteZeros(2);
  writer.WriteU16(kTrackingCommand);
  writer.WriteU16(0);  // attempt
  writer.WriteU32(sequence);
  return request;
}

Expected<ChronyTracking, ChronyReportFault> ParseChronyTracking(ByteView reply, std::uint32_t sequence) {
  ByteReader reader(reply);
  const ReplyHeader header = ReadReplyHeader(reader);
  if (!reader.ok() || header.type != kReplyType) return Unexpected(ChronyReportFault::kMalformed);
  if (header.sequence != sequence || header.command != kTrackingCommand) {
    return Unexpected(ChronyReportFault::kMismatched);
  }
  if (header.version != kProtocolVersion || header.status != 0) return Unexpected(ChronyReportFault::kRefused);
  if (header.reply != kTrackingReply) return Unexpected(ChronyReportFault::kMalformed);

  ChronyTracking tracking;
  tracking.reference_id = reader.ReadU32();
  reader.Skip(20);  // the address of the source, which clients learn by the reference id
  tracking.stratum = reader.ReadU16();
  tracking.leap = reader.ReadU16();
  tracking.reference_time = ReadTime(reader);
  tracking.correction = SecondsToDuration(ReadFloat(reader));
  reader.Skip(12);  // last offset, RMS offset, frequency
  tracking.residual_frequency_ppm = ReadFloat(reader);
  tracking.skew_ppm = ReadFloat(reader);
  tracking.root_delay = SecondsToDuration(ReadFloat(reader));
  tracking.root_dispersion = SecondsToDuration(ReadFloat(reader));
  reader.Skip(4);  // update interval
  if (!reader.ok()) return Unexpected(ChronyReportFault::kMalformed);
  return tracking;
}

}  // namespace ntsd
