// What a client sent does not stay behind in freed memory.
#include <gtest/gtest.h>
#include <malloc.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <new>
#include <string>

#include "server/control/server.h"
#include "server/control/socket.h"
#include "tests/unit/server/control/fake_service.h"

namespace {

// No JSON from its first octet on, so that the parser copies nothing of what follows.
constexpr char kLine[] = "?the-key-of-all-cookies-of-this-host-and-others\n";
constexpr std::string_view kSecret = std::string_view(kLine).substr(1, sizeof(kLine) - 3);
std::atomic<int> left_behind{0};

void Free(void* memory) {
  if (memory == nullptr) return;
  const std::string_view octets(static_cast<const char*>(memory), malloc_usable_size(memory));
  if (octets.find(kSecret) != std::string_view::npos) left_behind.fetch_add(1);
  std::free(memory);
}

}  // namespace

void* operator new(std::size_t size) {
  void* const memory = std::calloc(1, size == 0 ? 1 : size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void operator delete(void* memory) noexcept { Free(memory); }
void operator delete(void* memory, std::size_t /*size*/) noexcept { Free(memory); }

namespace ntsd {
namespace {

TEST(ControlServerMemory, ALineIsWipedThoughOthersAreConnected) {
  const std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("ntsd_control_memory_" + std::to_string(getpid()));
  testing::FakeService service;
  ControlOptions options;
  options.path = path;
  options.owner = geteuid();
  auto server = ControlServer::Open(std::move(options), service);
  ASSERT_TRUE(server) << server.error();
  (*server)->Start();
  char reply[4096];
  const auto ask = [&reply](const FileDescriptor& fd, std::string_view line) {
    ASSERT_EQ(send(fd.get(), line.data(), line.size(), MSG_NOSIGNAL), static_cast<ssize_t>(line.size()));
    // Ends: the server closes after one answer.
    while (recv(fd.get(), reply, sizeof(reply), 0) > 0) {
    }
  };
  {
    const auto first = ConnectControlSocket(path);
    const auto second = ConnectControlSocket(path);
    ASSERT_TRUE(first && second);
    ASSERT_EQ(send(second->get(), "half", 4, MSG_NOSIGNAL), 4);
    // Served in turn: when the third has its answer, half a line of the second has come.
    const auto third = ConnectControlSocket(path);
    ASSERT_TRUE(third);
    ask(*third, "{\"command\":\"drain\"}\n");
    ask(*first, kLine);
  }
  server->reset();
  EXPECT_EQ(left_behind, 0);
}

TEST(ControlServerMemory, TheLookSeesWhatIsLeftBehind) {
  left_behind = 0;
  { const std::string text(kSecret); }
  EXPECT_EQ(left_behind, 1);
}

}  // namespace
}  // namespace ntsd
