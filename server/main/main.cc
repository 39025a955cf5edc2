// ntsd: the public NTS time server. Command line and exit status; the rest is in service.h.
#include <signal.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/nearest_word.h"
#include "server/config/check.h"
#include "server/config/files.h"
#include "server/config/load.h"
#include "server/config/print.h"
#include "server/log.h"
#include "server/main/service.h"

namespace {

constexpr char kDefaultConfig[] = "/etc/ntsd/ntsd.toml";
constexpr std::array<std::string_view, 5> kOptions = {"--config", "--check", "--set", "--version", "--help"};
constexpr int kExitEnvironment = 1;
constexpr int kExitConfiguration = 2;

struct CommandLine {
  ntsd::ConfigSource source{.path = kDefaultConfig, .overrides = {}};
  bool check = false;
};

void PrintErrors(const std::vector<ntsd::ConfigError>& errors, const char* kind = "") {
  for (const ntsd::ConfigError& error : errors) std::fprintf(stderr, "ntsd: %s%s\n", kind, error.ToString().c_str());
}

// `--check`: everything that is wrong, or the configuration in force.
int Check(const ntsd::LoadedConfig& loaded) {
  const std::vector<ntsd::ConfigError> errors = ntsd::CheckFiles(loaded.config, loaded.origins);
  std::fputs(ntsd::ConfigToToml(loaded.config).c_str(), stdout);
  PrintErrors(errors);
  PrintErrors(ntsd::WarnOfConfig(loaded.config, loaded.origins), "warning: ");
  return errors.empty() ? 0 : kExitConfiguration;
}

// Signals are read by the service's main loop; threads made from now on inherit this.
void BlockSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, number);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
}

int Serve(const CommandLine& command_line, ntsd::LoadedConfig loaded) {
  BlockSignals();
  ntsd::Log log(loaded.config.log.level, loaded.config.log.format);
  for (const ntsd::ConfigError& warning : ntsd::WarnOfConfig(loaded.config, loaded.origins)) {
    log.Warning(warning.ToString());
  }
  ntsd::Service service(command_line.source, std::move(loaded.config), log);
  const std::string complaint = service.SetUp();
  if (!complaint.empty()) {
    log.Error(complaint);
    return kExitEnvironment;
  }
  return service.Run();
}

}  // namespace

int main(int argc, char** argv) {
  CommandLine command_line;
  CLI::App app("ntsd: a public NTS time server (RFC 8915)");
  app.set_version_flag("--version", "ntsd " NTSD_VERSION);
  app.add_option("-c,--config", command_line.source.path, "Configuration file")->capture_default_str();
  app.add_flag("--check", command_line.check, "Check the configuration, print what is in force, and exit");
  app.add_option("--set", command_line.source.overrides, "Override a key: table.key=value")->allow_extra_args(false);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ExtrasError&) {
    const std::string problem = ntsd::ExplainUnknownWord("option", app.remaining().front(), kOptions);
    std::fprintf(stderr, "ntsd: %s\n", problem.c_str());
    return kExitConfiguration;
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kExitConfiguration;
  }
  auto loaded = ntsd::LoadConfig(command_line.source.path, command_line.source.overrides);
  if (!loaded) {
    PrintErrors(loaded.error());
    const bool is_text = command_line.check || ntsd::HasTextError(loaded.error());
    return is_text ? kExitConfiguration : kExitEnvironment;
  }
  if (command_line.check) return Check(*loaded);
  return Serve(command_line, std::move(*loaded));
}
