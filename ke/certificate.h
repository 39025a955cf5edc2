// Certificates and keys from files, with words for what is wrong with them.
//
// Threads: functions of their arguments. Errors: one line that names the file.
#pragma once

#include <string>
#include <vector>

#include "core/base/expected.h"
#include "core/base/time.h"
#include "ke/openssl.h"
#include "ke/tls_context.h"

namespace ntsd::ke {

struct LoadedCertificate {
  std::vector<X509Ptr> chain;  // the leaf first; never empty
  KeyPtr key;
  CertificateInfo info;
};

Expected<LoadedCertificate, std::string> LoadCertificate(const CertificatePair& pair, UnixTime now);

// What a certificate says; `chain` stays empty.
CertificateInfo DescribeCertificate(X509* certificate);

}  // namespace ntsd::ke
