#include "bench/load/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <sstream>
#include <utility>

namespace ntsd::load {
namespace {

constexpr double kThreadsMax = 64;

// What the options are written to while CLI11 goes over them.
struct Typed {
  CommandLine line;
  NtpSettings ntp;
  KeSettings ke;
  SweepSettings sweep;
  ReportTask report;

  std::string rate;
  double seconds = 10;
  double warm_up_s = 0;
  double timeout_s = 0;
  std::size_t window = 0;
  std::string arrivals = "constant";
  std::string cookies = "reuse";
  std::string verify = "all";
  std::size_t stamps = 0;
  std::size_t placeholders = 0;
  std::uint16_t aead = 15;
  unsigned version = 4;
  std::uint16_t ntp_port = 0;
  int server_pid = 0;
  bool wants_v4 = false;
  bool wants_v6 = false;
  std::vector<std::string> sources;
  std::vector<std::string> misbehave;
  double p99_ms = 5;
  double step_seconds = 2;
  bool has_no_curve = false;
  std::size_t threads = 1;
  std::vector<int> cpus;
};

Duration Seconds(double value) { return Duration(static_cast<std::int64_t>(std::llround(value * 1e9))); }

std::optional<double> ParseNumber(const std::string& text) {
  std::istringstream stream(text);
  double value = 0;
  if (!(stream >> value) || !stream.eof() || !std::isfinite(value)) return std::nullopt;
  return value;
}

class Parser {
 public:
  Parser() : app_("Loads an NTS or NTP server, and says what it can take.", "ntsload") {
    app_.set_version_flag("--version", std::string("ntsload ") + NTSD_VERSION);
    app_.require_subcommand(1);
    AddNtp();
    AddKe();
    AddSweep();
    AddReport();
  }

  Expected<CommandLine, CommandLineEnd> Parse(int argument_count, const char* const* arguments) {
    try {  // CLI11 reports by exceptions, --help included
      app_.parse(argument_count, arguments);
    } catch (const CLI::ParseError& error) {
      std::ostringstream out;
      std::ostringstream err;
      const int status = app_.exit(error, out, err);
      if (status == 0) return Unexpected(CommandLineEnd{0, out.str()});
      return Unexpected(CommandLineEnd{2, "ntsload: " + err.str()});
    }
    const std::string problem = Gather();
    if (!problem.empty()) return Unexpected(CommandLineEnd{2, "ntsload: " + problem + "\n"});
    return std::move(typed_.line);
  }

 private:
  void AddTarget(CLI::App& app) {
    Target& target = typed_.line.target;
    app.add_option("HOST", target.host, "A name or an address")->required();
    app.add_option("--ke-port", target.ke_port, "Port of NTS-KE")->capture_default_str();
    app.add_option("--server-name", target.server_name, "Name for TLS and the certificate, when it is not HOST");
    CLI::Option* const ca = app.add_option("--ca", target.ca_file, "Trust the certificates in this file");
    app.add_flag("--insecure", target.is_insecure, "Take any certificate")->excludes(ca);
    app.add_flag("--i-own-this-server", target.is_own, "Load a server that is neither here nor in a network of a test");
    app.add_option("--server-pid", typed_.server_pid, "Report the CPU time of this process");
    CLI::Option* const v4 = app.add_flag("-4", typed_.wants_v4, "IPv4 alone");
    app.add_flag("-6", typed_.wants_v6, "IPv6 alone")->excludes(v4);
    app.add_option("--source", typed_.sources, "Local address or prefix to send from; may be given several times");
    app.add_option("--threads", typed_.threads, "Load threads")
        ->check(CLI::Range(1.0, kThreadsMax))
        ->capture_default_str();
    app.add_option("--cpus", typed_.cpus, "Pin the threads to these CPUs in turn")->delimiter(',');
    app.add_option("--json", typed_.line.json_file, "Write the result to this file; - is standard output");
    app.add_flag("--quiet", typed_.line.is_quiet, "No line of progress");
  }

  void AddRequests(CLI::App& app) {
    NtpSettings& ntp = typed_.ntp;
    app.add_option("--ntp-port", typed_.ntp_port, "Port of NTP; default: what NTS-KE says, or 123");
    CLI::Option* const plain = app.add_flag("--plain", ntp.is_plain, "NTP without NTS");
    app.add_option("--ntp-version", typed_.version, "NTP version of plain requests, 1 to 4")
        ->check(CLI::Range(1, 4))
        ->needs(plain);
    app.add_option("--aead", typed_.aead, "AEAD: 15, 17 or 30")
        ->check(CLI::IsMember({15, 17, 30}))
        ->capture_default_str();
    placeholders_.push_back(
        app.add_option("--placeholders", typed_.placeholders, "Cookie placeholders, 0 to 7")->check(CLI::Range(0, 7)));
    app.add_flag("--interleaved", ntp.is_interleaved, "Ask in interleaved mode (RFC 9769)");
    app.add_option("--cookies", typed_.cookies, "reuse: the same ones again; fresh: each once, from answers")
        ->check(CLI::IsMember({"reuse", "fresh"}))
        ->capture_default_str();
    app.add_flag("--echo", ntp.is_echo, "HOST is a bare UDP echo: no NTS-KE, answers must equal requests");
    app.add_option("--clients", ntp.client_count, "Clients, each with keys and cookies of its own")
        ->check(CLI::Range(std::size_t{1}, std::size_t{100'000}))
        ->capture_default_str();
    app.add_option("--sockets", ntp.socket_count, "Source ports of each thread")
        ->check(CLI::Range(1, 1000))
        ->capture_default_str();
    app.add_option("--arrivals", typed_.arrivals, "constant or poisson")
        ->check(CLI::IsMember({"constant", "poisson"}))
        ->capture_default_str();
    app.add_option("--timeout", typed_.timeout_s, "Seconds after which an answer is late; default 1")
        ->check(CLI::Range(0.001, 60.0));
    app.add_option("--segments", ntp.segments, "Requests that one send may carry (UDP segmentation); 1: each by itself")
        ->check(CLI::Range(1, 64))
        ->capture_default_str();
    app.add_option("--verify", typed_.verify, "all, or N: one answer in N is verified in full")->capture_default_str();
    app.add_option("--forged", ntp.forged, "Share of requests with forged cookies")->check(CLI::Range(0.0, 1.0));
    app.add_option("--stale", ntp.stale, "Share of requests whose cookie names an unknown key")
        ->check(CLI::Range(0.0, 1.0));
    app.add_option("--garbage", ntp.garbage, "Share of datagrams that are no requests")->check(CLI::Range(0.0, 1.0));
  }

  void AddNtp() {
    ntp_ = app_.add_subcommand("ntp", "Requests for the time, with NTS or plain");
    AddTarget(*ntp_);
    AddRequests(*ntp_);
    ntp_->add_option("--rate", typed_.rate, "Requests a second, or max; default 1000");
    ntp_->add_option("--window", typed_.window, "Closed loop: so many requests under way, the next after an answer");
    ntp_->add_option("--seconds", typed_.seconds, "Length of the run")
        ->check(CLI::Range(0.05, 86'400.0))
        ->capture_default_str();
    ntp_->add_option("--warm-up", typed_.warm_up_s, "Seconds of the same load before, which do not count")
        ->check(CLI::Range(0.0, 600.0));
    ntp_->add_option("--stamps", typed_.stamps, "Take kernel stamps of one request in N, to judge the server's stamps");
  }

  void AddKe() {
    ke_ = app_.add_subcommand("ke", "Key establishment (NTS-KE) over TLS 1.3");
    AddTarget(*ke_);
    ke_->add_option("--aead", typed_.aead, "AEAD: 15, 17 or 30")
        ->check(CLI::IsMember({15, 17, 30}))
        ->capture_default_str();
    ke_->add_option("--rate", typed_.rate,
                    "Connections a second; max: as many at once as --concurrency says; default 10");
    ke_->add_option("--concurrency", typed_.ke.concurrency, "Connections at once, at most")
        ->check(CLI::Range(1, 50'000))
        ->capture_default_str();
    ke_->add_option("--arrivals", typed_.arrivals, "constant or poisson")
        ->check(CLI::IsMember({"constant", "poisson"}))
        ->capture_default_str();
    ke_->add_option("--seconds", typed_.seconds, "Length of the run")
        ->check(CLI::Range(0.05, 86'400.0))
        ->capture_default_str();
    ke_->add_option("--timeout", typed_.timeout_s, "Seconds for a connection; default 5")
        ->check(CLI::Range(0.01, 600.0));
    ke_->add_option("--misbehave", typed_.misbehave,
                    "KIND=SHARE: slow, half-open, garbage, wrong-alpn or oversized clients among the others")
        ->delimiter(',');
  }

  void AddSweep() {
    sweep_ = app_.add_subcommand("sweep", "The highest rate that is served well, and the curve around it");
    AddTarget(*sweep_);
    AddRequests(*sweep_);
    SweepSettings& sweep = typed_.sweep;
    sweep_->add_option("--loss", sweep.loss_max, "Highest share of requests without an answer in time")
        ->capture_default_str();
    sweep_->add_option("--p99", typed_.p99_ms, "Highest 99th percentile of latency, in ms")->capture_default_str();
    sweep_->add_option("--from", sweep.rate_min, "Lowest rate to try")
        ->check(CLI::Range(1.0, 1e7))
        ->capture_default_str();
    sweep_->add_option("--to", sweep.rate_max, "Highest rate to try")
        ->check(CLI::Range(1.0, 1e7))
        ->capture_default_str();
    sweep_->add_option("--precision", sweep.precision, "How well the rate shall be known")
        ->check(CLI::Range(0.001, 0.5))
        ->capture_default_str();
    sweep_->add_option("--repeats", sweep.repeats, "Searches")->check(CLI::Range(1, 100))->capture_default_str();
    sweep_->add_option("--step-seconds", typed_.step_seconds, "Length of each run")
        ->check(CLI::Range(0.05, 600.0))
        ->capture_default_str();
    sweep_->add_option("--overload", sweep.overload_max, "The curve goes to so many times the found rate")
        ->check(CLI::Range(1.0, 4.0))
        ->capture_default_str();
    sweep_->add_flag("--no-curve", typed_.has_no_curve, "Only search");
  }

  void AddReport() {
    report_ = app_.add_subcommand("report", "Make one HTML file with plots from JSON results");
    report_->add_option("FILE", typed_.report.inputs, "JSON results of ntsload")->required();
    report_->add_option("-o,--output", typed_.report.output, "The file to write")->capture_default_str();
    report_->add_option("--title", typed_.report.title, "Title of the page")->capture_default_str();
  }

  // From what was typed to what is meant; an empty text: done.
  std::string Gather() {
    if (report_->parsed()) {
      typed_.line.task = typed_.report;
      return {};
    }
    GatherTarget();
    std::vector<IpAddress> sources;
    for (const std::string& text : typed_.sources) {
      const std::optional<std::vector<IpAddress>> some = ParseSources(text);
      if (!some) return "--source: expected an address or a prefix, got " + text;
      sources.insert(sources.end(), some->begin(), some->end());
    }
    if (ke_->parsed()) return GatherKe(std::move(sources));
    return GatherNtp(std::move(sources));
  }

  void GatherTarget() {
    Target& target = typed_.line.target;
    if (typed_.ntp_port != 0) target.ntp_port = typed_.ntp_port;
    if (typed_.server_pid != 0) target.server_pid = typed_.server_pid;
    if (typed_.wants_v4) typed_.line.family = Family::kV4;
    if (typed_.wants_v6) typed_.line.family = Family::kV6;
  }

  ArrivalKind GatherArrivals() const {
    return typed_.arrivals == "poisson" ? ArrivalKind::kPoisson : ArrivalKind::kConstant;
  }

  // Of `max`, nothing; the text is wrong otherwise.
  std::string GatherRate(std::optional<double>& rate) const {
    if (typed_.rate.empty()) return {};
    rate.reset();
    if (typed_.rate == "max") return {};
    rate = ParseNumber(typed_.rate);
    if (rate && *rate > 0 && *rate <= 1e8) return {};
    return "--rate: expected a number greater than 0, or max; got " + typed_.rate;
  }

  std::string GatherNtp(std::vector<IpAddress> sources) {
    NtpSettings& ntp = typed_.ntp;
    ntp.sources = std::move(sources);
    ntp.thread_count = typed_.threads;
    ntp.cpus = typed_.cpus;
    ntp.version = static_cast<std::uint8_t>(typed_.version);
    ntp.aead = typed_.aead;
    ntp.arrivals = GatherArrivals();
    ntp.has_fresh_cookies = typed_.cookies == "fresh";
    ntp.length = Seconds(typed_.seconds);
    ntp.warm_up = Seconds(typed_.warm_up_s);
    ntp.stamp_every = typed_.stamps;
    if (typed_.timeout_s > 0) ntp.timeout = Seconds(typed_.timeout_s);
    if (typed_.window > 0) ntp.window = typed_.window;
    if (std::any_of(placeholders_.begin(), placeholders_.end(), [](const CLI::Option* o) { return o->count() > 0; })) {
      ntp.placeholders = typed_.placeholders;
    }
    if (std::string problem = GatherRate(ntp.rate); !problem.empty()) return problem;
    if (std::string problem = GatherVerify(); !problem.empty()) return problem;
    if (std::string problem = CheckRequests(); !problem.empty()) return problem;
    if (ntp_->parsed()) {
      typed_.line.task = NtpTask{ntp};
      return {};
    }
    SweepSettings& sweep = typed_.sweep;
    sweep.ntp = ntp;
    sweep.p99_max = Seconds(typed_.p99_ms / 1000);
    sweep.step_length = Seconds(typed_.step_seconds);
    sweep.has_curve = !typed_.has_no_curve;
    if (sweep.rate_min > sweep.rate_max) return "--from is more than --to";
    typed_.line.task = SweepTask{sweep};
    return {};
  }

  std::string GatherVerify() {
    if (typed_.verify == "all") return {};
    const std::optional<double> every = ParseNumber(typed_.verify);
    if (!every || *every < 1 || *every > 1e9)
      return "--verify: expected all, or a number from 1 on; got " + typed_.verify;
    typed_.ntp.verify_every = static_cast<std::uint64_t>(*every);
    return {};
  }

  // What goes together, and what does not.
  std::string CheckRequests() const {
    const NtpSettings& ntp = typed_.ntp;
    if (ntp.forged + ntp.stale + ntp.garbage > 1) return "--forged, --stale and --garbage are more than all requests";
    if (ntp.is_plain && (ntp.forged > 0 || ntp.stale > 0))
      return "--forged and --stale are about cookies, which --plain has not";
    if (ntp.is_plain && ntp.has_fresh_cookies) return "--cookies fresh needs NTS, not --plain";
    if (ntp.is_echo && (ntp.has_fresh_cookies || ntp.is_interleaved))
      return "an echo gives no fresh cookies and knows no interleaved mode";
    if (ntp.window && !typed_.rate.empty() && typed_.rate != "max")
      return "--window is a closed loop, which has no --rate";
    if (ntp.client_count < ntp.thread_count) return "each thread needs a client at least";
    return {};
  }

  std::string GatherKe(std::vector<IpAddress> sources) {
    KeSettings& ke = typed_.ke;
    ke.sources = std::move(sources);
    ke.thread_count = typed_.threads;
    ke.cpus = typed_.cpus;
    ke.aeads = {typed_.aead};
    ke.arrivals = GatherArrivals();
    ke.length = Seconds(typed_.seconds);
    if (typed_.timeout_s > 0) ke.timeout = Seconds(typed_.timeout_s);
    if (std::string problem = GatherRate(ke.rate); !problem.empty()) return problem;
    double sum = 0;
    for (const std::string& text : typed_.misbehave) {
      if (!GatherBehaviour(text)) {
        return "--misbehave: expected KIND=SHARE with slow, half-open, garbage, wrong-alpn or oversized; got " + text;
      }
    }
    for (const double share : ke.shares) sum += share;
    if (sum > 1) return "--misbehave: more than all clients";
    typed_.line.task = KeTask{ke};
    return {};
  }

  bool GatherBehaviour(const std::string& text) {
    constexpr std::pair<const char*, KeBehaviour> kNames[] = {{"slow", KeBehaviour::kSlow},
                                                              {"half-open", KeBehaviour::kHalfOpen},
                                                              {"garbage", KeBehaviour::kGarbage},
                                                              {"wrong-alpn", KeBehaviour::kWrongAlpn},
                                                              {"oversized", KeBehaviour::kOversized}};
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos) return false;
    const std::optional<double> share = ParseNumber(text.substr(equals + 1));
    if (!share || *share < 0 || *share > 1) return false;
    for (const auto& [name, behaviour] : kNames) {
      if (text.substr(0, equals) != name) continue;
      typed_.ke.shares[static_cast<std::size_t>(behaviour)] = *share;
      return true;
    }
    return false;
  }

  Typed typed_;
  CLI::App app_;
  CLI::App* ntp_ = nullptr;
  CLI::App* ke_ = nullptr;
  CLI::App* sweep_ = nullptr;
  CLI::App* report_ = nullptr;
  std::vector<CLI::Option*> placeholders_;
};

}  // namespace

std::optional<std::vector<IpAddress>> ParseSources(const std::string& text) {
  const std::optional<IpPrefix> prefix = IpPrefix::Parse(text);
  if (!prefix) return std::nullopt;
  const std::size_t host_bits = prefix->address.size() * 8 - prefix->length;
  const std::size_t count = host_bits >= 12 ? kSourcesMax : std::size_t{1} << host_bits;
  std::vector<IpAddress> sources;
  // Network and broadcast addresses of IPv4 are nobody's.
  const bool has_ends = prefix->address.is_v4 && host_bits >= 2;
  for (std::size_t i = has_ends ? 1 : 0; i < count; ++i) {
    if (has_ends && host_bits < 12 && i + 1 == count) break;
    IpAddress address = prefix->address;
    const std::size_t last = address.size() - 1;
    address.octets[last] = static_cast<std::uint8_t>(address.octets[last] | (i & 0xFF));
    address.octets[last - 1] = static_cast<std::uint8_t>(address.octets[last - 1] | (i >> 8));
    sources.push_back(address);
  }
  return sources;
}

Expected<CommandLine, CommandLineEnd> ParseCommandLine(int argument_count, const char* const* arguments) {
  return Parser().Parse(argument_count, arguments);
}

}  // namespace ntsd::load
