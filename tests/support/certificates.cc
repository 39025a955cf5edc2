#include "tests/support/certificates.h"

#include <cstdio>
#include <cstdlib>

#include "core/base/check.h"
#include "core/base/ip_address.h"
#include "ke/openssl.h"

namespace ntsd::testing {

namespace {

ke::KeyPtr MakeKey(const std::string& type) {
  if (type.rfind("RSA-", 0) == 0) return ke::KeyPtr(EVP_RSA_gen(static_cast<unsigned>(std::stoi(type.substr(4)))));
  if (type == "Ed25519") return ke::KeyPtr(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  return ke::KeyPtr(EVP_EC_gen(type.c_str()));
}

void AddExtension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  CHECK(extension != nullptr);
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

std::string AlternativeNames(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) {
    text += (text.empty() ? "" : ",");
    text += (IpAddress::Parse(name).has_value() ? "IP:" : "DNS:") + name;
  }
  return text;
}

ke::X509Ptr MakeCertificate(const LeafOptions& options, EVP_PKEY* key) {
  ke::X509Ptr certificate(X509_new());
  static long serial = 1;
  X509_set_version(certificate.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), ++serial);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), std::chrono::seconds(options.not_before).count());
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), std::chrono::seconds(options.not_after).count());
  X509_set_pubkey(certificate.get(), key);
  const auto* const name = reinterpret_cast<const unsigned char*>(options.common_name.c_str());
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate.get()), "CN", MBSTRING_UTF8, name, -1, -1, 0);
  return certificate;
}

void WriteChain(const std::string& path, std::initializer_list<X509*> chain) {
  std::FILE* const file = std::fopen(path.c_str(), "w");
  CHECK(file != nullptr);
  for (X509* const certificate : chain) CHECK(PEM_write_X509(file, certificate) == 1);
  std::fclose(file);
}

void WriteKey(const std::string& path, EVP_PKEY* key) {
  std::FILE* const file = std::fopen(path.c_str(), "w");
  CHECK(file != nullptr);
  CHECK(PEM_write_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr) == 1);
  std::fclose(file);
}

}  // namespace

struct CertificateAuthority::Key {
  ke::KeyPtr key;
  ke::X509Ptr certificate;
};

CertificateAuthority::CertificateAuthority() : key_(std::make_unique<Key>()) {
  std::string pattern = (std::filesystem::temp_directory_path() / "ntsd-test-XXXXXX").string();
  CHECK(mkdtemp(pattern.data()) != nullptr);
  directory_ = pattern;
  LeafOptions options;
  options.common_name = "authority of a test";
  key_->key = MakeKey("P-256");
  key_->certificate = MakeCertificate(options, key_->key.get());
  X509* const certificate = key_->certificate.get();
  X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
  AddExtension(certificate, certificate, NID_basic_constraints, "critical,CA:TRUE");
  AddExtension(certificate, certificate, NID_subject_key_identifier, "hash");
  CHECK(X509_sign(certificate, key_->key.get(), EVP_sha256()) > 0);
  WriteChain(ca_file(), {certificate});
}

CertificateAuthority::~CertificateAuthority() {
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

ke::CertificatePair CertificateAuthority::MakeLeaf(const std::string& name, const LeafOptions& options) {
  const ke::KeyPtr key = MakeKey(options.key_type);
  CHECK(key != nullptr);
  const ke::X509Ptr leaf = MakeCertificate(options, key.get());
  X509_set_issuer_name(leaf.get(), X509_get_subject_name(key_->certificate.get()));
  if (!options.names.empty()) {
    AddExtension(leaf.get(), key_->certificate.get(), NID_subject_alt_name, AlternativeNames(options.names));
  }
  CHECK(X509_sign(leaf.get(), key_->key.get(), EVP_sha256()) > 0);
  WriteChain(Path(name + ".pem"), {leaf.get(), key_->certificate.get()});
  WriteKey(Path(name + ".key"), key.get());
  return {Path(name + ".pem"), Path(name + ".key")};
}

}  // namespace ntsd::testing
