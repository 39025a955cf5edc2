// A TLS ClientHello written by hand, for what no TLS library would send; and a reader of what servers say to it in
// clear.
//
// Threads: values and functions of their arguments.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/random.h"
#include "core/nts/client.h"

namespace ntsd::conformance {

struct ClientHello {
  std::vector<std::uint16_t> cipher_suites{0x1301, 0x1302, 0x1303};
  Octets compression_methods{0};
  std::vector<std::uint16_t> versions{0x0304};
  std::vector<std::uint16_t> groups{0x001D, 0x0017};  // X25519, secp256r1
  bool key_share = true;                              // false: the extension stands there with an empty list
  // rsa_pss_rsae_sha256, ecdsa_secp256r1_sha256, ed25519, rsa_pss_rsae_sha384, ecdsa_secp384r1_sha384
  std::vector<std::uint16_t> signature_algorithms{0x0804, 0x0403, 0x0807, 0x0805, 0x0503};
  std::string server_name;

  // Which extensions are left out altogether.
  bool omit_versions = false, omit_groups = false, omit_key_share = false, omit_signature_algorithms = false;
};

// The TLS record that carries it. ALPN is ntske/1 always.
Octets WriteClientHello(const ClientHello& hello, Random& random);

// Of a handshake message in clear: a ServerHello that asks for another ClientHello (RFC 8446 §4.1.3).
bool IsServerHello(ByteView message);
bool IsHelloRetryRequest(ByteView message);

// What a server said before anything was encrypted.
struct ServerFlight {
  std::optional<std::uint8_t> alert;  // in clear
  bool server_hello = false;
  bool hello_retry_request = false;
  std::size_t encrypted_size = 0;  // octets of records after the ServerHello

  // The server went on with the handshake: more than an alert came after its ServerHello.
  bool WentOn() const { return server_hello && encrypted_size > 64; }
};
ServerFlight ReadServerFlight(ByteView stream);
std::string Describe(const ServerFlight& flight);

}  // namespace ntsd::conformance
