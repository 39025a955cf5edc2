#include "ke/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/hex.h"
#include "tests/support/ke_front_end.h"

namespace ntsd::ke {
namespace {

using testing::FrontEnd;
using ::testing::HasSubstr;
using ::testing::StartsWith;

AssociationKeys Open(FrontEnd& front_end, ByteView cookie) {
  AssociationKeys keys;
  CookieOpenJob job{cookie, &keys, nullptr, false};
  KeyRing::Reader reader(front_end.ring());
  const KeyRing::Pin pin = reader.Acquire();
  OpenCookies(*SelectAead(), *pin, std::span(&job, 1));
  EXPECT_TRUE(job.ok);
  return keys;
}

// R-EX-02, R-EX-03, R-EX-04, R-TLS-23: the keys in the cookies are the keys that the client has exported.
void ExpectSameKeys(FrontEnd& front_end, const ClientResult& result) {
  ASSERT_EQ(result.grant.cookies.size(), 8U);
  for (const auto& cookie : result.grant.cookies) {
    const AssociationKeys keys = Open(front_end, cookie);
    ASSERT_EQ(AeadNumber(keys.aead), result.grant.aead);
    const std::size_t size = AeadKeySize(keys.aead);
    ASSERT_EQ(result.keys.c2s.size(), size);
    EXPECT_EQ(testing::ToHex(ByteView(keys.c2s).first(size)), testing::ToHex(result.keys.c2s.view()));
    EXPECT_EQ(testing::ToHex(ByteView(keys.s2c).first(size)), testing::ToHex(result.keys.s2c.view()));
  }
}

TEST(KeClient, GetsKeysAndCookies) {
  FrontEnd front_end;
  const auto result = Query(front_end.Query());
  ASSERT_TRUE(result.has_value()) << result.error().text;
  EXPECT_EQ(result->tls_version, "TLSv1.3");
  EXPECT_EQ(result->cipher_suite, "TLS_AES_128_GCM_SHA256");
  EXPECT_TRUE(result->verified);
  EXPECT_EQ(result->certificate->names, std::vector<std::string>{"localhost"});
  EXPECT_EQ(result->grant.aead, 15);
  EXPECT_EQ(result->ntp_server, "127.0.0.1");
  EXPECT_EQ(result->ntp_port, 123);
  EXPECT_TRUE(result->noncompliant_keys.c2s.empty());
  ExpectSameKeys(front_end, *result);
  EXPECT_TRUE(front_end.WaitForCount(ConnectionEnd::kServed));
}

// R-TLS-01.
TEST(KeClient, WorksOverIpv6) {
  FrontEnd::Options options;
  options.v6 = true;
  options.settings.policy.ntp_port = 11123;
  FrontEnd front_end(std::move(options));
  const auto result = Query(front_end.Query());
  ASSERT_TRUE(result.has_value()) << result.error().text;
  EXPECT_EQ(result->ntp_server, "::1");
  EXPECT_EQ(result->ntp_port, 11123);
}

TEST(KeClient, GetsTheServerThatIsNamed) {
  FrontEnd::Options options;
  options.settings.policy.ntp_server = "time.example.com";
  FrontEnd front_end(std::move(options));
  EXPECT_EQ(Query(front_end.Query())->ntp_server, "time.example.com");
}

// R-KE-34: the certificate's name is a server of ours, and so is the address that the client is connected to.
TEST(KeClient, GetsTheServerThatItWishes) {
  FrontEnd front_end;
  QueryOptions query = front_end.Query();
  for (const char* const wish : {"localhost", "127.0.0.1"}) {
    query.offer.server_wish = wish;
    EXPECT_EQ(Query(query)->grant.server, wish);
  }
  query.offer.server_wish = "time.example.com";
  EXPECT_FALSE(Query(query)->grant.server.has_value());
}

// R-EX-04, R-TLS-08, R-TLS-09: every suite, and both of its hashes; every AEAD.
TEST(KeClient, ExportsTheSameKeysWithEverySuiteAndAead) {
  FrontEnd::Options options;
  options.settings.policy.aeads = {AeadId::kAesSivCmac256, AeadId::kAesSivCmac512, AeadId::kAes128GcmSiv};
  FrontEnd front_end(std::move(options));
  for (const char* const suite : {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}) {
    for (const std::uint16_t aead : std::array<std::uint16_t, 3>{15, 17, 30}) {
      QueryOptions query = front_end.Query();
      query.tls.cipher_suites = suite;
      query.offer.aeads = {aead};
      query.offer.compliant_context = aead == 30;
      const auto result = Query(query);
      ASSERT_TRUE(result.has_value()) << result.error().text;
      EXPECT_EQ(result->cipher_suite, suite);
      EXPECT_EQ(result->grant.aead, aead);
      EXPECT_EQ(result->grant.compliant_context, aead == 30);
      ExpectSameKeys(front_end, *result);
    }
  }
}

// AEAD 30 without record 1024: which keys an unknown server means is open, so that both are there; ours means the
// RFC's.
TEST(KeClient, KnowsBothKeysOfAnUnconfirmedGcmSiv) {
  FrontEnd::Options options;
  options.settings.policy.aeads = {AeadId::kAes128GcmSiv};
  FrontEnd front_end(std::move(options));
  QueryOptions query = front_end.Query();
  query.offer.aeads = {30};
  const auto result = Query(query);
  ASSERT_TRUE(result.has_value()) << result.error().text;
  ExpectSameKeys(front_end, *result);
  ASSERT_EQ(result->noncompliant_keys.c2s.size(), 16U);
  EXPECT_FALSE(result->noncompliant_keys.c2s == result->keys.c2s);
}

ClientFailure Failure(const QueryOptions& query) {
  const auto result = Query(query);
  EXPECT_FALSE(result.has_value());
  return result.has_value() ? ClientFailure{} : result.error();
}

TEST(KeClient, SaysAtWhichStepItFailedAndWhy) {
  FrontEnd front_end;
  QueryOptions query = front_end.Query();
  query.tls.ca_file = "/nowhere";
  EXPECT_EQ(Failure(query).step, ClientStep::kSetup);

  query = front_end.Query();
  query.host = "no such name.invalid";
  EXPECT_EQ(Failure(query).step, ClientStep::kResolve);

  query = front_end.Query();
  const int unused = testing::ListenOnLoopback();
  query.port = testing::PortOf(unused);
  close(unused);
  EXPECT_EQ(Failure(query).step, ClientStep::kConnect);
  EXPECT_EQ(Failure(query).text, "127.0.0.1:" + std::to_string(query.port) + ": Connection refused");

  query = front_end.Query();
  query.server_name = "other.example";
  EXPECT_EQ(Failure(query).step, ClientStep::kHandshake);
  EXPECT_THAT(Failure(query).text, StartsWith("the server refused the TLS handshake: "));
  EXPECT_THAT(Failure(query).text, HasSubstr("unrecognized name"));

  query = front_end.Query();
  query.offer.aeads = {1};
  EXPECT_EQ(Failure(query).step, ClientStep::kExchange);
  EXPECT_EQ(Failure(query).answer->error, KeAnswerError::kNoCommonAead);
  EXPECT_EQ(Failure(query).text, "the server supports none of the offered AEADs");

  query.offer.aeads = {};
  EXPECT_EQ(Failure(query).answer->error, KeAnswerError::kServerError);
  EXPECT_EQ(Failure(query).answer->code, 1);
  EXPECT_THAT(Failure(query).text, StartsWith("the server answered with an error 1: "));
}

TEST(KeClient, RefusesACertificateThatItCannotTrust) {
  FrontEnd front_end;
  testing::CertificateAuthority other;
  QueryOptions query = front_end.Query();
  query.tls.ca_file = other.ca_file();
  const ClientFailure failure = Failure(query);
  EXPECT_EQ(failure.step, ClientStep::kHandshake);
  EXPECT_EQ(failure.tls, TlsFailure::kCertificate);
  EXPECT_THAT(failure.text, StartsWith("the server's certificate is not accepted: "));
  EXPECT_TRUE(front_end.WaitForCount(ConnectionEnd::kPeerAlert));

  query.tls.verify = false;
  const auto result = Query(query);
  ASSERT_TRUE(result.has_value()) << result.error().text;
  EXPECT_FALSE(result->verified);
}

TEST(KeClient, RefusesACertificateOfAnotherName) {
  FrontEnd::Options options;
  options.leaves[0].names = {"localhost", "127.0.0.1"};
  FrontEnd front_end(std::move(options));
  QueryOptions query = front_end.Query();
  query.server_name = "127.0.0.1";
  EXPECT_TRUE(Query(query).has_value());
  query.server_name = "127.0.0.2";
  EXPECT_EQ(Failure(query).tls, TlsFailure::kCertificate);
}

TEST(KeClient, GivesUpAtItsDeadline) {
  const int silent = testing::ListenOnLoopback();
  QueryOptions query;
  query.host = "127.0.0.1";
  query.port = testing::PortOf(silent);
  query.tls.verify = false;
  query.timeout = std::chrono::milliseconds(200);
  const ClientFailure failure = Failure(query);
  EXPECT_EQ(failure.step, ClientStep::kHandshake);
  EXPECT_EQ(failure.text, "the server did not answer within the timeout");
  close(silent);
}

}  // namespace
}  // namespace ntsd::ke
