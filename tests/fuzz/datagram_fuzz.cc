// Whatever a client sends, the responder decides without a crash, and never answers with more than it got.
//
// The first octet says how the rest is used. Even: it is the datagram. Odd: it becomes the fields in clear and the
// encrypted fields of an NTS request with a true cookie and a true authenticator, so that fuzzing comes behind both.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "core/base/check.h"
#include "tests/support/packet_builder.h"
#include "tests/support/responder_fixture.h"

namespace ntsd::testing {
namespace {

constexpr std::uint16_t kAuthenticatorType = 0x0404;

struct Server {
  Server() {
    keys.aead = AeadId::kAesSivCmac256;
    keys.c2s.fill(0x11);
    keys.s2c.fill(0x22);
    cookie = harness.SealedCookie(keys);
  }

  ResponderHarness harness;
  AssociationKeys keys;
  Octets cookie;
};

Octets AuthenticRequest(const Server& server, ByteView in_clear, ByteView encrypted) {
  PacketBuilder builder;
  builder.UniqueId().Cookie(server.cookie).Raw(in_clear);
  builder.Authenticate(*SelectAead(), server.keys, {.plaintext = Octets(encrypted.begin(), encrypted.end())});
  return builder.Build();
}

Octets DatagramOf(const Server& server, ByteView input) {
  const ByteView rest = input.subspan(1);
  if (input[0] % 2 == 0) return Octets(rest.begin(), rest.end());
  const std::size_t clear_size = std::min<std::size_t>(input[0] / 2U * 4U, rest.size());
  return AuthenticRequest(server, rest.first(clear_size), rest.subspan(clear_size));
}

void CheckAnswer(const Octets& datagram, const Answer& answer) {
  CHECK(answer.datagram.size() <= datagram.size());
  CHECK(answer.datagram.size() <= kReplySizeMax);
  if (answer.datagram.empty()) return;
  CHECK(answer.datagram.size() >= kNtpHeaderSize && answer.datagram.size() % 4 == 0);
  CHECK((answer.datagram[0] & 7) == 4);  // mode 4, and the version of the request
  CHECK((answer.datagram[0] & 0x38) == (datagram[0] & 0x38));
  ByteReader fields(ByteView(answer.datagram).subspan(kNtpHeaderSize));
  // Ends: each turn reads at least four octets, and ok() fails when there are none.
  while (fields.remaining() > 0) {
    const std::uint16_t type = fields.ReadU16();
    const std::uint16_t size = fields.ReadU16();
    CHECK(fields.ok() && size >= 16 && size % 4 == 0);
    fields.ReadBytes(size - 4U);
    CHECK(fields.ok());
    CHECK(type != kAuthenticatorType || answer.reason == Reason::kNts);
  }
}

}  // namespace
}  // namespace ntsd::testing

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ntsd;           // NOLINT: the fuzzer wants this function outside of all namespaces
  using namespace ntsd::testing;  // NOLINT
  static Server server;
  if (size == 0 || size > kRequestSizeMax) return 0;
  const Octets datagram = DatagramOf(server, ByteView(data, size));
  CheckAnswer(datagram, server.harness.Ask(datagram));
  return 0;
}
