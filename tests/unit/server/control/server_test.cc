#include "server/control/server.h"

#include <gmock/gmock.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "server/control/message.h"
#include "server/control/socket.h"
#include "tests/unit/server/control/fake_service.h"

namespace ntsd {
namespace {

using ::ntsd::testing::FakeService;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kStatusLine[] = "{\"command\":\"status\"}\n";

class ControlServerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("ntsd_control_" + std::to_string(getpid()));
    std::filesystem::create_directory(folder_);
  }
  void TearDown() override {
    server_.reset();
    std::filesystem::remove_all(folder_);
  }

  std::string Path() const { return folder_ / "control.sock"; }
  ControlOptions Options() const {
    ControlOptions options;
    options.path = Path();
    options.owner = geteuid();
    return options;
  }
  void Open(ControlOptions options) {
    auto server = ControlServer::Open(std::move(options), service_);
    ASSERT_TRUE(server) << server.error();
    server_ = *std::move(server);
  }
  std::string OpenError() {
    const auto server = ControlServer::Open(Options(), service_);
    return server ? "" : server.error();
  }

  FileDescriptor Connect() const {
    Expected<FileDescriptor, std::string> fd = ConnectControlSocket(Path());
    if (!fd) return FileDescriptor();
    const timeval timeout{10, 0};
    setsockopt(fd->get(), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    return *std::move(fd);
  }
  static void Send(const FileDescriptor& fd, std::string_view text) {
    // The server may close before it read all of a long request.
    [[maybe_unused]] const ssize_t size = send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL);
  }
  static std::string ReadAll(const FileDescriptor& fd) {
    std::string text;
    char piece[4096];
    // Ends: the server closes after one answer, or the receive timeout ends it.
    for (ssize_t size = 0; (size = recv(fd.get(), piece, sizeof(piece), 0)) > 0;) {
      text.append(piece, static_cast<std::size_t>(size));
    }
    return text;
  }
  std::string Ask(std::string_view text) const {
    const FileDescriptor fd = Connect();
    Send(fd, text);
    return ReadAll(fd);
  }

  std::filesystem::path folder_;
  FakeService service_;
  std::unique_ptr<ControlServer> server_;
};

TEST_F(ControlServerTest, AnswersOneLineWithOneLine) {
  Open(Options());
  server_->Start();
  const std::string reply = Ask(kStatusLine);
  EXPECT_THAT(reply, StartsWith("{\"ok\":true"));
  EXPECT_EQ(reply.find('\n'), reply.size() - 1);
}

TEST_F(ControlServerTest, TakesARequestOctetByOctet) {
  Open(Options());
  server_->Start();
  const FileDescriptor fd = Connect();
  for (const char c : std::string_view(kStatusLine)) Send(fd, std::string_view(&c, 1));
  EXPECT_THAT(ReadAll(fd), StartsWith("{\"ok\":true"));
}

TEST_F(ControlServerTest, RefusesALineThatNeverEnds) {
  Open(Options());
  server_->Start();
  EXPECT_THAT(Ask(std::string(kControlRequestSizeMax + 5000, 'a')), HasSubstr("too long"));
}

TEST_F(ControlServerTest, SilentClientsAreDroppedAndBlockNobody) {
  ControlOptions options = Options();
  options.deadline = milliseconds(300);
  Open(std::move(options));
  server_->Start();
  std::vector<FileDescriptor> silent;
  for (int i = 0; i < 3; ++i) silent.push_back(Connect());
  EXPECT_THAT(Ask(kStatusLine), StartsWith("{\"ok\":true"));
  EXPECT_EQ(ReadAll(silent[0]), "") << "closed without an answer, at its deadline";
}

TEST_F(ControlServerTest, AFullTableIsEmptiedByTheDeadline) {
  ControlOptions options = Options();
  options.deadline = milliseconds(300);
  Open(std::move(options));
  server_->Start();
  std::vector<FileDescriptor> silent;
  for (std::size_t i = 0; i < kControlClientsMax; ++i) silent.push_back(Connect());
  EXPECT_THAT(Ask(kStatusLine), StartsWith("{\"ok\":true"));
}

TEST_F(ControlServerTest, WithoutADescriptorItWaitsAndDoesNotSpin) {
  const char* const preloaded = getenv("LD_PRELOAD");
  if (preloaded != nullptr && std::string_view(preloaded).find("vgpreload") != std::string_view::npos) {
    GTEST_SKIP() << "valgrind itself accepts what is beyond the limit, and closes it";
  }
  Open(Options());
  server_->Start();
  const auto cpu_time = [] {
    rusage used{};
    getrusage(RUSAGE_SELF, &used);
    return seconds(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           std::chrono::microseconds(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
  };
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  FileDescriptor client(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  {
    // The next descriptor would be the first one that is too many.
    const FileDescriptor next(dup(client.get()));
    const rlimit none_left{static_cast<rlim_t>(next.get()), limit.rlim_max};
    setrlimit(RLIMIT_NOFILE, &none_left);
  }
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  Path().copy(address.sun_path, sizeof(address.sun_path) - 1);
  const auto before = cpu_time();
  EXPECT_EQ(connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  std::this_thread::sleep_for(milliseconds(400));
  const auto used = cpu_time() - before;
  setrlimit(RLIMIT_NOFILE, &limit);
  EXPECT_LT(used, milliseconds(40));
  Send(client, kStatusLine);
  EXPECT_THAT(ReadAll(client), StartsWith("{\"ok\":true")) << "as soon as there is one";
}

TEST_F(ControlServerTest, ALargeAnswerWaitsForItsReader) {
  class Talkative : public FakeService {
    StatsReport Stats() override { return {{{std::string(2'000'000, 'x'), "", MetricKind::kGauge, {}}}}; }
  };
  Talkative service;
  auto server = ControlServer::Open(Options(), service);
  ASSERT_TRUE(server) << server.error();
  (*server)->Start();
  const FileDescriptor fd = Connect();
  Send(fd, "{\"command\":\"stats\"}\n");
  EXPECT_THAT(Ask(kStatusLine), StartsWith("{\"ok\":true")) << "while the other has not read yet";
  EXPECT_GT(ReadAll(fd).size(), 2'000'000U);
}

TEST_F(ControlServerTest, TicksEverySecondFromItsThread) {
  std::atomic<int> ticks = 0;
  ControlOptions options = Options();
  options.every_second = [&] { ++ticks; };
  Open(std::move(options));
  server_->Start();
  Ask(kStatusLine);
  EXPECT_GE(ticks, 1);
}

TEST_F(ControlServerTest, TheSocketIsForItsGroupOnly) {
  Open(Options());
  struct stat status {};
  ASSERT_EQ(stat(Path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600U) << "no group, nobody else";
  server_.reset();

  const group* const own_group = getgrgid(getegid());
  if (own_group == nullptr) GTEST_SKIP() << "the group of this process has no name";
  ControlOptions options = Options();
  options.group = own_group->gr_name;
  Open(std::move(options));
  EXPECT_EQ(server_->warning(), "");
  ASSERT_EQ(stat(Path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0660U);
  EXPECT_EQ(status.st_gid, getegid());
}

TEST_F(ControlServerTest, AMissingGroupIsAWarning) {
  ControlOptions options = Options();
  options.group = "no-such-group-here";
  Open(std::move(options));
  EXPECT_THAT(server_->warning(), HasSubstr("there is no group no-such-group-here"));
  struct stat status {};
  ASSERT_EQ(stat(Path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600U);
}

TEST_F(ControlServerTest, ReplacesASocketThatNobodyListensAt) {
  {
    const Expected<BoundSocket, std::string> left_behind = BindControlSocket(Path(), "", geteuid());
    ASSERT_TRUE(left_behind) << left_behind.error();
  }
  ASSERT_TRUE(std::filesystem::exists(Path()));
  Open(Options());
  server_->Start();
  EXPECT_THAT(Ask(kStatusLine), StartsWith("{\"ok\":true"));
}

TEST_F(ControlServerTest, LeavesALivingSocketAndAForeignFileAlone) {
  Open(Options());
  server_->Start();
  EXPECT_THAT(OpenError(), HasSubstr("another ntsd listens at"));
  EXPECT_THAT(Ask(kStatusLine), StartsWith("{\"ok\":true"));
  server_.reset();
  std::ofstream(Path()) << "precious";
  EXPECT_THAT(OpenError(), HasSubstr("is not a socket"));
  EXPECT_EQ(std::filesystem::file_size(Path()), 8U);
}

TEST_F(ControlServerTest, RemovesItsSocketAtTheEndButNotItsSuccessors) {
  Open(Options());
  server_.reset();
  EXPECT_FALSE(std::filesystem::exists(Path()));
  Open(Options());
  std::filesystem::remove(Path());
  const Expected<BoundSocket, std::string> successor = BindControlSocket(Path(), "", geteuid());
  ASSERT_TRUE(successor) << successor.error();
  server_.reset();
  EXPECT_TRUE(std::filesystem::exists(Path()));
}

TEST_F(ControlServerTest, MakesOneMissingFolder) {
  ControlOptions options = Options();
  options.path = folder_ / "run" / "control.sock";
  Open(std::move(options));
  server_.reset();
  options = Options();
  options.path = folder_ / "a" / "b" / "control.sock";
  const auto deeper = ControlServer::Open(std::move(options), service_);
  ASSERT_FALSE(deeper);
  EXPECT_THAT(deeper.error(), HasSubstr("cannot create the folder"));
}

TEST_F(ControlServerTest, ClientsLearnWhatIsWrong) {
  EXPECT_THAT(ConnectControlSocket(Path()).error(), HasSubstr("is ntsd running?"));
  { const auto left_behind = BindControlSocket(Path(), "", geteuid()); }
  EXPECT_THAT(ConnectControlSocket(Path()).error(), HasSubstr("ntsd is not running"));
  EXPECT_THAT(ConnectControlSocket(std::string(200, 'a')).error(), HasSubstr("too long"));
}

}  // namespace
}  // namespace ntsd
