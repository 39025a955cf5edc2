#include "ke/certificate_keeper.h"

#include <sys/stat.h>

#include <array>

namespace ntsd::ke {

namespace {

constexpr std::array<std::int64_t, 4> kWarnings_days{14, 7, 1, 0};

std::vector<std::string> PathsOf(const std::vector<CertificatePair>& pairs) {
  std::vector<std::string> paths;
  for (const CertificatePair& pair : pairs) {
    paths.push_back(pair.chain);
    paths.push_back(pair.key);
  }
  return paths;
}

}  // namespace

FileWatch::FileWatch(std::vector<std::string> paths) : paths_(std::move(paths)), settled_(Look()), latest_(settled_) {}

std::vector<FileWatch::Fingerprint> FileWatch::Look() const {
  std::vector<Fingerprint> seen(paths_.size());
  for (std::size_t i = 0; i < paths_.size(); ++i) {
    struct stat status {};
    if (stat(paths_[i].c_str(), &status) != 0) continue;
    seen[i] = {status.st_dev, status.st_ino, status.st_mtim.tv_sec, status.st_mtim.tv_nsec, status.st_size};
  }
  return seen;
}

bool FileWatch::HasChanged() {
  std::vector<Fingerprint> seen = Look();
  const bool is_settled = seen == latest_;
  latest_ = std::move(seen);
  if (!is_settled || latest_ == settled_) return false;
  settled_ = latest_;
  return true;
}

std::string ExpiryAlarm::Check(const CertificateInfo& certificate, UnixTime now) {
  if (certificate.not_after != not_after_) {
    not_after_ = certificate.not_after;
    warned_count_ = 0;
  }
  const Duration left = not_after_ - now;
  std::size_t due_count = 0;
  // Ends: with the list of warnings.
  while (due_count < kWarnings_days.size() && left <= std::chrono::hours(24 * kWarnings_days[due_count])) ++due_count;
  if (due_count <= warned_count_) return {};
  warned_count_ = due_count;
  const std::int64_t hours = std::chrono::duration_cast<std::chrono::hours>(left).count();
  if (left <= Duration::zero()) return certificate.chain + ": the certificate has expired; clients refuse it";
  if (hours < 48) return certificate.chain + ": the certificate expires in " + std::to_string(hours) + " hours";
  return certificate.chain + ": the certificate expires in " + std::to_string(hours / 24) + " days";
}

CertificateKeeper::CertificateKeeper(Server& server, std::size_t service, std::vector<CertificatePair> pairs,
                                     const Clock& clock, std::function<void(LogLevel, std::string_view)> log)
    : server_(server),
      service_(service),
      pairs_(std::move(pairs)),
      clock_(clock),
      log_(std::move(log)),
      watch_(PathsOf(pairs_)) {
  WarnOfExpiry();
}

std::string CertificateKeeper::Reload() { return Reload(pairs_); }

std::string CertificateKeeper::Reload(std::vector<CertificatePair> pairs) {
  // Looked at before they are read: a change in between is seen as one at the next Poll().
  FileWatch watch(PathsOf(pairs));
  Expected<std::shared_ptr<const TlsContext>, std::string> context = TlsContext::Load(pairs, clock_.Now());
  if (!context.has_value()) return std::move(context.error());
  server_.Use(service_, std::move(*context));
  pairs_ = std::move(pairs);
  watch_ = std::move(watch);
  trouble_.clear();
  WarnOfExpiry();
  return {};
}

void CertificateKeeper::Poll() {
  // What was wrong may end without a change that shows: a lack of descriptors, a mode that is set late, a clock.
  if (watch_.HasChanged() || !trouble_.empty()) {
    std::string error = Reload();
    if (error.empty()) {
      log_(LogLevel::kInfo, pairs_.front().chain + ": the certificate files have changed and are in use");
    } else if (error != trouble_) {
      log_(LogLevel::kError, error + "; the former certificates stay in use");
    }
    trouble_ = std::move(error);
  }
  WarnOfExpiry();
}

void CertificateKeeper::WarnOfExpiry() {
  const std::shared_ptr<const TlsContext> context = server_.Context(service_);
  alarms_.resize(context->certificates().size());
  for (std::size_t i = 0; i < alarms_.size(); ++i) {
    const std::string warning = alarms_[i].Check(context->certificates()[i], clock_.Now());
    if (!warning.empty()) log_(LogLevel::kWarning, warning);
  }
}

}  // namespace ntsd::ke
