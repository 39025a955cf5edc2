#include "ke/certificate.h"

#include <array>
#include <chrono>
#include <ctime>

#include "ke/secret_file.h"

namespace ntsd::ke {

namespace {

BioPtr Open(const SecretFile& file) {
  return BioPtr(BIO_new_mem_buf(file.octets().data(), static_cast<int>(file.octets().size())));
}

// A key with a passphrase needs somebody at a terminal; a server has nobody there.
int RefusePassphrase(char* /*buffer*/, int /*size*/, int /*writing*/, void* asked) {
  *static_cast<bool*>(asked) = true;
  return -1;
}

std::string ReadChain(const std::string& path, std::vector<X509Ptr>& chain) {
  SecretFile file;
  if (std::string error = file.Read(path); !error.empty()) return error;
  const BioPtr bio = Open(file);
  // Ends: every certificate uses up octets of the file.
  while (X509* const certificate = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)) {
    chain.emplace_back(certificate);
  }
  const unsigned long error = ERR_peek_last_error();
  const bool at_end = ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
  const std::string reason = TakeOpensslError();
  if (!at_end) return path + ": certificate " + std::to_string(chain.size() + 1) + " is damaged: " + reason;
  if (chain.empty()) return path + ": holds no certificate in PEM form";
  return {};
}

std::string ReadKey(const std::string& path, KeyPtr& key) {
  SecretFile file;
  if (std::string error = file.Read(path); !error.empty()) return error;
  const BioPtr bio = Open(file);
  bool asked_for_passphrase = false;
  key.reset(PEM_read_bio_PrivateKey(bio.get(), nullptr, RefusePassphrase, &asked_for_passphrase));
  const std::string reason = TakeOpensslError();
  if (asked_for_passphrase) return path + ": the key is protected by a passphrase; a server needs it without one";
  if (key == nullptr) return path + ": holds no private key in PEM form (" + reason + ")";
  return {};
}

UnixTime ToUnixTime(const ASN1_TIME* time) {
  std::tm parts{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1) return UnixTime{};
  return std::chrono::time_point_cast<std::chrono::nanoseconds>(std::chrono::system_clock::from_time_t(timegm(&parts)));
}

std::string DateText(UnixTime time) {
  const std::time_t seconds = std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S UTC", &parts);
  return text.data();
}

std::string NameText(const X509_NAME* name) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(bio.get(), name, 0, XN_FLAG_ONELINE & ~ASN1_STRFLGS_ESC_MSB);
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return size > 0 ? std::string(text, static_cast<std::size_t>(size)) : std::string();
}

std::string LowerCase(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
  }
  return text;
}

std::vector<std::string> DnsNames(X509* certificate) {
  std::vector<std::string> names;
  const auto free_names = [](GENERAL_NAMES* list) { GENERAL_NAMES_free(list); };
  const std::unique_ptr<GENERAL_NAMES, decltype(free_names)> list(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)), free_names);
  for (int i = 0; list != nullptr && i < sk_GENERAL_NAME_num(list.get()); ++i) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(list.get(), i);
    if (name->type != GEN_DNS) continue;
    const auto* const text = reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName));
    names.push_back(LowerCase(std::string(text, static_cast<std::size_t>(ASN1_STRING_length(name->d.dNSName)))));
  }
  if (list == nullptr) {
    std::array<char, 256> common_name{};
    const int size = X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, common_name.data(),
                                               static_cast<int>(common_name.size()));
    if (size > 0) names.push_back(LowerCase(common_name.data()));
  }
  return names;
}

std::string KeyType(X509* certificate) {
  const EVP_PKEY* const key = X509_get0_pubkey(certificate);
  if (key == nullptr) return "unknown";
  switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA:
      return "RSA " + std::to_string(EVP_PKEY_get_bits(key));
    case EVP_PKEY_RSA_PSS:
      return "RSA-PSS " + std::to_string(EVP_PKEY_get_bits(key));
    case EVP_PKEY_EC:
      return "ECDSA P-" + std::to_string(EVP_PKEY_get_bits(key));
    case EVP_PKEY_ED25519:
      return "Ed25519";
    case EVP_PKEY_ED448:
      return "Ed448";
    default:
      return "unknown";
  }
}

std::string SerialNumber(X509* certificate) {
  const ASN1_INTEGER* const serial = X509_get0_serialNumber(certificate);
  std::string text;
  for (int i = 0; i < ASN1_STRING_length(serial); ++i) {
    constexpr char kDigits[] = "0123456789abcdef";
    const unsigned octet = ASN1_STRING_get0_data(serial)[i];
    text += kDigits[octet >> 4];
    text += kDigits[octet & 15];
  }
  return text;
}

}  // namespace

CertificateInfo DescribeCertificate(X509* certificate) {
  CertificateInfo info;
  info.names = DnsNames(certificate);
  info.subject = NameText(X509_get_subject_name(certificate));
  info.issuer = NameText(X509_get_issuer_name(certificate));
  info.serial = SerialNumber(certificate);
  info.key_type = KeyType(certificate);
  info.not_before = ToUnixTime(X509_get0_notBefore(certificate));
  info.not_after = ToUnixTime(X509_get0_notAfter(certificate));
  return info;
}

Expected<LoadedCertificate, std::string> LoadCertificate(const CertificatePair& pair, UnixTime now) {
  ERR_clear_error();
  LoadedCertificate loaded;
  if (std::string error = ReadChain(pair.chain, loaded.chain); !error.empty()) return Unexpected(std::move(error));
  if (std::string error = ReadKey(pair.key, loaded.key); !error.empty()) return Unexpected(std::move(error));
  if (X509_check_private_key(loaded.chain.front().get(), loaded.key.get()) != 1) {
    ERR_clear_error();
    return Unexpected(pair.key + ": the key does not belong to the first certificate of " + pair.chain);
  }
  loaded.info = DescribeCertificate(loaded.chain.front().get());
  loaded.info.chain = pair.chain;
  if (loaded.info.not_after <= now) {
    return Unexpected(pair.chain + ": the certificate expired on " + DateText(loaded.info.not_after));
  }
  return loaded;
}

}  // namespace ntsd::ke
