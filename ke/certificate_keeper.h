// Keeps the certificates of a service fresh: loads them again when their files change or somebody asks, and says in
// time when they are about to expire.
//
//   control thread, every few seconds: keeper.Poll()          `ntsctl reload`, SIGHUP: keeper.Reload()
//
// Files are looked at by their paths each time, links followed, so that it does not matter whether they are written in
// place, renamed over, or reached by a link that moves (Kubernetes, certbot).
//
// Threads: belongs to one thread. Errors: a pair that will not do changes nothing; the reason is returned or logged.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/clock.h"
#include "ke/server.h"

namespace ntsd::ke {

// Tells when files have changed and have then been left alone between two looks: whoever replaces two files does not
// do it in one moment.
class FileWatch {
 public:
  explicit FileWatch(std::vector<std::string> paths);

  // True once for each change.
  bool HasChanged();

 private:
  struct Fingerprint {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::int64_t modified_s = 0;
    std::int64_t modified_ns = 0;
    std::int64_t size = -1;  // there is no such file

    friend bool operator==(const Fingerprint&, const Fingerprint&) = default;
  };
  std::vector<Fingerprint> Look() const;

  std::vector<std::string> paths_;
  std::vector<Fingerprint> settled_;
  std::vector<Fingerprint> latest_;
};

// Remembers how often it has warned. Days before a certificate's end: 14, 7, 1, and 0 when it has expired.
class ExpiryAlarm {
 public:
  // The line to log, empty when there is nothing new to say.
  std::string Check(const CertificateInfo& certificate, UnixTime now);

 private:
  std::size_t warned_count_ = 0;
  UnixTime not_after_{};
};

class CertificateKeeper {
 public:
  CertificateKeeper(Server& server, std::size_t service, std::vector<CertificatePair> pairs, const Clock& clock,
                    std::function<void(LogLevel, std::string_view)> log);

  // Loads now. Empty: the new certificates are in use; otherwise what is wrong, and the old ones stay.
  std::string Reload();
  // The same for other pairs: what a changed configuration names.
  std::string Reload(std::vector<CertificatePair> pairs);
  // Loads when files have changed, or would not do the last time, and warns of the end.
  void Poll();

 private:
  void WarnOfExpiry();

  Server& server_;
  const std::size_t service_;
  std::vector<CertificatePair> pairs_;
  const Clock& clock_;
  std::function<void(LogLevel, std::string_view)> log_;
  FileWatch watch_;
  std::string trouble_;  // why Poll() could not load what has changed; empty when it could
  std::vector<ExpiryAlarm> alarms_;
};

}  // namespace ntsd::ke
