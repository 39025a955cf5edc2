// What the front end does in TLS, seen by a client that is particular (R-TLS-*), and the exporter (R-EX-*).
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/hmac.h>

#include "ke/openssl.h"
#include "tests/support/hex.h"
#include "tests/support/ke_front_end.h"

namespace ntsd::ke {
namespace {

using testing::FromHex;
using testing::FrontEnd;
using testing::LeafOptions;
using testing::RawClient;
using ::testing::StartsWith;
using testing::ToHex;

const std::string kRequest =
    "800100020000"
    "80040002000f"
    "80000000";

bool Serves(FrontEnd& front_end, const RawClient::Options& options) {
  RawClient client(front_end, options);
  return client.Handshake() && client.Send(FromHex(kRequest)) && client.ReadAll().size() > 800;
}

// R-TLS-03, R-TLS-04.
TEST(Tls, SelectsNtskeAmongOthers) {
  FrontEnd front_end;
  for (const std::vector<std::string>& alpn :
       {std::vector<std::string>{"ntske/1"}, {"h2", "ntske/1"}, {"ntske/1", "h2"}, {"", "x", "ntske/1"}}) {
    if (alpn[0].empty()) continue;  // OpenSSL's client does not send an empty name
    RawClient::Options options;
    options.tls.alpn = alpn;
    RawClient client(front_end, options);
    ASSERT_TRUE(client.Handshake()) << client.detail;
    EXPECT_EQ(client.tls().Alpn(), "ntske/1");
  }
}

// R-TLS-08, R-TLS-09: clients that can do one thing only.
TEST(Tls, ServesClientsWithOneSuiteGroupOrSignature) {
  for (const char* const key_type : {"P-256", "P-384", "Ed25519", "RSA-2048"}) {
    FrontEnd::Options front;
    front.leaves[0].key_type = key_type;
    FrontEnd front_end(std::move(front));
    for (const char* const suite :
         {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}) {
      RawClient::Options options;
      options.tls.cipher_suites = suite;
      EXPECT_TRUE(Serves(front_end, options)) << suite;
    }
    for (const char* const group : {"X25519", "P-256", "P-384"}) {
      RawClient::Options options;
      options.tls.groups = group;
      EXPECT_TRUE(Serves(front_end, options)) << group;
    }
  }
  FrontEnd ecdsa;
  RawClient::Options options;
  options.tls.cipher_suites = "TLS_AES_128_GCM_SHA256";
  options.tls.groups = "P-256";
  options.tls.signature_algorithms = "ecdsa_secp256r1_sha256";
  EXPECT_TRUE(Serves(ecdsa, options));
  FrontEnd::Options rsa_options;
  rsa_options.leaves[0].key_type = "RSA-2048";
  FrontEnd rsa(std::move(rsa_options));
  options.tls.signature_algorithms = "rsa_pss_rsae_sha256";
  EXPECT_TRUE(Serves(rsa, options));
}

// The cheapest suite is ours to choose, whatever the client likes best.
TEST(Tls, PrefersAes128) {
  FrontEnd front_end;
  RawClient::Options options;
  options.tls.cipher_suites = "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256";
  RawClient client(front_end, options);
  ASSERT_TRUE(client.Handshake());
  EXPECT_EQ(client.tls().CipherSuite(), "TLS_AES_128_GCM_SHA256");
}

// R-TLS-13: two key types of one name: the client gets the one that it can verify.
TEST(Tls, ChoosesTheKeyTypeThatTheClientCanVerify) {
  FrontEnd::Options front;
  front.leaves.resize(2);
  front.leaves[1].key_type = "RSA-2048";
  FrontEnd front_end(std::move(front));
  for (const auto& [algorithms, key_type] : std::vector<std::pair<std::string, std::string>>{
           {"ecdsa_secp256r1_sha256", "ECDSA P-256"}, {"rsa_pss_rsae_sha256", "RSA 2048"}}) {
    RawClient::Options options;
    options.tls.signature_algorithms = algorithms;
    RawClient client(front_end, options);
    ASSERT_TRUE(client.Handshake()) << client.detail;
    EXPECT_EQ(client.tls().PeerCertificate()->key_type, key_type);
  }
}

// R-TLS-13, R-TLS-14.
TEST(Tls, ChoosesTheCertificateByName) {
  FrontEnd::Options front;
  front.leaves.resize(3);
  front.leaves[0].names = {"a.example"};
  front.leaves[1].names = {"b.example", "*.b.example"};
  front.leaves[2].names = {"c.b.example"};
  for (std::size_t i = 0; i < 3; ++i) front.leaves[i].common_name = std::to_string(i);
  FrontEnd front_end(std::move(front));
  for (const auto& [name, subject] : std::vector<std::pair<std::string, std::string>>{{"a.example", "CN = 0"},
                                                                                      {"b.example", "CN = 1"},
                                                                                      {"x.b.example", "CN = 1"},
                                                                                      {"C.B.example", "CN = 2"},
                                                                                      {"127.0.0.1", "CN = 0"},
                                                                                      {"", "CN = 0"}}) {
    RawClient::Options options;
    options.server_name = name;
    RawClient client(front_end, options);
    ASSERT_TRUE(client.Handshake()) << name << client.detail;
    EXPECT_EQ(client.tls().PeerCertificate()->subject, subject) << name;
  }
}

// R-TLS-11. The random of a ServerHello that asks again is fixed (RFC 8446 §4.1.3).
TEST(Tls, AsksAgainWhenTheKeyShareDoesNotFit) {
  FrontEnd front_end;
  RawClient::Options options;
  options.tls.groups = "P-521:P-256";  // OpenSSL sends a share for its first group only
  RawClient client(front_end, options);
  ASSERT_TRUE(client.Handshake()) << client.detail;
  ASSERT_TRUE(client.Send(FromHex(kRequest)));
  EXPECT_GT(client.ReadAll().size(), 800U);
  EXPECT_THAT(ToHex(ByteView(client.received).subspan(11, 8)), "cf21ad74e59a6111");
}

// R-TLS-10: a ClientHello of TLS 1.3 with a key share and without the groups that it could be of.
TEST(Tls, TellsWhichExtensionIsMissing) {
  FrontEnd front_end;
  RawClient client(front_end);
  const std::string extensions =
      "002b0003020304"    // supported_versions: TLS 1.3
      "000d000400020403"  // signature_algorithms
      "00330026"
      "0024"
      "001d0020" +
      std::string(64, '9') +  // key_share: X25519
      "0010000a0008"
      "076e74736b652f31";  // ALPN
  const std::string body = "0303" + std::string(64, '7') +
                           "00"
                           "00021301"
                           "0100" +
                           ToHex(std::array<std::uint8_t, 2>{0, static_cast<std::uint8_t>(extensions.size() / 2)}) +
                           extensions;
  const auto size = static_cast<std::uint8_t>(body.size() / 2);
  ASSERT_TRUE(
      client.SendRaw(FromHex("160301" + ToHex(std::array<std::uint8_t, 2>{0, static_cast<std::uint8_t>(size + 4)}) +
                             "010000" + ToHex(std::array<std::uint8_t, 1>{size}) + body)));
  ASSERT_TRUE(front_end.WaitForCount(ConnectionEnd::kTlsError));
  client.ReadAll();
  EXPECT_EQ(ToHex(client.received),
            "15030300"
            "02"
            "026d");
}

// R-TLS-16: no ticket, so nothing to resume by and no early data (R-TLS-15).
TEST(Tls, SendsNoTickets) {
  FrontEnd front_end;
  auto context = TlsClientContext::Make({.ca_file = front_end.authority().ca_file(),
                                         .verify = true,
                                         .cipher_suites = {},
                                         .groups = {},
                                         .signature_algorithms = {},
                                         .only_tls12 = false,
                                         .alpn = {std::string(kAlpn)}});
  ASSERT_TRUE(context.has_value());
  static int ticket_count = 0;
  SSL_CTX_set_session_cache_mode((*context)->get(), SSL_SESS_CACHE_CLIENT);
  SSL_CTX_sess_set_new_cb((*context)->get(), [](SSL*, SSL_SESSION*) {
    ++ticket_count;
    return 0;
  });
  RawClient client(front_end, *context);
  ASSERT_TRUE(client.Handshake());
  ASSERT_TRUE(client.Send(FromHex(kRequest)));
  EXPECT_GT(client.ReadAll().size(), 800U);
  EXPECT_EQ(ticket_count, 0);
}

// --- Exporter ---

std::vector<std::uint8_t> Hmac(const EVP_MD* hash, ByteView key, ByteView data) {
  std::vector<std::uint8_t> result(EVP_MAX_MD_SIZE);
  unsigned int size = 0;
  HMAC(hash, key.data(), static_cast<int>(key.size()), data.data(), data.size(), result.data(), &size);
  result.resize(size);
  return result;
}

std::vector<std::uint8_t> Digest(const EVP_MD* hash, ByteView data) {
  std::vector<std::uint8_t> result(EVP_MAX_MD_SIZE);
  unsigned int size = 0;
  EVP_Digest(data.data(), data.size(), result.data(), &size, hash, nullptr);
  result.resize(size);
  return result;
}

// RFC 8446 §7.1, by hand.
std::vector<std::uint8_t> ExpandLabel(const EVP_MD* hash, ByteView secret, const std::string& label, ByteView context,
                                      std::size_t size) {
  std::vector<std::uint8_t> info{static_cast<std::uint8_t>(size >> 8), static_cast<std::uint8_t>(size)};
  const std::string full = "tls13 " + label;
  info.push_back(static_cast<std::uint8_t>(full.size()));
  info.insert(info.end(), full.begin(), full.end());
  info.push_back(static_cast<std::uint8_t>(context.size()));
  info.insert(info.end(), context.begin(), context.end());
  std::vector<std::uint8_t> result;
  std::vector<std::uint8_t> block;
  for (std::uint8_t counter = 1; result.size() < size; ++counter) {
    std::vector<std::uint8_t> input = block;
    input.insert(input.end(), info.begin(), info.end());
    input.push_back(counter);
    block = Hmac(hash, secret, input);
    result.insert(result.end(), block.begin(), block.end());
  }
  result.resize(size);
  return result;
}

std::string ExporterKey(const EVP_MD* hash, ByteView secret, ByteView context, std::size_t size) {
  const auto derived =
      ExpandLabel(hash, secret, kKeExporterLabel, Digest(hash, {}), static_cast<std::size_t>(EVP_MD_get_size(hash)));
  return ToHex(ExpandLabel(hash, derived, "exporter", Digest(hash, context), size));
}

std::string ExporterKey(const EVP_MD* hash, ByteView secret, AeadId aead, KeDirection direction) {
  return ExporterKey(hash, secret, KeExporterContext(aead, direction), AeadKeySize(aead));
}

std::vector<std::uint8_t> CountingOctets(std::size_t size) {
  std::vector<std::uint8_t> octets(size);
  for (std::size_t i = 0; i < size; ++i) octets[i] = static_cast<std::uint8_t>(i);
  return octets;
}

// The published vectors: exporter_master_secret = 00 01 02 …
TEST(Exporter, AgreesWithTheVectors) {
  const auto secret = CountingOctets(32);
  const auto key = [&](AeadId aead, KeDirection direction) {
    return ExporterKey(EVP_sha256(), secret, aead, direction);
  };
  using enum KeDirection;
  EXPECT_EQ(key(AeadId::kAesSivCmac256, kClientToServer),
            "7ace59b64c903eae1cfc53ba4c438af62e5857ce9443b8c5a4f2bedec4be8c7d");
  EXPECT_EQ(key(AeadId::kAesSivCmac256, kServerToClient),
            "e887fc4be1493ac9c7b64771d260007b2fd53b5b47eda991cf4073f9fa363ca5");
  EXPECT_EQ(key(AeadId::kAes128GcmSiv, kClientToServer), "3081916323676ebf2f7d0f1dd7c4dd11");
  EXPECT_EQ(key(AeadId::kAes128GcmSiv, kServerToClient), "50fafa49ad2f35af1b51785f9b183001");
  EXPECT_EQ(key(AeadId::kAesSivCmac512, kClientToServer),
            "b800125ddc3dc74ed6c9348779b0175cbfe3c8313bc3ffcce1e7a5e7bb5fa189"
            "b7ef18d808ce6a6a76334eb842f25e46e3d3ff6b521d2b1b6c746705d17ca817");
  EXPECT_EQ(key(AeadId::kAesSivCmac512, kServerToClient),
            "9130dca39282dbdd92efa71df79fac19765cf870e1d6ce11b7c26fa9ca3e67eb"
            "fcc11995c7e89e94bec901d1845eb12e580aa430e705f7438ead99aad3f46340");
  // What chrony 4.4 to 4.6.0 derive for AEAD 30.
  EXPECT_EQ(ExporterKey(EVP_sha256(), secret, KeExporterContext(AeadId::kAesSivCmac256, kClientToServer), 16),
            "63bb83659bfa8f478436c3b4900d4a6b");
  const auto long_secret = CountingOctets(48);
  EXPECT_EQ(ExporterKey(EVP_sha384(), long_secret, AeadId::kAesSivCmac256, kClientToServer),
            "09684261c791566bf0382d65d4ad0bb840f4ce53b03bc97e96cc4810b8a3db81");
  EXPECT_EQ(ExporterKey(EVP_sha384(), long_secret, AeadId::kAes128GcmSiv, kClientToServer),
            "a58c7019ee8c205d0c7dc2fed63685bb");
}

// R-EX-01 to R-EX-04: what sessions export is what the derivation above makes of their secret.
TEST(Exporter, SessionsExportWhatTheRfcSays) {
  FrontEnd front_end;
  for (const auto& [suite, hash] : std::vector<std::pair<std::string, const EVP_MD*>>{
           {"TLS_AES_128_GCM_SHA256", EVP_sha256()}, {"TLS_AES_256_GCM_SHA384", EVP_sha384()}}) {
    TlsClientContext::Options options;
    options.verify = false;
    options.cipher_suites = suite;
    auto context = TlsClientContext::Make(options);
    ASSERT_TRUE(context.has_value());
    static std::string secret;
    SSL_CTX_set_keylog_callback((*context)->get(), [](const SSL*, const char* line) {
      const std::string text(line);
      if (text.rfind("EXPORTER_SECRET ", 0) == 0) secret = text.substr(text.rfind(' ') + 1);
    });
    RawClient client(front_end, *context);
    ASSERT_TRUE(client.Handshake());
    ASSERT_FALSE(secret.empty());
    for (const AeadId aead : kAeads) {
      for (const KeDirection direction : {KeDirection::kClientToServer, KeDirection::kServerToClient}) {
        std::vector<std::uint8_t> key(AeadKeySize(aead));
        ASSERT_TRUE(client.tls().Export(kKeExporterLabel, KeExporterContext(aead, direction), key));
        EXPECT_EQ(ToHex(key), ExporterKey(hash, FromHex(secret), aead, direction));
      }
    }
  }
}

}  // namespace
}  // namespace ntsd::ke
