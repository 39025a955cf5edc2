#include "tests/conformance/command_line.h"

#include <CLI/CLI.hpp>
#include <fstream>
#include <sstream>

namespace ntsd::conformance {
namespace {

// What the options are written to while CLI11 goes over them.
struct Typed {
  CommandLine line;
  std::string ntp_host;
  std::vector<std::string> addresses;
  std::uint16_t ntp_port = 0;
  std::string token_file;
  double timeout_s = 1;
  double ke_patience_s = 12;
};

void AddOptions(CLI::App& app, Typed& typed) {
  Target& target = typed.line.target;
  app.set_version_flag("--version", std::string("ntsconform ") + NTSD_VERSION);
  app.add_option("HOST", target.host, "A name or an address of the server");
  app.add_option("--address", typed.addresses, "An address of the host, instead of those that its name resolves to");
  app.add_option("--ke-port", target.ke_port, "Port of NTS-KE")->capture_default_str();
  app.add_option("--ntp-host", typed.ntp_host, "Host of NTP; default: what NTS-KE says");
  app.add_option("--ntp-port", typed.ntp_port, "Port of NTP; default: what NTS-KE says, or 123");
  app.add_option("--name", target.names, "A name that the server has a certificate for; the first goes into SNI");
  CLI::Option* const ca = app.add_option("--ca", target.ca_file, "Trust the certificates in this file");
  app.add_flag("--insecure", target.is_insecure, "Take any certificate")->excludes(ca);
  app.add_flag("--plain", target.is_plain, "Plain NTP alone, without NTS")->excludes(ca);
  app.add_option("--pool-token", typed.token_file, "File with a token for the records of an NTS pool");
  app.add_option("--only", typed.line.only, "Only this section or check, such as R-KE or R-KE-05")->delimiter(',');
  app.add_flag("--list", typed.line.wants_list, "List the checks and what they rest on, ask nobody");
  app.add_flag("--json", typed.line.wants_json, "Print JSON");
  app.add_option("--junit", typed.line.junit_file, "Write JUnit XML to this file too");
  app.add_flag("--quiet", typed.line.is_quiet, "Leave out what has passed or was skipped");
  app.add_flag("--fast", target.is_fast, "No pauses, and floods: for a server of one's own, near by");
  app.add_option("--rate", target.rate, "Datagrams a second, without --fast")
      ->check(CLI::Range(0.1, 1000.0))
      ->capture_default_str();
  app.add_option("--timeout", typed.timeout_s, "Seconds to wait for a datagram")
      ->check(CLI::Range(0.01, 60.0))
      ->capture_default_str();
  app.add_option("--ke-patience", typed.ke_patience_s,
                 "Seconds within which the server must give up on a silent client")
      ->check(CLI::Range(0.1, 600.0))
      ->capture_default_str();
}

CommandLineEnd UsageError(const std::string& text) { return {2, "ntsconform: " + text + "\n"}; }

Milliseconds FromSeconds(double seconds) { return Milliseconds(static_cast<std::int64_t>(seconds * 1000)); }

}  // namespace

Expected<CommandLine, CommandLineEnd> ParseCommandLine(int argument_count, const char* const* arguments) {
  CLI::App app("Is this NTP and NTS server correct? Checks it from outside, requirement by requirement.", "ntsconform");
  Typed typed;
  AddOptions(app, typed);
  try {  // CLI11 reports by exceptions, --help included
    app.parse(argument_count, arguments);
  } catch (const CLI::ParseError& error) {
    std::ostringstream out;
    std::ostringstream err;
    const int status = app.exit(error, out, err);
    return Unexpected(status == 0 ? CommandLineEnd{0, out.str()} : CommandLineEnd{2, "ntsconform: " + err.str()});
  }
  Target& target = typed.line.target;
  if (target.host.empty() && !typed.line.wants_list) return Unexpected(UsageError("HOST is missing; see --help"));
  for (const std::string& text : typed.addresses) {
    const std::optional<IpAddress> address = IpAddress::Parse(text);
    if (!address) return Unexpected(UsageError("--address: expected an IPv4 or IPv6 address, got " + text));
    target.addresses.push_back(*address);
  }
  if (!typed.ntp_host.empty()) target.ntp_host = typed.ntp_host;
  if (typed.ntp_port != 0) target.ntp_port = typed.ntp_port;
  target.timeout = FromSeconds(typed.timeout_s);
  target.ke_patience = FromSeconds(typed.ke_patience_s);
  if (!typed.token_file.empty()) {
    Expected<std::string, std::string> token = ReadToken(typed.token_file);
    if (!token) return Unexpected(UsageError(token.error()));
    target.pool_token = *std::move(token);
  }
  return std::move(typed.line);
}

Expected<std::string, std::string> ReadToken(const std::string& file) {
  std::ifstream stream(file);
  std::string line;
  // Ends: with the file. Comments and empty lines may stand before the token, as ntsd allows it.
  while (std::getline(stream, line)) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (!line.empty() && line.front() != '#') return line;
  }
  return Unexpected(file + ": cannot be read, or holds no token");
}

}  // namespace ntsd::conformance
