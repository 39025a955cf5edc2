#include "ke/secret_file.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

namespace ntsd::ke {

namespace {

// Certificate chains and lists of tokens have some kilobytes; what is larger is another kind of file.
constexpr std::size_t kFileSizeMax = std::size_t{1} << 20;

}  // namespace

std::string SecretFile::Read(const std::string& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "re"), std::fclose);
  if (file == nullptr) return path + ": cannot be opened: " + std::strerror(errno);
  // Without this the C library would keep a copy that nobody wipes.
  std::setvbuf(file.get(), nullptr, _IONBF, 0);
  octets_.resize(kFileSizeMax + 1);
  const std::size_t size = std::fread(octets_.data(), 1, octets_.size(), file.get());
  if (std::ferror(file.get()) != 0) return path + ": cannot be read: " + std::strerror(errno);
  if (size > kFileSizeMax) return path + ": is larger than such a file can be";
  octets_.resize(size);
  return {};
}

}  // namespace ntsd::ke
