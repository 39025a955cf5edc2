#include "bench/load/request_builder.h"

#include <algorithm>

#include "core/base/check.h"
#include "core/ntp/extension_field.h"
#include "core/ntp/header.h"
#include "core/nts/client.h"

namespace ntsd::load {
namespace {

constexpr std::size_t kCookiesWanted = kCookiesPerReplyMax;

// Changes a cookie that has just been written, so that it is refused.
void Spoil(RequestKind kind, ByteSpan cookie, Random& random) {
  const std::size_t id_size = std::min(kCookieKeyIdSize, cookie.size());
  if (kind == RequestKind::kForged) random.Fill(cookie.subspan(id_size));
  if (kind == RequestKind::kStale) {
    for (std::uint8_t& octet : cookie.first(id_size)) octet ^= 0xA5;
  }
}

}  // namespace

RequestBuilder::RequestBuilder(const RequestShape& shape, const FlightTable& flights, const Aead& aead, Random& random)
    : shape_(shape), flights_(flights), aead_(aead), random_(random), buffers_(kBatchSizeMax) {}

void RequestBuilder::Clear() {
  count_ = 0;
  job_count_ = 0;
}

bool RequestBuilder::Add(RequestKind kind, Client& client, Flight& flight) {
  CHECK(!IsFull());
  ByteWriter writer(buffers_[count_]);
  flight.kind = kind;
  if (kind == RequestKind::kGarbage) {
    WriteGarbage(writer);
  } else {
    WriteHeader(client, flight, writer);
    if (shape_.is_nts && !WriteFields(kind, client, flight, writer)) return false;
  }
  flight.size = static_cast<std::uint16_t>(writer.size());
  datagrams_[count_++] = writer.written();
  return true;
}

void RequestBuilder::Seal() { aead_.Seal(std::span(jobs_).first(job_count_)); }

void RequestBuilder::WriteHeader(const Client& client, const Flight& flight, ByteWriter& writer) const {
  NtpHeader header;
  header.version = shape_.version;
  header.transmit = flights_.TransmitOf(flight);
  if (shape_.is_interleaved && !client.server_receive.IsUnknown()) {
    // RFC 9769 §2: the origin names the answer whose departure we ask for; an interleaved answer to this request has
    // our receive timestamp as its origin.
    header.origin = client.server_receive;
    header.receive = flights_.ReceiveOf(flight);
  }
  header.Write(writer);
}

bool RequestBuilder::WriteFields(RequestKind kind, Client& client, Flight& flight, ByteWriter& writer) {
  // A request that is to be refused brings no new cookie, so it may not cost one either.
  const bool spends = shape_.spends_cookies && kind == RequestKind::kGood;
  const CookieJar::Cookie* const cookie = spends ? client.cookies.Spend() : client.cookies.Reuse();
  if (cookie == nullptr) return false;
  flight.from_answer = cookie->from_answer;
  random_.Fill(flight.unique_id);
  WriteExtensionFieldHeader(writer, ExtensionFieldType::kUniqueIdentifier, flight.unique_id.size());
  writer.WriteBytes(flight.unique_id);
  WriteExtensionFieldHeader(writer, ExtensionFieldType::kNtsCookie, cookie->size);
  const ByteSpan written = writer.Reserve(cookie->size);
  const std::size_t missing = kCookiesWanted - 1 - std::min(client.cookies.count(), kCookiesWanted - 1);
  for (std::size_t i = 0; i < shape_.placeholders.value_or(spends ? missing : 0); ++i) {
    WriteExtensionFieldHeader(writer, ExtensionFieldType::kNtsCookiePlaceholder, cookie->size);
    writer.WriteZeros(cookie->size);
  }
  constexpr std::size_t kAuthenticatorSizeMax = 8 + kAeadNonceSizeMax + kAeadTagSize;
  if (writer.remaining() < kAuthenticatorSizeMax) return false;
  std::copy_n(cookie->octets.begin(), cookie->size, written.begin());
  Spoil(kind, written, random_);
  jobs_[job_count_++] = WriteAuthenticator(client.keys, random_, writer);
  return true;
}

// Octets that no server may answer, each in one of the ways in which a datagram can be wrong.
void RequestBuilder::WriteGarbage(ByteWriter& writer) {
  const std::uint64_t dice = random_.NextU64();
  const bool is_short = dice % 4 == 0;
  // Multiples of 4, so that the length alone gives nothing away.
  const std::size_t size = is_short ? 4 + (dice >> 8) % 40 : kNtpHeaderSize + (dice >> 8) % 64 * 4;
  const ByteSpan octets = writer.Reserve(size);
  random_.Fill(octets);
  constexpr std::uint8_t kVersion4Client = 4 << 3 | 3;
  switch (dice % 4) {
    case 1:
      octets[0] = 4 << 3 | 4;  // an answer
      break;
    case 2:
      octets[0] = 7 << 3 | 3;  // a version that does not exist
      break;
    default:
      octets[0] = kVersion4Client;
      break;
  }
  if (dice % 4 == 3) {
    // A request with an extension field that ends beyond the datagram.
    const ByteSpan field = writer.Reserve(28);
    random_.Fill(field);
    if (size > kNtpHeaderSize) octets[kNtpHeaderSize + 2] = 0xFF;
    field[2] = 0xFF;
  }
}

}  // namespace ntsd::load
