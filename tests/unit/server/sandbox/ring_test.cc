// A ring that a worker uses takes nothing but datagrams on its own sockets, whoever gets hold of it.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <liburing.h>
#include <sys/mman.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include "server/system_clock.h"
#include "server/udp/udp_socket.h"
#include "server/udp/uring_port.h"

namespace ntsd {
namespace {

// The only ring of this process.
int FindRing() {
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code error;
    if (std::filesystem::read_symlink(entry, error) == "anon_inode:[io_uring]") {
      return std::stoi(entry.path().filename().string());
    }
  }
  return -1;
}

// A figure of /proc/self/fdinfo, which the kernel writes in hexadecimal.
unsigned Figure(int ring, const std::string& name) {
  std::ifstream info("/proc/self/fdinfo/" + std::to_string(ring));
  for (std::string word; info >> word;) {
    if (word == name + ":" && info >> word) return static_cast<unsigned>(std::stoul(word, nullptr, 16));
  }
  return 0;
}

class WorkersRing : public ::testing::Test {
 protected:
  void SetUp() override {
    const IpEndpoint anywhere{IpAddress::V4(0x7F000001), 0};
    auto socket = OpenUdpSocket(anywhere, 0);
    ASSERT_TRUE(socket) << socket.error();
    socket_ = std::move(*socket);
    auto port = MakeUringPort({{.fd = socket_.get(), .listener = 0, .has_packet_info = false}}, clock_);
    if (!port) GTEST_SKIP() << "no io_uring here: " << port.error();
    port_ = std::move(*port);
    ASSERT_EQ(port_->Begin(), "");
    ring_fd_ = FindRing();
    ASSERT_GE(ring_fd_, 0);
    ShareRing();
  }
  void TearDown() override {
    if (is_shared_) {
      munmap(ring_.sq.sqes, ring_.sq.ring_entries * sizeof(io_uring_sqe));
      munmap(ring_.sq.ring_ptr, ring_.sq.ring_sz);
    }
  }

  // A second view of the same ring, as code that had taken over this thread would have it: another ring of the same
  // size tells where everything lies.
  void ShareRing() {
    io_uring_params params{};
    params.flags = IORING_SETUP_CQSIZE;
    params.cq_entries = Figure(ring_fd_, "CqMask") + 1;
    const int twin = io_uring_setup(Figure(ring_fd_, "SqMask") + 1, &params);
    ASSERT_GE(twin, 0);
    close(twin);
    ASSERT_EQ(io_uring_queue_mmap(ring_fd_, &params, &ring_), 0);
    is_shared_ = true;
  }

  // What the kernel answers to an entry that `prepare` fills.
  template <typename Prepare>
  int Answer(Prepare prepare) {
    io_uring_sqe* const entry = io_uring_get_sqe(&ring_);
    prepare(entry);
    entry->user_data = 77;
    if (const int result = io_uring_submit_and_wait(&ring_, 1); result < 0) return result;
    io_uring_cqe* completion = nullptr;
    if (io_uring_peek_cqe(&ring_, &completion) != 0) return 1;
    const int result = completion->res;
    io_uring_cqe_seen(&ring_, completion);
    return result;
  }

  const SystemClock clock_;
  Descriptor socket_;
  std::unique_ptr<UdpPort> port_;
  int ring_fd_ = -1;
  io_uring ring_{};
  bool is_shared_ = false;
};

TEST_F(WorkersRing, RefusesEveryOtherOperation) {
  EXPECT_EQ(Answer([](io_uring_sqe* e) { io_uring_prep_openat(e, AT_FDCWD, "/etc/passwd", O_RDONLY, 0); }), -EACCES);
  EXPECT_EQ(Answer([](io_uring_sqe* e) { io_uring_prep_connect(e, 0, nullptr, 0); }), -EACCES);
  EXPECT_EQ(Answer([](io_uring_sqe* e) { io_uring_prep_read(e, 0, nullptr, 0, 0); }), -EACCES);
  EXPECT_EQ(Answer([](io_uring_sqe* e) { io_uring_prep_nop(e); }), -EACCES);
}

TEST_F(WorkersRing, RefusesFilesThatAreNotRegistered) {
  char octet = 0;
  EXPECT_EQ(Answer([&](io_uring_sqe* e) { io_uring_prep_send(e, socket_.get(), &octet, 1, MSG_DONTWAIT); }), -EACCES);
}

TEST_F(WorkersRing, TakesDatagramsOnItsSocket) {
  char octet = 0;
  // The twin of the refusals: this one reaches the socket, which has no peer to send to.
  EXPECT_EQ(Answer([&](io_uring_sqe* e) {
              io_uring_prep_send(e, 0, &octet, 1, MSG_DONTWAIT);
              e->flags |= IOSQE_FIXED_FILE;
            }),
            -EDESTADDRREQ);
}

TEST_F(WorkersRing, RegistersNothingMore) {
  int fd = socket_.get();
  EXPECT_EQ(io_uring_register(static_cast<unsigned>(ring_fd_), IORING_REGISTER_FILES, &fd, 1), -EACCES);
}

}  // namespace
}  // namespace ntsd
