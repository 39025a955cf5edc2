// Certificates made for a test: an authority of its own, and leaves of every kind, as PEM files in a directory that
// goes with the object.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "ke/tls_context.h"

namespace ntsd::testing {

struct LeafOptions {
  std::vector<std::string> names{"localhost"};  // DNS names; an address among them becomes an IP name
  std::string common_name = "a test";
  std::string key_type = "P-256";     // "P-256", "P-384", "Ed25519", "RSA-2048", "RSA-1024" …
  std::chrono::hours not_before{-1};  // from now
  std::chrono::hours not_after{24};
};

class CertificateAuthority {
 public:
  CertificateAuthority();
  ~CertificateAuthority();
  CertificateAuthority(const CertificateAuthority&) = delete;
  CertificateAuthority& operator=(const CertificateAuthority&) = delete;

  // Writes `name`.pem (leaf and authority) and `name`.key; made anew each time.
  ke::CertificatePair MakeLeaf(const std::string& name, const LeafOptions& options = {});
  // The file that a client trusts.
  std::string ca_file() const { return Path("ca.pem"); }
  std::string Path(const std::string& file) const { return (directory_ / file).string(); }

 private:
  struct Key;
  std::filesystem::path directory_;
  std::unique_ptr<Key> key_;
};

}  // namespace ntsd::testing
