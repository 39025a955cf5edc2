#include "server/ntsctl/control_client.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>
#include <string_view>
#include <system_error>
#include <vector>

#include "core/base/secret.h"
#include "server/control/socket.h"

namespace ntsd {
namespace {

std::string ErrorText(int error) {
  return error == EAGAIN ? "no answer in time" : std::generic_category().message(error);
}

// "" or what is wrong.
std::string SendLine(const FileDescriptor& fd, std::string line) {
  line += '\n';
  std::string problem;
  for (std::size_t sent = 0; sent < line.size() && problem.empty();) {
    const ssize_t size = send(fd.get(), line.data() + sent, line.size() - sent, MSG_NOSIGNAL);
    if (size >= 0) {
      sent += static_cast<std::size_t>(size);
    } else if (errno != EINTR) {
      problem = fmt::format("the server does not listen: {}", ErrorText(errno));
    }
  }
  Wipe(ByteSpan(reinterpret_cast<std::uint8_t*>(line.data()), line.size()));  // keys may be in it
  return problem;
}

Expected<std::string, std::string> ReceiveLine(const FileDescriptor& fd) {
  std::string line;
  std::vector<char> piece(65536);
  // Ends: with a newline, the end of the stream, the timeout or the bound.
  while (line.size() <= kControlReplySizeMax) {
    const ssize_t size = recv(fd.get(), piece.data(), piece.size(), 0);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return Unexpected(fmt::format("the server does not answer: {}", ErrorText(errno)));
    if (size == 0) return Unexpected(std::string("the server closed the connection without an answer"));
    const std::string_view received(piece.data(), static_cast<std::size_t>(size));
    const std::size_t newline = received.find('\n');
    line += received.substr(0, newline);
    if (newline != std::string_view::npos) return line;
  }
  return Unexpected(std::string("the answer of the server is too long"));
}

}  // namespace

Expected<std::string, std::string> AskServer(const std::string& path, const ControlRequest& request) {
  const Expected<FileDescriptor, std::string> fd = ConnectControlSocket(path);
  if (!fd) return Unexpected(fd.error());
  const timeval timeout{kControlReplyTimeout.count(), 0};
  setsockopt(fd->get(), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
  setsockopt(fd->get(), SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
  std::string problem = SendLine(*fd, FormatControlRequest(request));
  if (!problem.empty()) return Unexpected(std::move(problem));
  return ReceiveLine(*fd);
}

}  // namespace ntsd
