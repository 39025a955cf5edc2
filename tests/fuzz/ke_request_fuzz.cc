// Any octets that a client sends inside TLS get a decision, and the response to it can be written and read back.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/base/check.h"
#include "core/nts/exchange.h"

namespace ntsd {
namespace {

KePolicy MakePolicy(bool with_pool) {
  KePolicy policy;
  policy.aeads = {AeadId::kAes128GcmSiv, AeadId::kAesSivCmac256, AeadId::kAesSivCmac512};
  policy.ntp_server = "time.example";
  policy.ntp_port = 11123;
  policy.known_servers = {"time.example", "192.0.2.1"};
  if (with_pool) {
    policy.pool_tokens = {"0123456789abcdef"};
    policy.pool_server_names = {"time.example"};
  }
  return policy;
}

// The message in pieces as a TLS stream may bring it.
void Append(KeMessage& message, ByteView octets, std::size_t piece_size) {
  // Ends: every turn takes at least one octet away.
  while (!octets.empty()) {
    const std::size_t size = std::min(piece_size, octets.size());
    message.Append(octets.first(size));
    octets = octets.subspan(size);
  }
}

void CheckResponse(ByteView response) {
  KeRecordReader reader(response);
  bool ended = false;
  // Ends: every record is at least four octets of the response.
  while (const std::optional<KeRecord> record = reader.Next()) {
    CHECK(!ended);
    ended = record->type == KeRecordType::kEndOfMessage;
  }
  CHECK(reader.ok() && reader.remaining() == 0 && ended);
}

}  // namespace
}  // namespace ntsd

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ntsd;  // NOLINT: the fuzzer wants this function outside of all namespaces
  if (size < 1) return 0;
  static const KePolicy policies[] = {MakePolicy(false), MakePolicy(true)};
  const KePolicy& policy = policies[data[0] & 1];
  const KeConnection connection{.local = IpAddress::V4(0xC0000201), .kept_alive = (data[0] & 2) != 0};

  KeMessage message;
  Append(message, ByteView(data + 1, size - 1), 1U + (data[0] >> 2));
  const KeDecision decision = EvaluateKeRequest(message, policy, connection);
  CHECK((decision.answer == KeAnswer::kError) == (decision.refusal != KeRefusal::kNone));

  const std::size_t cookie_size = CookieSize(AeadId::kAesSivCmac256, decision.aead);
  const std::vector<std::uint8_t> cookies(decision.answer == KeAnswer::kCookies ? kKeCookieCount * cookie_size : 0);
  std::vector<std::uint8_t> response(kKeResponseSizeMax);
  ByteWriter writer(response);
  CHECK(WriteKeResponse(decision, policy, cookies, writer));
  CheckResponse(ByteView(response).first(writer.size()));
  return 0;
}
