#include "ke/tls_context.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "ke/openssl.h"
#include "tests/support/certificates.h"

namespace ntsd::ke {
namespace {

using testing::CertificateAuthority;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::LeafOptions;
using ::testing::StartsWith;

UnixTime Now() { return std::chrono::time_point_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now()); }

std::string LoadError(const CertificatePair& pair) {
  const auto context = TlsContext::Load(std::vector{pair}, Now());
  return context.has_value() ? "" : context.error();
}

void WriteFile(const std::string& path, const std::string& content) { std::ofstream(path) << content; }
std::string ReadFile(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

TEST(TlsContext, LoadsEveryKindOfKeyAndTellsAboutIt) {
  CertificateAuthority authority;
  for (const auto& [key_type, text] : std::vector<std::pair<std::string, std::string>>{
           {"P-256", "ECDSA P-256"}, {"P-384", "ECDSA P-384"}, {"Ed25519", "Ed25519"}, {"RSA-2048", "RSA 2048"}}) {
    LeafOptions options;
    options.names = {"Time.Example.COM", "*.example.org", "192.0.2.1"};
    options.key_type = key_type;
    const CertificatePair pair = authority.MakeLeaf("leaf", options);
    const auto context = TlsContext::Load(std::vector{pair}, Now());
    ASSERT_TRUE(context.has_value()) << context.error();
    const CertificateInfo& info = (*context)->certificates().front();
    EXPECT_EQ(info.chain, pair.chain);
    EXPECT_EQ(info.key_type, text);
    EXPECT_THAT(info.names, ElementsAre("time.example.com", "*.example.org"));
    EXPECT_EQ(info.subject, "CN = a test");
    EXPECT_EQ(info.issuer, "CN = authority of a test");
    EXPECT_NEAR(std::chrono::duration<double>(info.not_after - Now()).count(), 86400, 60);
    EXPECT_THAT((*context)->ServerNames(), ElementsAre("time.example.com"));
  }
}

TEST(TlsContext, SaysWhichFileIsWrongAndWhy) {
  CertificateAuthority authority;
  const CertificatePair good = authority.MakeLeaf("good");
  const CertificatePair other = authority.MakeLeaf("other");
  const auto path = [&](const char* name) { return authority.Path(name); };

  EXPECT_EQ(LoadError({path("none.pem"), good.key}),
            path("none.pem") + ": cannot be opened: No such file or directory");
  EXPECT_EQ(LoadError({good.chain, path("none.key")}),
            path("none.key") + ": cannot be opened: No such file or directory");
  EXPECT_THAT(LoadError({path(""), good.key}), StartsWith(path("") + ": cannot be read: "));
  WriteFile(path("empty.pem"), "");
  EXPECT_EQ(LoadError({path("empty.pem"), good.key}), path("empty.pem") + ": holds no certificate in PEM form");
  EXPECT_THAT(LoadError({good.chain, path("empty.pem")}),
              StartsWith(path("empty.pem") + ": holds no private key in PEM form"));
  EXPECT_EQ(LoadError({good.key, good.key}), good.key + ": holds no certificate in PEM form");
  EXPECT_EQ(LoadError({good.chain, other.key}),
            other.key + ": the key does not belong to the first certificate of " + good.chain);

  std::string torn = ReadFile(good.chain);
  torn[torn.size() / 4] = '*';
  WriteFile(path("torn.pem"), torn);
  EXPECT_THAT(LoadError({path("torn.pem"), good.key}), StartsWith(path("torn.pem") + ": certificate 1 is damaged"));
  WriteFile(path("huge.pem"), std::string(2 << 20, 'x'));
  EXPECT_EQ(LoadError({path("huge.pem"), good.key}), path("huge.pem") + ": is larger than such a file can be");

  LeafOptions expired;
  expired.not_before = std::chrono::hours(-48);
  expired.not_after = std::chrono::hours(-1);
  const CertificatePair old = authority.MakeLeaf("expired", expired);
  EXPECT_THAT(LoadError(old), StartsWith(old.chain + ": the certificate expired on 20"));
  LeafOptions weak;
  weak.key_type = "RSA-1024";
  const CertificatePair small = authority.MakeLeaf("weak", weak);
  EXPECT_THAT(LoadError(small), StartsWith(small.chain + ": the certificate (RSA 1024) is not usable: "));
  EXPECT_EQ(TlsContext::Load({}, Now()).error(), "no certificate is configured");

  if (geteuid() != 0) {
    ASSERT_EQ(chmod(other.key.c_str(), 0), 0);
    EXPECT_EQ(LoadError(other), other.key + ": cannot be opened: Permission denied");
  }
}

TEST(TlsContext, RefusesAKeyWithAPassphraseWithoutAsking) {
  CertificateAuthority authority;
  const CertificatePair pair = authority.MakeLeaf("leaf");
  std::FILE* file = std::fopen(pair.key.c_str(), "r");
  const KeyPtr key(PEM_read_PrivateKey(file, nullptr, nullptr, nullptr));
  std::fclose(file);
  file = std::fopen(pair.key.c_str(), "w");
  const auto* const passphrase = reinterpret_cast<const unsigned char*>("secret");
  ASSERT_EQ(PEM_write_PKCS8PrivateKey(file, key.get(), EVP_aes_128_cbc(), reinterpret_cast<const char*>(passphrase), 6,
                                      nullptr, nullptr),
            1);
  std::fclose(file);
  EXPECT_EQ(LoadError(pair), pair.key + ": the key is protected by a passphrase; a server needs it without one");
}

// A clock without battery must not keep a server from its start.
TEST(TlsContext, TakesACertificateOfTheFuture) {
  CertificateAuthority authority;
  LeafOptions future;
  future.not_before = std::chrono::hours(2);
  EXPECT_EQ(LoadError(authority.MakeLeaf("future", future)), "");
}

TEST(TlsContext, OneBadPairSpoilsAll) {
  CertificateAuthority authority;
  const CertificatePair good = authority.MakeLeaf("good");
  const auto context = TlsContext::Load(std::vector{good, CertificatePair{good.chain, "/nowhere"}}, Now());
  ASSERT_FALSE(context.has_value());
  EXPECT_THAT(context.error(), HasSubstr("/nowhere"));
}

TEST(TlsContext, FindsTheCertificateForAName) {
  CertificateAuthority authority;
  LeafOptions first;
  first.names = {"*.example.com"};
  LeafOptions second;
  second.names = {"time.example.com", "example.net"};
  const auto context =
      TlsContext::Load(std::vector{authority.MakeLeaf("a", first), authority.MakeLeaf("b", second)}, Now());
  ASSERT_TRUE(context.has_value());
  const TlsContext& tls = **context;
  ssl_ctx_st* const wildcard = tls.Default();
  ssl_ctx_st* const exact = tls.Find("time.example.com");
  ASSERT_NE(exact, nullptr);
  EXPECT_NE(exact, wildcard);
  EXPECT_EQ(tls.Find("TIME.example.COM."), exact);
  EXPECT_EQ(tls.Find("example.net"), exact);
  EXPECT_EQ(tls.Find("other.example.com"), wildcard);
  for (const char* const name : {"example.com", "a.b.example.com", ".example.com", "www.example.net", "", "*", "com"}) {
    EXPECT_EQ(tls.Find(name), nullptr) << name;
  }
}

// Certificates of the same names and different keys stand beside each other.
TEST(TlsContext, PutsKeyTypesOfOneNameTogether) {
  CertificateAuthority authority;
  LeafOptions rsa;
  rsa.key_type = "RSA-2048";
  const auto context = TlsContext::Load(
      std::vector{authority.MakeLeaf("a"), authority.MakeLeaf("b", rsa), authority.MakeLeaf("c")}, Now());
  ASSERT_TRUE(context.has_value());
  EXPECT_EQ((*context)->Find("localhost"), (*context)->Default());
  EXPECT_EQ((*context)->certificates().size(), 3U);
}

TEST(TlsClientContext, SaysWhatItCannotUse) {
  TlsClientContext::Options options;
  options.ca_file = "/nowhere/ca.pem";
  EXPECT_THAT(TlsClientContext::Make(options).error(), StartsWith("/nowhere/ca.pem: "));
  options = {};
  options.cipher_suites = "TLS_NOTHING";
  EXPECT_THAT(TlsClientContext::Make(options).error(), HasSubstr("TLS_NOTHING"));
  options = {};
  options.groups = "P-1";
  EXPECT_THAT(TlsClientContext::Make(options).error(), HasSubstr("P-1"));
  options = {};
  options.signature_algorithms = "none";
  EXPECT_THAT(TlsClientContext::Make(options).error(), HasSubstr("none"));
}

}  // namespace
}  // namespace ntsd::ke
