// ntsecho: a bare UDP echo server, the reference that figures of time servers are divided by. Sends every datagram back
// as it came until SIGTERM or SIGINT, then prints one line of JSON with what it did and the CPU time that it took.
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <map>
#include <string>

#include "bench/echo/echo.h"

namespace ntsd::echo {
namespace {

volatile std::sig_atomic_t stop_requested = 0;

const std::map<std::string, Engine>& Engines() {
  static const std::map<std::string, Engine> engines{{"blocking", Engine::kBlocking},
                                                     {"recvmmsg-send", Engine::kRecvmmsgSend},
                                                     {"recvmmsg-sendmmsg", Engine::kRecvmmsgSendmmsg},
                                                     {"io_uring", Engine::kUring}};
  return engines;
}

void InstallSignals() {
  struct sigaction action {};
  // The alarm interrupts once more: the first signal may come between the look at the flag and the waiting.
  action.sa_handler = [](int) {
    stop_requested = 1;
    alarm(1);
  };
  // No SA_RESTART: a signal ends the waiting of a system call.
  for (const int number : {SIGTERM, SIGINT, SIGALRM}) sigaction(number, &action, nullptr);
}

double CpuSeconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

Expected<Totals, std::string> Run(int fd, const Options& options) {
  switch (options.engine) {
    case Engine::kBlocking:
      return RunBlocking(fd, options, stop_requested);
    case Engine::kRecvmmsgSend:
    case Engine::kRecvmmsgSendmmsg:
      return RunMmsg(fd, options, stop_requested);
    case Engine::kUring:
      return RunUring(fd, options, stop_requested);
  }
  return Unexpected(std::string("no such engine"));
}

int Fail(const std::string& why) {
  fmt::print(stderr, "ntsecho: {}\n", why);
  return 1;
}

int Serve(const Options& options, const std::string& engine) {
  const Expected<int, std::string> fd = OpenSocket(options);
  if (!fd) return Fail(fd.error());
  InstallSignals();
  fmt::print(stderr, "ntsecho: {} on {}\n", engine, options.listen.ToString());
  const Expected<Totals, std::string> totals = Run(*fd, options);
  close(*fd);
  if (!totals) return Fail(totals.error());
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const double user = CpuSeconds(usage.ru_utime);
  const double system = CpuSeconds(usage.ru_stime);
  fmt::print(
      "{{\"engine\":\"{}\",\"receive_stamps\":{},\"packet_info\":{},\"received\":{},\"sent\":{},\"send_failed\":{},"
      "\"cpu_user_s\":{:.6f},\"cpu_system_s\":{:.6f},\"cpu_per_datagram_us\":{:.4f}}}\n",
      engine, options.receive_stamps, options.packet_info, totals->received, totals->sent, totals->send_failed, user,
      system, totals->sent == 0 ? 0.0 : (user + system) * 1e6 / static_cast<double>(totals->sent));
  return std::fflush(stdout) == 0 ? 0 : 1;
}

int Main(int argument_count, char** arguments) {
  Options options;
  std::string listen = "127.0.0.1:11124";
  std::string engine = "recvmmsg-sendmmsg";
  CLI::App app("Sends every UDP datagram back; the floor under the figures of time servers.", "ntsecho");
  app.add_option("--listen", listen, "Address and port")->capture_default_str();
  app.add_option("--engine", engine, "blocking, recvmmsg-send, recvmmsg-sendmmsg or io_uring")
      ->check(CLI::IsMember(Engines()))
      ->capture_default_str();
  app.add_flag("--receive-stamps", options.receive_stamps, "Take the kernel's receive stamp, as time servers do");
  app.add_flag("--packet-info", options.packet_info, "Answer from the address that was asked, as on a wildcard");
  app.add_option("--batch", options.batch, "Datagrams taken together")
      ->check(CLI::Range(std::size_t{1}, kBatchMax))
      ->capture_default_str();
  app.add_option("--group", options.group, "io_uring: sends submitted together")
      ->check(CLI::Range(std::size_t{1}, kBatchMax))
      ->capture_default_str();
  CLI11_PARSE(app, argument_count, arguments);
  const std::optional<IpEndpoint> endpoint = IpEndpoint::Parse(listen);
  if (!endpoint) return Fail("--listen: expected ADDRESS:PORT, got " + listen);
  options.listen = *endpoint;
  options.engine = Engines().at(engine);
  return Serve(options, engine);
}

}  // namespace
}  // namespace ntsd::echo

int main(int argument_count, char** arguments) { return ntsd::echo::Main(argument_count, arguments); }
