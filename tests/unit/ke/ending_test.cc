// Every way in which a connection can end: how to get there, and what the client sees.
#include "ke/ending.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <set>

#include "tests/support/hex.h"
#include "tests/support/ke_front_end.h"

namespace ntsd::ke {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::FromHex;
using testing::FrontEnd;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using testing::RawClient;

const std::string kNtpv4 = "800100020000";
const std::string kOffer15 = "80040002000f";
const std::string kEnd = "80000000";
const std::string kRequest = kNtpv4 + kOffer15 + kEnd;
const std::string kToken =
    "000e0010"
    "30313233343536373839616263646566";
const std::string kError0 = "80020002000080000000";
const std::string kError1 = "80020002000180000000";
const std::string kError2 = "80020002000280000000";

FrontEnd::Options Quick() {
  FrontEnd::Options options;
  options.settings.timeout = milliseconds(200);
  options.settings.kept_alive_timeout = milliseconds(200);
  options.settings.policy.pool_tokens = {"0123456789abcdef"};
  return options;
}

TEST(ConnectionEnd, EveryNameIsItsOwn) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < kConnectionEndCount; ++i) {
    const std::string_view name = Name(static_cast<ConnectionEnd>(i));
    EXPECT_THAT(std::string(name), MatchesRegex("[a-z]+(_[a-z]+)*"));
    EXPECT_NE(name, "unknown");
    names.insert(name);
  }
  EXPECT_EQ(names.size(), kConnectionEndCount);
}

// --- What the request decides ---

struct RequestCase {
  ConnectionEnd end;
  std::string request;
  std::string answer;  // in full, or how it begins
};

class ByRequest : public ::testing::TestWithParam<RequestCase> {};

TEST_P(ByRequest, EndsAndIsCounted) {
  FrontEnd front_end(Quick());
  RawClient client(front_end);
  ASSERT_TRUE(client.Handshake());
  ASSERT_TRUE(client.Send(FromHex(GetParam().request)));
  if (GetParam().end == ConnectionEnd::kRequestIncomplete) {
    ASSERT_TRUE(client.SendCloseNotify());
  }
  const std::string answer = client.ReadAll();
  EXPECT_EQ(answer.substr(0, GetParam().answer.size()), GetParam().answer);
  EXPECT_TRUE(client.saw_close_notify);
  EXPECT_TRUE(client.saw_fin);
  EXPECT_TRUE(front_end.WaitForCount(GetParam().end));
  std::uint64_t all = 0;
  for (const std::uint64_t count : front_end.server().Read().ends) all += count;
  EXPECT_EQ(all, 1U);
}

INSTANTIATE_TEST_SUITE_P(
    ConnectionEnd, ByRequest,
    ::testing::Values(RequestCase{ConnectionEnd::kServed, kRequest, kNtpv4 + kOffer15 + "00050064"},
                      RequestCase{ConnectionEnd::kNoCommonProtocol, "800100027fff" + kEnd, "8001000080000000"},
                      RequestCase{ConnectionEnd::kNoCommonAead, kNtpv4 + "800400020001" + kEnd,
                                  kNtpv4 + "8004000080000000"},
                      RequestCase{ConnectionEnd::kPoolInformation, kToken + "80090000" + kEnd, "80090002000080000000"},
                      RequestCase{ConnectionEnd::kRequestTimeout, kNtpv4, kError1},
                      RequestCase{ConnectionEnd::kRequestIncomplete, kNtpv4, kError1},
                      RequestCase{ConnectionEnd::kRequestTooLarge, "4abcffff", kError1},
                      RequestCase{ConnectionEnd::kTrailingData, kRequest + "00", kError1},
                      RequestCase{ConnectionEnd::kIllegalBody, "80010000" + kRequest, kError1},
                      RequestCase{ConnectionEnd::kForbiddenRecord, "800200020000" + kRequest, kError1},
                      RequestCase{ConnectionEnd::kRepeatedRecord, kNtpv4 + kRequest, kError1},
                      RequestCase{ConnectionEnd::kNotCritical, "000100020000" + kOffer15 + kEnd, kError1},
                      RequestCase{ConnectionEnd::kUnknownCritical, "cabc0000" + kRequest, kError0},
                      RequestCase{ConnectionEnd::kNoNextProtocol, kOffer15 + kEnd, kError1},
                      RequestCase{ConnectionEnd::kNoAeadRecord, kNtpv4 + kEnd, kError1},
                      RequestCase{ConnectionEnd::kPoolContradiction, kToken + "80090000" + kRequest, kError1}),
    [](const auto& row) { return std::string(Name(row.param.end)); });

// R-KE-15: the answer is owed even to a client that has sent nothing at all.
TEST(ConnectionEnd, RequestTimeoutOfASilentClient) {
  FrontEnd front_end(Quick());
  RawClient client(front_end);
  ASSERT_TRUE(client.Handshake());
  EXPECT_EQ(client.ReadAll(), kError1);
  EXPECT_TRUE(client.saw_close_notify);
  EXPECT_TRUE(front_end.WaitForCount(ConnectionEnd::kRequestTimeout));
}

// R-KE-16: an answer that cannot be made.
TEST(ConnectionEnd, InternalError) {
  FrontEnd::Options options;
  options.settings.policy.ntp_server = std::string(3000, 'a');
  FrontEnd front_end(std::move(options));
  RawClient client(front_end);
  ASSERT_TRUE(client.Handshake());
  ASSERT_TRUE(client.Send(FromHex(kRequest)));
  EXPECT_EQ(client.ReadAll(), kError2);
  EXPECT_TRUE(front_end.WaitForCount(ConnectionEnd::kInternalError));
}

// Octets of TLS without end, and nothing in them: empty records, as good as key updates.
TEST(ConnectionEnd, RequestTooLargeByEmptyWork) {
  FrontEnd front_end;
  RawClient client(front_end);
  ASSERT_TRUE(client.Handshake());
  const std::vector<std::uint8_t> chunk = FromHex("4abc0000");
  for (int i = 0; i < 8000; ++i) {
    if (!client.tls().Write(chunk)) break;
  }
  client.Send({});
  EXPECT_EQ(client.ReadAll(), kError1);
  EXPECT_TRUE(front_end.WaitForCount(ConnectionEnd::kRequestTooLarge));
}

// --- What TLS decides ---

void ExpectRefused(const RawClient::Options& options, ConnectionEnd end, const std::string& alert) {
  FrontEnd front_end;
  RawClient client(front_end, options);
  // In TLS 1.3 the client may believe that it is done when the alert is still on its way.
  if (client.Handshake()) {
    EXPECT_EQ(client.ReadAll(), "");
  }
  EXPECT_EQ(client.failure, TlsFailure::kPeerAlert);
  EXPECT_THAT(client.detail, HasSubstr(alert));
  EXPECT_TRUE(front_end.WaitForCount(end));
}

// R-TLS-02.
TEST(ConnectionEnd, TlsVersion) {
  RawClient::Options options;
  options.tls.only_tls12 = true;
  ExpectRefused(options, ConnectionEnd::kTlsVersion, "alert protocol version");
}

// R-TLS-06.
TEST(ConnectionEnd, NoAlpn) {
  RawClient::Options options;
  options.tls.alpn = {};
  ExpectRefused(options, ConnectionEnd::kNoAlpn, "alert no application protocol");
}

// R-TLS-05.
TEST(ConnectionEnd, OtherAlpn) {
  for (const std::vector<std::string>& alpn :
       {std::vector<std::string>{"h2"}, {"ntske/2"}, {"ntske/"}, {"ntske/1 "}, {"h2", "http/1.1"}}) {
    RawClient::Options options;
    options.tls.alpn = alpn;
    ExpectRefused(options, ConnectionEnd::kOtherAlpn, "alert no application protocol");
  }
}

// R-TLS-14.
TEST(ConnectionEnd, UnknownName) {
  RawClient::Options options;
  options.server_name = "other.example";
  ExpectRefused(options, ConnectionEnd::kUnknownName, "unrecognized name");
}

TEST(ConnectionEnd, NoCommonParameters) {
  RawClient::Options suite;
  suite.tls.cipher_suites = "TLS_AES_128_CCM_SHA256";
  ExpectRefused(suite, ConnectionEnd::kNoCommonParameters, "alert handshake failure");
  RawClient::Options group;
  group.tls.groups = "P-521";
  ExpectRefused(group, ConnectionEnd::kNoCommonParameters, "alert handshake failure");
  RawClient::Options signature;
  signature.tls.signature_algorithms = "rsa_pss_rsae_sha256";  // the certificate is ECDSA
  ExpectRefused(signature, ConnectionEnd::kNoCommonParameters, "alert handshake failure");
}

TEST(ConnectionEnd, PeerAlert) {
  FrontEnd front_end;
  testing::CertificateAuthority other;
  RawClient::Options options;
  options.tls.ca_file = other.ca_file();
  RawClient client(front_end, options);
  EXPECT_FALSE(client.Handshake());
  EXPECT_EQ(client.failure, TlsFailure::kCertificate);
  EXPECT_TRUE(front_end.WaitForCount(ConnectionEnd::kPeerAlert));
}

void ExpectRawEnd(const std::string& hex, ConnectionEnd end) {
  FrontEnd front_end;
  RawClient client(front_end);
  ASSERT_TRUE(client.SendRaw(FromHex(hex)));
  EXPECT_TRUE(front_end.WaitForCount(end)) << hex;
  client.ReadAll();
  EXPECT_FALSE(client.saw_reset);
}

TEST(ConnectionEnd, NotTls) {
  ExpectRawEnd("474554202f20485454502f312e310d0a0d0a", ConnectionEnd::kNotTls);  // GET / HTTP/1.1
  ExpectRawEnd("ffffffffffffffffffffffffffffffff", ConnectionEnd::kNotTls);
  ExpectRawEnd(kRequest, ConnectionEnd::kNotTls);  // NTS-KE without TLS
}

TEST(ConnectionEnd, TlsError) {
  ExpectRawEnd(
      "1603010005"
      "0100000100",
      ConnectionEnd::kTlsError);  // a ClientHello of one octet
}

TEST(ConnectionEnd, TlsErrorAfterTheHandshake) {
  FrontEnd front_end;
  RawClient client(front_end);
  ASSERT_TRUE(client.Handshake());
  ASSERT_TRUE(client.SendRaw(FromHex("1703030013" + std::string(38, '5'))));
  EXPECT_TRUE(front_end.WaitForCount(ConnectionEnd::kTlsError));
}

// --- Who is too slow, or leaves ---

TEST(ConnectionEnd, IdleTimeout) {
  FrontEnd front_end(Quick());
  RawClient client(front_end);
  EXPECT_TRUE(front_end.WaitForCount(ConnectionEnd::kIdleTimeout));
  EXPECT_EQ(client.ReadAll(), "");
  EXPECT_TRUE(client.saw_fin);
}

// The deadline is one for all: octets that trickle in do not move it.
TEST(ConnectionEnd, HandshakeTimeoutHoweverItTrickles) {
  FrontEnd front_end(Quick());
  RawClient client(front_end);
  const auto begin = std::chrono::steady_clock::now();
  ASSERT_TRUE(client.SendRaw(FromHex("1603010200")));
  while (front_end.Count(ConnectionEnd::kHandshakeTimeout) == 0 &&
         std::chrono::steady_clock::now() - begin < seconds(5)) {
    client.SendRaw(FromHex("01"));
    std::this_thread::sleep_for(milliseconds(10));
  }
  EXPECT_EQ(front_end.Count(ConnectionEnd::kHandshakeTimeout), 1U);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, milliseconds(200));
  EXPECT_TRUE(front_end.WaitUntilIdle());
}

// A pool that asks and asks, and never reads.
TEST(ConnectionEnd, ResponseTimeout) {
  FrontEnd::Options small = Quick();
  small.send_buffer = 4096;
  FrontEnd front_end(std::move(small));
  RawClient::Options options;
  options.receive_buffer = 4096;
  RawClient client(front_end, options);
  ASSERT_TRUE(client.Handshake());
  const std::string fixed = kToken + "00080000" + kNtpv4 + kOffer15 + "800c0040" + std::string(128, '5') + "80000000";
  std::thread asking([&] {
    while (front_end.Count(ConnectionEnd::kResponseTimeout) == 0 && client.Send(FromHex(fixed))) {
    }
  });
  EXPECT_TRUE(front_end.WaitForCount(ConnectionEnd::kResponseTimeout));
  EXPECT_TRUE(front_end.WaitUntilIdle());
  asking.join();
}

TEST(ConnectionEnd, ClosedSilently) {
  FrontEnd front_end;
  { RawClient client(front_end); }
  EXPECT_TRUE(front_end.WaitForCount(ConnectionEnd::kClosedSilently));
}

TEST(ConnectionEnd, ClosedInHandshake) {
  FrontEnd front_end;
  {
    RawClient client(front_end);
    ASSERT_TRUE(client.SendRaw(FromHex("16030102")));
    client.HalfClose();
    EXPECT_EQ(client.ReadAll(), "");
    EXPECT_TRUE(client.saw_fin);
  }
  EXPECT_TRUE(front_end.WaitForCount(ConnectionEnd::kClosedInHandshake));
}

TEST(ConnectionEnd, ClosedKeptAlive) {
  FrontEnd front_end(Quick());
  RawClient client(front_end);
  ASSERT_TRUE(client.Handshake());
  ASSERT_TRUE(client.Send(FromHex(kToken +
                                  "00080000"
                                  "80090000" +
                                  kEnd)));
  EXPECT_EQ(client.ReadSome(14),
            "00080000"
            "800900020000" +
                kEnd);
  ASSERT_TRUE(client.SendCloseNotify());
  EXPECT_TRUE(front_end.WaitForCount(ConnectionEnd::kClosedKeptAlive));
}

TEST(ConnectionEnd, KeptAliveTimeout) {
  FrontEnd front_end(Quick());
  RawClient client(front_end);
  ASSERT_TRUE(client.Handshake());
  ASSERT_TRUE(client.Send(FromHex(kToken +
                                  "00080000"
                                  "80090000" +
                                  kEnd)));
  EXPECT_EQ(client.ReadAll(),
            "00080000"
            "800900020000" +
                kEnd);
  EXPECT_TRUE(client.saw_close_notify);
  EXPECT_TRUE(front_end.WaitForCount(ConnectionEnd::kKeptAliveTimeout));
}

// At every stage: before anything, within the ClientHello, after the handshake, within the request.
TEST(ConnectionEnd, Reset) {
  FrontEnd front_end;
  for (std::uint64_t stage = 0; stage < 4; ++stage) {
    RawClient client(front_end);
    if (stage == 1) {
      ASSERT_TRUE(client.SendRaw(FromHex("1603010200")));
    }
    if (stage >= 2) {
      ASSERT_TRUE(client.Handshake());
    }
    if (stage == 3) {
      ASSERT_TRUE(client.Send(FromHex(kNtpv4)));
    }
    EXPECT_TRUE(testing::Eventually([&] { return front_end.server().Read().active == 1; }));
    client.Reset();
    EXPECT_TRUE(front_end.WaitForCount(ConnectionEnd::kReset, stage + 1)) << stage;
  }
}

}  // namespace
}  // namespace ntsd::ke
