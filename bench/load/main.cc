// ntsload: the load generator for NTS and NTP servers.
//
// Exit status: 0 the run is done, whatever it found; 1 it could not be done; 2 the command line is wrong.
#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <string>
#include <utility>

#include "bench/load/command_line.h"
#include "bench/load/host_facts.h"
#include "bench/load/ke_run.h"
#include "bench/load/ntp_run.h"
#include "bench/load/report.h"
#include "bench/load/result_json.h"
#include "bench/load/result_text.h"
#include "bench/load/sweep.h"
#include "bench/load/target_guard.h"

namespace ntsd::load {
namespace {

// Set by a signal: the run ends early and tells what it has found so far.
std::atomic<bool> stop_requested{false};
static_assert(std::atomic<bool>::is_always_lock_free, "it is set by a signal handler");

void InstallSignals() {
  struct sigaction action {};
  action.sa_handler = [](int) {
    // Whoever insists is let go at once.
    if (stop_requested.exchange(true)) _exit(130);
  };
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

int Fail(const std::string& why) {
  fmt::print(stderr, "ntsload: {}\n", why);
  return 1;
}

class Runner {
 public:
  Runner(CommandLine line, HostFacts host) : line_(std::move(line)), host_(std::move(host)) {}

  // Each gives the exit status.
  int Run(const NtpTask& task);
  int Run(const KeTask& task);
  int Run(const SweepTask& task);
  int Run(const ReportTask& task);

 private:
  // The NTS-KE server, if it may be loaded.
  Expected<IpEndpoint, std::string> FindServer(std::uint16_t port) const;
  // Where to send requests, and clients that can; fills server_ and clients_. An empty text: done.
  std::string Associate(const NtpSettings& settings);
  Expected<NtpResult, std::string> RunOnce(const NtpSettings& settings);
  ShowProgress Progress(const char* sent, const char* answered) const;
  int Finish(const std::string& text, const std::string& json) const;

  const CommandLine line_;
  const HostFacts host_;
  IpEndpoint server_;
  std::vector<Client> clients_;
};

Expected<IpEndpoint, std::string> Runner::FindServer(std::uint16_t port) const {
  Expected<IpEndpoint, std::string> server = Resolve(line_.target.host, port, line_.family);
  if (!server) return server;
  if (std::string problem = GuardTarget(server->address, line_.target.is_own); !problem.empty()) {
    return Unexpected(std::move(problem));
  }
  return server;
}

std::string Runner::Associate(const NtpSettings& settings) {
  const Target& target = line_.target;
  if (settings.is_plain || settings.is_echo) {
    Expected<IpEndpoint, std::string> server = FindServer(target.ntp_port.value_or(123));
    if (!server) return std::move(server.error());
    server_ = *server;
    FastRandom random;
    clients_ =
        MakeUpClients(settings.client_count, settings.is_plain ? std::nullopt : AeadFromNumber(settings.aead), random);
    return {};
  }
  const Expected<IpEndpoint, std::string> ke_server = FindServer(target.ke_port);
  if (!ke_server) return ke_server.error();
  const Expected<KePlan, std::string> plan = MakeKePlan(target, *ke_server, {settings.aead}, settings.sources);
  if (!plan) return plan.error();
  if (!line_.is_quiet)
    fmt::print(stderr, "NTS-KE with {} for {} clients\n", ke_server->ToString(), settings.client_count);
  Expected<Associations, std::string> associations = load::Associate(*plan, settings.client_count, stop_requested);
  if (!associations) return std::move(associations.error());
  // A server may name another one for the time, which has to be ours as well.
  const Expected<IpEndpoint, std::string> server =
      Resolve(associations->ntp_server, target.ntp_port.value_or(associations->ntp_port), line_.family);
  if (!server) return server.error();
  server_ = *server;
  clients_ = std::move(associations->clients);
  return GuardTarget(server_.address, target.is_own);
}

ShowProgress Runner::Progress(const char* sent, const char* answered) const {
  if (line_.is_quiet) return [](const load::Progress&) {};
  return [sent, answered](const load::Progress& progress) {
    fmt::print(stderr, "{}\n", ProgressText(progress, sent, answered));
  };
}

Expected<NtpResult, std::string> Runner::RunOnce(const NtpSettings& settings) {
  return RunNtp(settings, server_, clients_, line_.target.server_pid, Progress("sent", "received"), stop_requested);
}

int Runner::Run(const NtpTask& task) {
  if (const std::string problem = Associate(task.settings); !problem.empty()) return Fail(problem);
  if (task.settings.warm_up > Duration(0)) {
    NtpSettings warm_up = task.settings;
    warm_up.length = task.settings.warm_up;
    if (const auto result = RunOnce(warm_up); !result) return Fail(result.error());
  }
  const Expected<NtpResult, std::string> result = RunOnce(task.settings);
  if (!result) return Fail(result.error());
  return Finish(NtpText(*result, task.settings), NtpJson(*result, task.settings, line_.target, host_));
}

int Runner::Run(const KeTask& task) {
  const Expected<IpEndpoint, std::string> server = FindServer(line_.target.ke_port);
  if (!server) return Fail(server.error());
  const Expected<KePlan, std::string> plan =
      MakeKePlan(line_.target, *server, task.settings.aeads, task.settings.sources);
  if (!plan) return Fail(plan.error());
  const KeResult result =
      RunKe(task.settings, *plan, line_.target.server_pid, Progress("begun", "with cookies"), stop_requested);
  return Finish(KeText(result), KeJson(result, task.settings, line_.target, host_));
}

int Runner::Run(const SweepTask& task) {
  if (const std::string problem = Associate(task.settings.ntp); !problem.empty()) return Fail(problem);
  const RunAt run = [&](double rate, Duration length) {
    NtpSettings settings = task.settings.ntp;
    settings.rate = rate;
    settings.length = length;
    return RunNtp(
        settings, server_, clients_, line_.target.server_pid, [](const load::Progress&) {}, stop_requested);
  };
  const ShowPoint show = [&](const SweepPoint& point, const std::string& what) {
    if (!line_.is_quiet) fmt::print(stderr, "{}", SweepPointText(point, what));
  };
  if (!line_.is_quiet) fmt::print(stderr, "{}", SweepPointHeading());
  const Expected<SweepResult, std::string> result = RunSweep(task.settings, run, show, stop_requested);
  if (!result) return Fail(result.error());
  return Finish(SweepText(*result, task.settings), SweepJson(*result, task.settings, line_.target, host_));
}

int Runner::Run(const ReportTask& task) {
  const std::string problem = WriteReport(task);
  if (!problem.empty()) return Fail(problem);
  fmt::print("{}\n", task.output);
  return std::fflush(stdout) == 0 ? 0 : 1;
}

int Runner::Finish(const std::string& text, const std::string& json) const {
  if (line_.json_file == "-") {
    fmt::print("{}", json);
  } else {
    fmt::print("{}", text);
    if (!line_.json_file.empty()) {
      std::ofstream file(line_.json_file, std::ios::trunc);
      file << json;
      if (!file.flush()) return Fail("cannot write " + line_.json_file);
    }
  }
  // A full disk or a closed pipe must not look like success.
  return std::fflush(stdout) == 0 ? 0 : 1;
}

int Main(int argument_count, char** arguments) {
  Expected<CommandLine, CommandLineEnd> line = ParseCommandLine(argument_count, arguments);
  if (!line) {
    std::fputs(line.error().text.c_str(), line.error().exit_status == 0 ? stdout : stderr);
    return line.error().exit_status;
  }
  InstallSignals();
  const auto task = line->task;
  Runner runner(*std::move(line), GatherHostFacts(argument_count, arguments));
  return std::visit([&](const auto& one) { return runner.Run(one); }, task);
}

}  // namespace
}  // namespace ntsd::load

int main(int argument_count, char** arguments) { return ntsd::load::Main(argument_count, arguments); }
