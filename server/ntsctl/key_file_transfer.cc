#include "server/ntsctl/key_file_transfer.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "server/control/message.h"
#include "server/control/socket.h"

namespace ntsd {
namespace {

// What is left of a request for the text of the file, JSON's escapes counted.
constexpr std::size_t kTransferSizeMax = kControlRequestSizeMax / 2;

std::string ErrorText(int error) { return std::generic_category().message(error); }

}  // namespace

Expected<std::string, std::string> ReadKeyFile(const std::string& path) {
  const FileDescriptor fd(path == "-" ? dup(STDIN_FILENO) : open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd.get() < 0) return Unexpected(fmt::format("cannot open {}: {}", path, ErrorText(errno)));
  std::string text(kTransferSizeMax + 1, '\0');
  std::size_t size = 0;
  // Ends: every turn reads something, up to the bound, or leaves.
  while (size < text.size()) {
    const ssize_t piece = read(fd.get(), text.data() + size, text.size() - size);
    if (piece < 0) return Unexpected(fmt::format("cannot read {}: {}", path, ErrorText(errno)));
    if (piece == 0) break;
    size += static_cast<std::size_t>(piece);
  }
  if (size > kTransferSizeMax) return Unexpected(fmt::format("{} is too long for a key file", path));
  text.resize(size);
  return text;
}

std::string WriteKeyFile(const std::string& path, const std::string& text) {
  const FileDescriptor fd(path == "-" ? dup(STDOUT_FILENO)
                                      : open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (fd.get() < 0 && errno == EEXIST) return fmt::format("{} exists; remove it or choose another name", path);
  if (fd.get() < 0) return fmt::format("cannot create {}: {}", path, ErrorText(errno));
  for (std::size_t written = 0; written < text.size();) {
    const ssize_t piece = write(fd.get(), text.data() + written, text.size() - written);
    if (piece < 0) return fmt::format("cannot write {}: {}", path, ErrorText(errno));
    written += static_cast<std::size_t>(piece);
  }
  // A pipe or a terminal cannot be flushed to a disk.
  if (path != "-" && fsync(fd.get()) != 0) return fmt::format("cannot write {}: {}", path, ErrorText(errno));
  return "";
}

}  // namespace ntsd
