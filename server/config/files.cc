#include "server/config/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "core/base/secret.h"

namespace ntsd {
namespace {

// Certificate chains and leap second lists are some kilobytes; more than this need not be looked at.
constexpr std::size_t kLookedAtMax = 256 * 1024;

std::string ErrorText(int error) { return std::generic_category().message(error); }

// The begin of a file, wiped when it goes: it may hold a private key.
struct FileText {
  std::string text;
  ~FileText() { Wipe(ByteSpan(reinterpret_cast<std::uint8_t*>(text.data()), text.size())); }
};

// Fills `file`; returns what is wrong, or "".
std::string ReadBegin(const std::string& path, FileText& file) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return fmt::format("cannot open {}: {}", path, ErrorText(errno));
  struct stat status {};
  std::string problem;
  if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
    problem = fmt::format("{} is not a file", path);
  } else {
    file.text.resize(kLookedAtMax);
    const ssize_t size = read(fd, file.text.data(), file.text.size());
    if (size < 0) problem = fmt::format("cannot read {}: {}", path, ErrorText(errno));
    file.text.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
  }
  close(fd);
  return problem;
}

class FileChecker {
 public:
  FileChecker(const Config& config, const ConfigOrigins& origins) : config_(config), origins_(origins) {}

  std::vector<ConfigError> Run() {
    for (std::size_t i = 0; i < config_.ke.size(); ++i) {
      const KeConfig& ke = config_.ke[i];
      for (std::size_t j = 0; j < ke.certificates.size(); ++j) {
        const std::string key = fmt::format("ke[{}].certificates[{}]", i, j);
        Expect(key + ".chain", ke.certificates[j].chain, "-----BEGIN CERTIFICATE-----", "a certificate chain in PEM");
        Expect(key + ".key", ke.certificates[j].key, "PRIVATE KEY-----", "a private key in PEM");
      }
      if (!ke.pool_tokens.empty()) {
        Expect(fmt::format("ke[{}].pool-tokens", i), ke.pool_tokens, "", "one token a line");
      }
    }
    CheckKeyFile();
    const std::string& leap_seconds = config_.reference.leap_seconds;
    if (!leap_seconds.empty())
      Expect("reference.leap-seconds", leap_seconds, "#@", "leap-seconds.list with its expiry");
    CheckUser();
    return std::move(errors_);
  }

 private:
  void Fail(std::string_view key, std::string problem) {
    errors_.push_back(origins_.ErrorAt(key, std::move(problem), ConfigError::Kind::kEnvironment));
  }

  void Expect(const std::string& key, const std::string& path, std::string_view mark, std::string_view what) {
    FileText file;
    const std::string problem = ReadBegin(path, file);
    if (!problem.empty()) {
      Fail(key, problem);
    } else if (file.text.empty() || file.text.find(mark) == std::string::npos) {
      Fail(key, fmt::format("{} is not what it should be: expected {}", path, what));
    }
  }

  void CheckKeyFile() {
    const std::string& path = config_.keys.file;
    if (config_.keys.source == KeySourceKind::kFollow) return Expect("keys.file", path, "", "a key file");
    std::error_code error;
    if (std::filesystem::exists(path, error)) return Expect("keys.file", path, "", "a key file");
    if (error) return Fail("keys.file", fmt::format("cannot look for {}: {}", path, error.message()));
    const std::filesystem::path folder = std::filesystem::absolute(path, error).parent_path();
    if (!std::filesystem::is_directory(folder, error)) {
      Fail("keys.file", fmt::format("the directory {} does not exist; create it for process.user", folder.string()));
    }
  }

  void CheckUser() {
    const std::string& user = config_.process.user;
    if (geteuid() != 0 || user.empty()) return;
    if (getpwnam(user.c_str()) == nullptr) {  // NOLINT(concurrency-mt-unsafe): before any thread of ours exists
      Fail("process.user", fmt::format("there is no user {}; create it, or name another one", user));
    }
  }

  const Config& config_;
  const ConfigOrigins& origins_;
  std::vector<ConfigError> errors_;
};

}  // namespace

std::vector<ConfigError> CheckFiles(const Config& config, const ConfigOrigins& origins) {
  return FileChecker(config, origins).Run();
}

}  // namespace ntsd
