#include "server/sandbox/call_filter.h"

#include <linux/ptp_clock.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>
#include <system_error>

namespace ntsd {
namespace {

// One condition on one argument: of all calls of this number, those where (argument & mask) == value remain.
struct Condition {
  unsigned argument = 0;
  std::uint64_t mask = 0;
  std::uint64_t value = 0;
};

struct ConditionalCall {
  int call;
  Condition condition;
};

// clang-format off: a table in groups, not one name a line.
// What serving, reloading and draining need. Names of calls that an architecture has not are skipped by libseccomp.
constexpr int kCalls[] = {
    // Memory: heaps grow and shrink, key pages are locked, protected and left out of dumps.
    SCMP_SYS(brk),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(mlock),
    SCMP_SYS(mlock2),
    SCMP_SYS(munlock),
    // Threads that exist: they wait for each other, arrange their own affairs as they begin, and end.
    SCMP_SYS(futex),
    SCMP_SYS(futex_waitv),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(rseq),
    SCMP_SYS(membarrier),
    SCMP_SYS(sched_yield),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(sched_setaffinity),
    SCMP_SYS(getpriority),
    SCMP_SYS(setpriority),
    SCMP_SYS(getcpu),
    SCMP_SYS(gettid),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    // Signals.
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(restart_syscall),
    // Time. adjtimex() reads: to set the clock takes a capability, and none is left.
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_getres),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(nanosleep),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(time),
    SCMP_SYS(adjtimex),
    SCMP_SYS(clock_adjtime),
    SCMP_SYS(timerfd_settime),
    // Who we are, and randomness.
    SCMP_SYS(getpid),
    SCMP_SYS(getuid),
    SCMP_SYS(geteuid),
    SCMP_SYS(getgid),
    SCMP_SYS(getegid),
    SCMP_SYS(uname),
    SCMP_SYS(getrandom),
    // Files, within the directories that Landlock leaves.
    SCMP_SYS(open),
    SCMP_SYS(openat),
    SCMP_SYS(close),
    SCMP_SYS(read),
    SCMP_SYS(readv),
    SCMP_SYS(pread64),
    SCMP_SYS(write),
    SCMP_SYS(writev),
    SCMP_SYS(pwrite64),
    SCMP_SYS(lseek),
    SCMP_SYS(fcntl),
    SCMP_SYS(flock),
    SCMP_SYS(stat),
    SCMP_SYS(lstat),
    SCMP_SYS(fstat),
    SCMP_SYS(newfstatat),
    SCMP_SYS(statx),
    SCMP_SYS(access),
    SCMP_SYS(faccessat),
    SCMP_SYS(faccessat2),
    SCMP_SYS(readlink),
    SCMP_SYS(readlinkat),
    SCMP_SYS(getcwd),
    SCMP_SYS(getdents64),
    SCMP_SYS(fchmod),
    SCMP_SYS(fsync),
    SCMP_SYS(fdatasync),
    SCMP_SYS(ftruncate),
    SCMP_SYS(rename),
    SCMP_SYS(renameat),
    SCMP_SYS(renameat2),
    SCMP_SYS(unlink),
    SCMP_SYS(unlinkat),
    // Sockets that are open, and those that clients open to them: none is made, bound or connected.
    SCMP_SYS(accept),
    SCMP_SYS(accept4),
    SCMP_SYS(recvfrom),
    SCMP_SYS(recvmsg),
    SCMP_SYS(recvmmsg),
    SCMP_SYS(sendto),
    SCMP_SYS(sendmsg),
    SCMP_SYS(sendmmsg),
    SCMP_SYS(setsockopt),
    SCMP_SYS(getsockopt),
    SCMP_SYS(getsockname),
    SCMP_SYS(getpeername),
    SCMP_SYS(shutdown),
    // Waiting. A ring takes nothing but datagrams on the sockets that it knows, whatever is submitted.
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(select),
    SCMP_SYS(pselect6),
    SCMP_SYS(epoll_wait),
    SCMP_SYS(epoll_pwait),
    SCMP_SYS(epoll_pwait2),
    SCMP_SYS(epoll_ctl),
    SCMP_SYS(io_uring_enter),
};
// clang-format on

// Memory that can be run does not come into being; and of all requests to devices, the clocks of network cards that are
// open may be read.
constexpr ConditionalCall kConditionalCalls[] = {
    {SCMP_SYS(mmap), {.argument = 2, .mask = PROT_EXEC, .value = 0}},
    {SCMP_SYS(mprotect), {.argument = 2, .mask = PROT_EXEC, .value = 0}},
    {SCMP_SYS(prctl), {.argument = 0, .mask = ~std::uint64_t{0}, .value = PR_SET_NAME}},
    {SCMP_SYS(ioctl), {.argument = 1, .mask = 0xFFFF'FFFF, .value = PTP_SYS_OFFSET_PRECISE}},
    {SCMP_SYS(ioctl), {.argument = 1, .mask = 0xFFFF'FFFF, .value = PTP_SYS_OFFSET_EXTENDED}},
};

constexpr int kDeadlyCalls[] = {SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(ptrace)};

struct FilterRelease {
  void operator()(void* filter) const { seccomp_release(filter); }
};
using Filter = std::unique_ptr<void, FilterRelease>;

// 0 or -errno, as all of libseccomp.
int AllowIf(const Filter& filter, int call, const Condition& condition) {
  const scmp_arg_cmp comparison{
      .arg = condition.argument, .op = SCMP_CMP_MASKED_EQ, .datum_a = condition.mask, .datum_b = condition.value};
  return seccomp_rule_add_array(filter.get(), SCMP_ACT_ALLOW, call, 1, &comparison);
}

int AddRules(const Filter& filter) {
  for (const int call : kCalls) {
    if (const int result = seccomp_rule_add_array(filter.get(), SCMP_ACT_ALLOW, call, 0, nullptr); result != 0) {
      return result;
    }
  }
  for (const ConditionalCall& rule : kConditionalCalls) {
    if (const int result = AllowIf(filter, rule.call, rule.condition); result != 0) return result;
  }
  for (const int call : kDeadlyCalls) {
    const int result = seccomp_rule_add_array(filter.get(), SCMP_ACT_KILL_PROCESS, call, 0, nullptr);
    if (result != 0) return result;
  }
  // abort() signals the process that calls it: a broken promise between our own functions still ends us as it should.
  const Condition self{.argument = 0, .mask = ~std::uint64_t{0}, .value = static_cast<std::uint64_t>(getpid())};
  return AllowIf(filter, SCMP_SYS(tgkill), self);
}

std::string ErrorText(const char* what, int result) {
  return std::string(what) + ": " + std::generic_category().message(-result);
}

}  // namespace

bool IsCallFilterBuilt() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return false;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
  return false;
#else
  return true;
#endif
#else
  return true;
#endif
}

Expected<std::size_t, std::string> InstallCallFilter() {
  if (!IsCallFilterBuilt()) return Unexpected(std::string("built with a sanitizer, which needs other system calls"));
  const Filter filter(seccomp_init(SCMP_ACT_ERRNO(EPERM)));
  if (filter == nullptr) return Unexpected(std::string("libseccomp cannot make a filter"));
  int result = seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_TSYNC, 1);
  // A tree of comparisons instead of a list: the calls of the hot path have no conditions, so that the kernel answers
  // them from a bitmap, but older kernels walk the filter.
  if (result == 0) result = seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);
  if (result == 0) result = AddRules(filter);
  if (result != 0) return Unexpected(ErrorText("libseccomp", result));
  result = seccomp_load(filter.get());
  if (result != 0) return Unexpected(ErrorText("this kernel or container takes no filter of system calls", result));
  return std::size(kCalls) + std::size(kConditionalCalls) + 1;
}

}  // namespace ntsd
