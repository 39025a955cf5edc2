#include "tests/conformance/probe/client_hello.h"

#include <algorithm>
#include <array>

#include "tests/conformance/probe/ke_attempt.h"
#include "tests/conformance/probe/text.h"

namespace ntsd::conformance {
namespace {

// Content types of records, RFC 8446 §5.1.
constexpr std::uint8_t kAlert = 21;
constexpr std::uint8_t kHandshake = 22;
constexpr std::uint8_t kApplicationData = 23;
constexpr std::uint8_t kServerHello = 2;       // type of a handshake message
constexpr std::size_t kHelloRandomOffset = 6;  // type 1, length 3, version 2
// The random of a ServerHello that is a HelloRetryRequest: SHA-256 of that word.
constexpr std::array<std::uint8_t, 32> kRetryRandom{0xCF, 0x21, 0xAD, 0x74, 0xE5, 0x9A, 0x61, 0x11, 0xBE, 0x1D, 0x8C,
                                                    0x02, 0x1E, 0x65, 0xB8, 0x91, 0xC2, 0xA2, 0x11, 0x16, 0x7A, 0xBB,
                                                    0x8C, 0x5E, 0x07, 0x9E, 0x09, 0xE2, 0xC8, 0xA8, 0x33, 0x9C};

void Put8(Octets& octets, std::size_t value) { octets.push_back(static_cast<std::uint8_t>(value)); }
void Put16(Octets& octets, std::size_t value) {
  Put8(octets, value >> 8 & 0xFF);
  Put8(octets, value & 0xFF);
}
void Put(Octets& octets, ByteView more) { octets.insert(octets.end(), more.begin(), more.end()); }

Octets NumberList(const std::vector<std::uint16_t>& numbers) {
  Octets list;
  for (const std::uint16_t number : numbers) Put16(list, number);
  return list;
}

// A list behind its own length in two octets.
Octets Counted(ByteView list) {
  Octets octets;
  Put16(octets, list.size());
  Put(octets, list);
  return octets;
}

void PutExtension(Octets& extensions, std::uint16_t type, ByteView body) {
  Put16(extensions, type);
  Put(extensions, Counted(body));
}

Octets KeyShare(const ClientHello& hello, Random& random) {
  Octets shares;
  if (hello.key_share) {
    Put16(shares, 0x001D);
    Octets key(32);  // every 32 octets are a public key of X25519
    random.Fill(key);
    Put(shares, Counted(key));
  }
  return Counted(shares);
}

Octets Extensions(const ClientHello& hello, Random& random) {
  Octets extensions;
  if (!hello.server_name.empty()) {
    const std::string& name = hello.server_name;
    Octets entry{0};
    Put(entry, Counted(ByteView(reinterpret_cast<const std::uint8_t*>(name.data()), name.size())));
    PutExtension(extensions, 0, Counted(entry));
  }
  if (!hello.omit_groups) PutExtension(extensions, 10, Counted(NumberList(hello.groups)));
  if (!hello.omit_signature_algorithms) {
    PutExtension(extensions, 13, Counted(NumberList(hello.signature_algorithms)));
  }
  PutExtension(extensions, 16, Counted(Octets{7, 'n', 't', 's', 'k', 'e', '/', '1'}));
  if (!hello.omit_versions) {
    Octets versions;
    Put8(versions, 2 * hello.versions.size());
    Put(versions, NumberList(hello.versions));
    PutExtension(extensions, 43, versions);
  }
  if (!hello.omit_key_share) PutExtension(extensions, 51, KeyShare(hello, random));
  return extensions;
}

}  // namespace

Octets WriteClientHello(const ClientHello& hello, Random& random) {
  Octets body{3, 3};  // legacy_version
  Octets unpredictable(32 + 32);
  random.Fill(unpredictable);
  Put(body, ByteView(unpredictable).first(32));
  Put8(body, 32);  // legacy_session_id
  Put(body, ByteView(unpredictable).last(32));
  Put(body, Counted(NumberList(hello.cipher_suites)));
  Put8(body, hello.compression_methods.size());
  Put(body, hello.compression_methods);
  Put(body, Counted(Extensions(hello, random)));

  Octets message{1, 0};  // client_hello, and the first octet of its length
  Put(message, Counted(body));
  Octets record{kHandshake, 3, 1};
  Put(record, Counted(message));
  return record;
}

bool IsServerHello(ByteView message) {
  return message.size() >= kHelloRandomOffset + kRetryRandom.size() && message[0] == kServerHello;
}

bool IsHelloRetryRequest(ByteView message) {
  if (!IsServerHello(message)) return false;
  const ByteView random = message.subspan(kHelloRandomOffset, kRetryRandom.size());
  return std::equal(random.begin(), random.end(), kRetryRandom.begin());
}

ServerFlight ReadServerFlight(ByteView stream) {
  ServerFlight flight;
  ByteReader reader(stream);
  // Ends: every record uses up at least five octets.
  while (reader.remaining() >= 5) {
    const std::uint8_t type = reader.ReadU8();
    reader.Skip(2);
    const std::size_t size = reader.ReadU16();
    const ByteView body = reader.ReadBytes(std::min(size, reader.remaining()));
    if (type == kAlert && body.size() == 2) {
      flight.alert = body[1];
    } else if (type == kHandshake && IsServerHello(body)) {
      (IsHelloRetryRequest(body) ? flight.hello_retry_request : flight.server_hello) = true;
    } else if (type == kApplicationData) {
      flight.encrypted_size += body.size();
    }
  }
  return flight;
}

std::string Describe(const ServerFlight& flight) {
  if (flight.alert) return "alert " + AlertText(*flight.alert);
  if (flight.WentOn()) return "a ServerHello, and " + Count(flight.encrypted_size, "encrypted octet");
  if (flight.server_hello) return "a ServerHello, and an encrypted alert";
  if (flight.hello_retry_request) return "a HelloRetryRequest";
  return "nothing";
}

}  // namespace ntsd::conformance
