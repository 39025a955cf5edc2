// Each door is tried from inside; the twin of each refusal is what must still work.
#include "server/sandbox/sandbox.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <linux/io_uring.h>
#include <linux/ptp_clock.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>

#include "server/sandbox/call_filter.h"

namespace ntsd {
namespace {

namespace fs = std::filesystem;

// How a child ended: with an errno (0: what it tried worked), or by a signal.
struct Outcome {
  int error = -1;
  int signal = 0;
};
bool operator==(const Outcome& a, const Outcome& b) { return a.error == b.error && a.signal == b.signal; }
void PrintTo(const Outcome& outcome, std::ostream* out) {
  if (outcome.signal != 0) {
    *out << "signal " << outcome.signal;
  } else {
    *out << "error " << outcome.error << " (" << strerror(outcome.error) << ")";
  }
}
Outcome Error(int error) { return {.error = error, .signal = 0}; }
Outcome Killed(int signal) { return {.error = -1, .signal = signal}; }
const Outcome kWorks = Error(0);
constexpr int kNoSandbox = 255;

// What a call that returns -1 on failure made of it.
int ErrorOf(long result) { return result < 0 ? errno : 0; }

// What `attempt` returned in a child, or what ended the child.
Outcome InChild(const std::function<int()>& attempt) {
  const pid_t child = fork();
  if (child == 0) _exit(attempt());
  int status = 0;
  waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? Killed(WTERMSIG(status)) : Error(WEXITSTATUS(status));
}

class FromInside : public ::testing::Test {
 protected:
  FromInside() {
    std::string pattern = fs::canonical(::testing::TempDir()).string() + "/inside-XXXXXX";
    root_ = ::mkdtemp(pattern.data());
    for (const char* name : {"read", "write", "outside"}) {
      fs::create_directory(root_ / name);
      std::ofstream(root_ / name / "file") << "x";
    }
  }
  ~FromInside() override { fs::remove_all(root_); }

  // The errno of what a child tried that had shut both doors before.
  Outcome Try(const std::function<int()>& attempt) const {
    return InChild([&] { return ShutIn() ? attempt() : kNoSandbox; });
  }
  Outcome TryOpen(const std::string& name, int flags) const {
    return Try([this, name, flags] { return ErrorOf(open((root_ / name).c_str(), flags, 0600)); });
  }

  bool ShutIn() const {
    const rlimit no_core{0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return false;
    Sandbox sandbox;
    const DirectoryGrant grants[] = {{.directory = root_ / "read", .reach = Reach::kRead},
                                     {.directory = root_ / "write", .reach = Reach::kWrite},
                                     {.directory = root_ / "nowhere", .reach = Reach::kRead}};
    if (has_landlock_) sandbox.EnterDirectories(grants);
    if (has_filter_) sandbox.FilterCalls();
    return sandbox.missing().empty();
  }

  fs::path root_;
  const bool has_landlock_ = LandlockAbi() > 0;
  const bool has_filter_ = IsCallFilterBuilt();
};

class Landlock : public FromInside {
  void SetUp() override {
    if (!has_landlock_) GTEST_SKIP() << "this kernel has no Landlock";
  }
};

TEST_F(Landlock, LeavesWhatIsGranted) {
  EXPECT_EQ(TryOpen("read/file", O_RDONLY), kWorks);
  EXPECT_EQ(TryOpen("write/file", O_RDWR | O_TRUNC), kWorks);
  EXPECT_EQ(TryOpen("write/new", O_WRONLY | O_CREAT | O_EXCL), kWorks);
  EXPECT_EQ(Try([this] {
              std::ofstream(root_ / "write" / "beside") << "new";
              return ErrorOf(rename((root_ / "write" / "beside").c_str(), (root_ / "write" / "file").c_str()));
            }),
            kWorks);
  EXPECT_EQ(Try([this] { return ErrorOf(unlink((root_ / "write" / "file").c_str())); }), kWorks);
}

TEST_F(Landlock, ForbidsWhatIsOutside) {
  EXPECT_EQ(TryOpen("outside/file", O_RDONLY), Error(EACCES));
  EXPECT_EQ(TryOpen("outside/new", O_WRONLY | O_CREAT), Error(EACCES));
  EXPECT_EQ(Try([] { return ErrorOf(open("/etc/passwd", O_RDONLY)); }), Error(EACCES));
  EXPECT_EQ(Try([] { return ErrorOf(open("/proc/self/mem", O_RDWR)); }), Error(EACCES));
  EXPECT_EQ(Try([this] { return ErrorOf(unlink((root_ / "outside" / "file").c_str())); }), Error(EACCES));
}

TEST_F(Landlock, ForbidsWritingWhereReadingIsGranted) {
  EXPECT_EQ(TryOpen("read/file", O_WRONLY), Error(EACCES));
  EXPECT_EQ(TryOpen("read/new", O_WRONLY | O_CREAT), Error(EACCES));
  EXPECT_EQ(Try([this] { return ErrorOf(unlink((root_ / "read" / "file").c_str())); }), Error(EACCES));
}

TEST_F(Landlock, IsNotFooledByALinkInside) {
  fs::create_symlink("../outside/file", root_ / "read" / "link");
  EXPECT_EQ(TryOpen("read/link", O_RDONLY), Error(EACCES));
}

TEST_F(Landlock, TellsWhichFilesItKeepsFromUs) {
  fs::create_symlink("../outside/file", root_ / "read" / "link");
  EXPECT_EQ(InChild([this] {
              prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
              Sandbox sandbox;
              const DirectoryGrant grants[] = {{.directory = root_ / "read", .reach = Reach::kRead}};
              sandbox.EnterDirectories(grants);
              const auto keeps = [&](const char* name) { return sandbox.KeepsFromUs((root_ / name).string()); };
              if (keeps("read/file") || keeps("read/absent") || keeps("absent/file")) return 1;
              return keeps("outside/file") && keeps("read/link") ? 0 : 2;
            }),
            kWorks);
}

TEST_F(Landlock, BindsThreadsThatComeLater) {
  EXPECT_EQ(InChild([this] {
              prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
              Sandbox sandbox;
              sandbox.EnterDirectories({});
              int error = 0;
              std::thread([&] { error = ErrorOf(open((root_ / "read/file").c_str(), O_RDONLY)); }).join();
              return error;
            }),
            Error(EACCES));
}

class CallFilter : public FromInside {
  void SetUp() override {
    if (!has_filter_) GTEST_SKIP() << "a build with a sanitizer has no call filter";
  }
};

TEST_F(CallFilter, ForbidsNewSockets) {
  EXPECT_EQ(Try([] { return ErrorOf(socket(AF_INET, SOCK_DGRAM, 0)); }), Error(EPERM));
  EXPECT_EQ(Try([] { return ErrorOf(socket(AF_UNIX, SOCK_STREAM, 0)); }), Error(EPERM));
  EXPECT_EQ(Try([] { return ErrorOf(socket(AF_NETLINK, SOCK_RAW, 0)); }), Error(EPERM));
}

TEST_F(CallFilter, ForbidsToBindOrConnectWhatIsOpen) {
  const int before = socket(AF_INET, SOCK_DGRAM, 0);
  sockaddr_in name{};
  name.sin_family = AF_INET;
  const auto* const address = reinterpret_cast<const sockaddr*>(&name);
  EXPECT_EQ(Try([&] { return ErrorOf(bind(before, address, sizeof(name))); }), Error(EPERM));
  EXPECT_EQ(Try([&] { return ErrorOf(connect(before, address, sizeof(name))); }), Error(EPERM));
  close(before);
}

TEST_F(CallFilter, ForbidsNewRings) {
  io_uring_params params{};
  EXPECT_EQ(Try([&] { return ErrorOf(syscall(SYS_io_uring_setup, 8, &params)); }), Error(EPERM));
  EXPECT_EQ(Try([&] { return ErrorOf(syscall(SYS_io_uring_register, 0, 0, nullptr, 0)); }), Error(EPERM));
}

TEST_F(CallFilter, ForbidsNewProcessesAndThreads) {
  EXPECT_EQ(Try([] { return ErrorOf(fork()); }), Error(EPERM));
  EXPECT_EQ(Try([] {
              try {
                std::thread([] {}).join();
              } catch (const std::system_error& error) {
                return error.code().value();
              }
              return 0;
            }),
            Error(EPERM));
}

TEST_F(CallFilter, EndsWhoRunsAProgramOrTracesAProcess) {
  EXPECT_EQ(Try([] { return ErrorOf(execl("/bin/true", "true", nullptr)); }), Killed(SIGSYS));
  EXPECT_EQ(Try([] { return ErrorOf(syscall(SYS_execveat, AT_FDCWD, "/bin/true", nullptr, nullptr, 0)); }),
            Killed(SIGSYS));
  EXPECT_EQ(Try([] { return ErrorOf(ptrace(PTRACE_TRACEME, 0, nullptr, nullptr)); }), Killed(SIGSYS));
}

// There is no such device on most machines, but who asks another one for the time is told so, and not refused.
TEST_F(CallFilter, LeavesTheClocksOfNetworkCardsThatAreOpen) {
  const int device = open("/dev/null", O_RDONLY);
  ptp_sys_offset_precise precise{};
  ptp_sys_offset_extended extended{};
  EXPECT_EQ(Try([&] { return ErrorOf(ioctl(device, PTP_SYS_OFFSET_PRECISE, &precise)); }), Error(ENOTTY));
  EXPECT_EQ(Try([&] { return ErrorOf(ioctl(device, PTP_SYS_OFFSET_EXTENDED, &extended)); }), Error(ENOTTY));
  EXPECT_EQ(Try([&] { return ErrorOf(ioctl(device, PTP_PIN_SETFUNC, &extended)); }), Error(EPERM));
  EXPECT_EQ(Try([&] { return ErrorOf(ioctl(device, SIOCSHWTSTAMP, &extended)); }), Error(EPERM));
  close(device);
}

TEST_F(CallFilter, ForbidsMemoryThatCanRun) {
  const auto map = [](int protection) {
    void* const memory = mmap(nullptr, 4096, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? errno : 0;
  };
  EXPECT_EQ(Try([&] { return map(PROT_READ | PROT_WRITE); }), kWorks);
  EXPECT_EQ(Try([&] { return map(PROT_READ | PROT_WRITE | PROT_EXEC); }), Error(EPERM));
  alignas(4096) static char page[4096];
  EXPECT_EQ(Try([] { return ErrorOf(mprotect(page, sizeof(page), PROT_READ)); }), kWorks);
  EXPECT_EQ(Try([] { return ErrorOf(mprotect(page, sizeof(page), PROT_READ | PROT_EXEC)); }), Error(EPERM));
}

TEST_F(CallFilter, ForbidsWhatChangesTheMachine) {
  EXPECT_EQ(Try([] { return ErrorOf(mount("none", "/tmp", "tmpfs", 0, nullptr)); }), Error(EPERM));
  EXPECT_EQ(Try([] { return ErrorOf(unshare(CLONE_NEWUSER)); }), Error(EPERM));
  EXPECT_EQ(Try([] { return ErrorOf(chroot("/tmp")); }), Error(EPERM));
  EXPECT_EQ(Try([] { return ErrorOf(syscall(SYS_bpf, 0, nullptr, 0)); }), Error(EPERM));
  EXPECT_EQ(Try([] { return ErrorOf(syscall(SYS_init_module, nullptr, 0, "")); }), Error(EPERM));
  // An empty change, so that nothing happens should it be allowed.
  EXPECT_EQ(Try([] { return ErrorOf(syscall(SYS_settimeofday, nullptr, nullptr)); }), Error(EPERM));
}

TEST_F(CallFilter, ForbidsToTouchOthersAndToUndoItself) {
  const pid_t parent = getpid();
  EXPECT_EQ(Try([parent] { return ErrorOf(kill(parent, 0)); }), Error(EPERM));
  EXPECT_EQ(Try([parent] { return ErrorOf(syscall(SYS_tgkill, parent, parent, 0)); }), Error(EPERM));
  EXPECT_EQ(Try([parent] { return ErrorOf(process_vm_readv(parent, nullptr, 0, nullptr, 0, 0)); }), Error(EPERM));
  EXPECT_EQ(Try([] { return ErrorOf(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)); }), Error(EPERM));
  EXPECT_EQ(Try([] { return ErrorOf(setuid(0)); }), Error(EPERM));
  const rlimit limit{1024, 1024};
  EXPECT_EQ(Try([&] { return ErrorOf(setrlimit(RLIMIT_NOFILE, &limit)); }), Error(EPERM));
}

TEST_F(CallFilter, LeavesTheCallsOfService) {
  int pair[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), 0);
  EXPECT_EQ(Try([&] {
              char octet = 1;
              iovec piece{&octet, 1};
              mmsghdr message{};
              message.msg_hdr.msg_iov = &piece;
              message.msg_hdr.msg_iovlen = 1;
              if (sendmmsg(pair[0], &message, 1, 0) != 1) return errno;
              if (recvmmsg(pair[1], &message, 1, 0, nullptr) != 1) return errno;
              // Transmit stamps come back this way; here there are none.
              if (recvmsg(pair[0], &message.msg_hdr, MSG_ERRQUEUE | MSG_DONTWAIT) < 0 && errno != EAGAIN) return errno;
              return ErrorOf(setsockopt(pair[0], SOL_SOCKET, SO_RCVBUF, &pair[1], sizeof(int)));
            }),
            kWorks);
  close(pair[0]);
  close(pair[1]);
  EXPECT_EQ(Try([] {
              timex query{};
              return ErrorOf(adjtimex(&query));
            }),
            kWorks);
  EXPECT_EQ(Try([] { return ErrorOf(prctl(PR_SET_NAME, "worker", 0, 0, 0)); }), kWorks);
}

TEST_F(CallFilter, LetsABrokenPromiseEndTheProcess) {
  EXPECT_EQ(Try([]() -> int { abort(); }), Killed(SIGABRT));
}

TEST_F(CallFilter, BindsThreadsThatRunAlready) {
  EXPECT_EQ(InChild([this] {
              const int go = eventfd(0, 0);
              int error = -1;
              std::thread other([&] {
                eventfd_t value = 0;
                eventfd_read(go, &value);
                error = ErrorOf(socket(AF_INET, SOCK_DGRAM, 0));
              });
              const bool is_shut_in = ShutIn();
              eventfd_write(go, 1);
              other.join();
              return is_shut_in ? error : kNoSandbox;
            }),
            Error(EPERM));
}

TEST(Capabilities, AreGoneAndDoNotComeBack) {
  EXPECT_EQ(InChild([] {
              EmptyBoundingSet();
              const auto left = DropCapabilities();
              if (!left) return 1;
              __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
              __user_cap_data_struct held[2]{};
              if (syscall(SYS_capget, &header, held) != 0) return 2;
              const unsigned expected = *left == CapabilitiesLeft::kNone ? 0 : 1U << CAP_DAC_OVERRIDE;
              if (held[0].permitted != expected || held[0].effective != expected || held[1].permitted != 0) return 3;
              if (geteuid() == 0 && prctl(PR_CAPBSET_READ, CAP_SYS_ADMIN, 0, 0, 0) != 0) return 4;
              held[0].permitted = held[0].effective = 1U << CAP_NET_ADMIN;
              return syscall(SYS_capset, &header, held) == 0 ? 5 : 0;
            }),
            kWorks);
}

}  // namespace
}  // namespace ntsd
