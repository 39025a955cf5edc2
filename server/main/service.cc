#include "server/main/service.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "server/keys/file_key_source.h"
#include "server/main/confinement.h"
#include "server/main/operator.h"
#include "server/main/privileges.h"
#include "server/main/report.h"
#include "server/main/summary.h"
#include "server/udp/mmsg_port.h"
#include "server/udp/uring_port.h"

namespace ntsd {
namespace {

constexpr Duration kGuardSweepInterval = std::chrono::minutes(1);
constexpr Duration kFileLookInterval = std::chrono::seconds(5);
constexpr Duration kLeapListInterval = std::chrono::hours(1);
constexpr Duration kFilePatience = std::chrono::seconds(10);
constexpr Duration kRound = std::chrono::seconds(1);
constexpr Duration kDrainPatience = std::chrono::seconds(5);

void LogKe(Log& log, ke::LogLevel level, std::string_view text) {
  switch (level) {
    case ke::LogLevel::kInfo:
      log.Info(text);
      break;
    case ke::LogLevel::kWarning:
      log.Warning(text);
      break;
    case ke::LogLevel::kError:
      log.Error(text);
      break;
  }
}

void LogKeys(Log& log, KeyKeeper::Severity severity, const std::string& text) {
  switch (severity) {
    case KeyKeeper::Severity::kInfo:
      log.Info(text);
      break;
    case KeyKeeper::Severity::kWarning:
      log.Warning(text);
      break;
    case KeyKeeper::Severity::kError:
      log.Error(text);
      break;
  }
}

Descriptor OpenSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, signal);
  return Descriptor(signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC));
}

}  // namespace

Service::Service(ConfigSource source, Config config, Log& log)
    : source_(std::move(source)),
      log_(log),
      started_(clock_.Monotonic()),
      config_(std::move(config)),
      signals_(OpenSignals()) {}

Service::~Service() {
  // Whoever calls into us goes first.
  metrics_.reset();
  control_.reset();
  file_thread_.reset();
}

std::string Service::SetUp() {
  using Step = std::string (Service::*)();
  constexpr Step kSteps[] = {&Service::OpenSockets,       &Service::LoadCertificates, &Service::OpenReference,
                             &Service::BecomeServiceUser, &Service::OpenKeys,         &Service::EnterSandbox,
                             &Service::MakeGuards,        &Service::MakeWorkers,      &Service::StartThreads,
                             &Service::CloseSandbox};
  aead_ = SelectAead();
  if (aead_ == nullptr) return "NTSD_AEAD names an implementation that this CPU has not";
  const auto stamps = StampsOfEnvironment();
  if (!stamps) return "NTSD_STAMPS is neither \"unsampled\" nor \"none\"";
  stamps_ = *stamps;
  SetLimits();
  for (const Step step : kSteps) {
    std::string complaint = (this->*step)();
    if (!complaint.empty()) return complaint;
  }
  const View view = Look();
  log_.Info("ntsd " NTSD_VERSION " is serving", StartSummary(MakeStatus(view), view.config));
  for (const std::string& missing : sandbox_.missing()) {
    log_.Warning("a part of the sandbox is missing", {{"part", missing}});
  }
  return {};
}

std::string Service::OpenSockets() {
  placement_ = PlaceWorkers(config_.workers, AvailableCpus());
  if (config_.ntp.empty()) placement_.ntp.clear();
  auto inherited = InheritedSockets::Take();
  if (!inherited) return std::move(inherited.error());
  auto listeners = OpenListeners(config_, placement_.ntp.size(), std::move(*inherited));
  if (!listeners) return std::move(listeners.error());
  listeners_ = std::move(*listeners);
  if (config_.workers.spread == SpreadChoice::kCpu) {
    if (auto spread = SpreadByCpu(listeners_, placement_.ntp); !spread) return std::move(spread.error());
  }
  OpenCards();
  ForgoWhatABenchmarkWants();
  operator_ = std::make_unique<Operator>(*this);
  if (config_.metrics.listen) {
    auto metrics =
        MetricsServer::Open(*config_.metrics.listen, {.snapshot = [this] { return TakeSnapshot(Look()); },
                                                      .health = [this] { return CheckHealth(Look()); },
                                                      .is_working = [this] { return workers_answer_.load(); }});
    if (!metrics) return std::move(metrics.error());
    metrics_ = std::move(*metrics);
  }
  if (config_.control.socket.empty()) return {};
  const auto user = FindServiceUser(config_.process.user);
  if (!user) return user.error();
  auto control = ControlServer::Open({.path = config_.control.socket,
                                      .group = config_.control.group,
                                      .owner = *user ? (*user)->uid : geteuid(),
                                      .every_second = [this] { operator_->CountRates(); }},
                                     *operator_);
  if (!control) return std::move(control.error());
  control_ = std::move(*control);
  if (!control_->warning().empty()) log_.Warning(control_->warning());
  return {};
}

std::string Service::LoadCertificates() {
  for (const KeConfig& table : config_.ke) {
    auto context = ke::TlsContext::Load(CertificatePairs(table), clock_.Now());
    if (!context) return std::move(context.error());
    auto tokens = PoolTokensOf(table);
    if (!tokens) return std::move(tokens.error());
    certificates_.push_back(std::move(*context));
    ke_settings_.push_back(KeSettings(config_, table, std::move(*tokens)));
  }
  return {};
}

std::string Service::OpenReference() {
  const ReferenceSettings settings = ReferenceSettingsOf(config_);
  auto source = OpenClockSource(settings, clock_, reference_random_);
  if (!source) return std::move(source.error());
  watcher_ = std::make_unique<ReferenceWatcher>(settings, std::move(*source), clock_, state_, log_);
  return {};
}

std::string Service::BecomeServiceUser() {
  const auto user = FindServiceUser(config_.process.user);
  if (!user) return user.error();
  EmptyBoundingSet();
  if (*user) {
    if (const auto become = BecomeUser(**user); !become) return become.error();
  }
  const auto left = DropCapabilities();
  if (!left) return left.error();
  capabilities_ = *left;
  ForbidNewPrivileges();
  return {};
}

std::string Service::OpenKeys() {
  std::unique_ptr<KeySource> source;
  if (config_.keys.source == KeySourceKind::kFollow) {
    source = std::make_unique<FollowedKeyFile>(config_.keys.file, file_operations_);
  } else {
    auto own = OwnKeyFile::Open(config_.keys.file, file_operations_);
    if (!own) return std::move(own.error().text);
    source = std::move(*own);
  }
  auto keeper =
      KeyKeeper::Open(std::move(source), KeyPolicyOf(config_), clock_, keeper_random_,
                      [this](KeyKeeper::Severity severity, const std::string& text) { LogKeys(log_, severity, text); });
  if (!keeper) return std::move(keeper.error().text);
  keeper_ = std::make_unique<KeeperThread>(std::move(*keeper));
  return {};
}

// Before the first thread, since Landlock binds those that come later.
std::string Service::EnterSandbox() {
  if (config_.process.sandbox != SandboxMode::kOff) sandbox_.EnterDirectories(GrantsFor(config_, source_.path));
  return {};
}

// When all threads run and all files that stay open are open.
std::string Service::CloseSandbox() {
  if (config_.process.sandbox != SandboxMode::kOff) sandbox_.FilterCalls();
  // The control thread runs already, and wants to know what to report.
  const std::lock_guard lock(config_mutex_);
  confinement_ = DescribeConfinement(config_, sandbox_, capabilities_, engine_);
  return config_.process.sandbox == SandboxMode::kStrict ? WhyNotStrict(sandbox_, capabilities_) : std::string();
}

std::string Service::MakeGuards() {
  auto ntp = GuardPolicy::Make(NtpGuardSettings(config_));
  auto ke = GuardPolicy::Make(KeGuardSettings(config_));
  if (!ntp || !ke) return "the limits of the configuration cannot be kept: rate or burst is out of range";
  ntp_guard_ = std::make_unique<Guard>(kRateCellsDefault, std::move(*ntp), guard_random_);
  ke_guard_ = std::make_unique<Guard>(kKeRateCellsDefault, std::move(*ke), guard_random_);
  return {};
}

std::string Service::MakeWorkers() {
  std::vector<std::unique_ptr<UdpPort>> ports;
  if (std::string complaint = MakePorts(ports); !complaint.empty()) return complaint;
  const std::vector<ListenerPolicy> policies = ListenerPolicies(config_);
  if (std::any_of(policies.begin(), policies.end(), [](const ListenerPolicy& policy) { return policy.interleaved; })) {
    departures_ = std::make_unique<InterleavedStore>();
  }
  for (std::size_t i = 0; i < ports.size(); ++i) {
    auto random = std::make_unique<FastRandom>();
    auto responder = std::make_unique<Responder>(*aead_, keeper_->ring(), state_, clock_, *random, policies,
                                                 ntp_guard_.get(), departures_.get());
    if (stamps_ != StampsKept::kAll) responder->ForgoSamples();
    workers_.push_back(
        std::make_unique<UdpWorker>(std::move(ports[i]), std::move(random), std::move(responder), placement_.ntp[i]));
  }
  MakeKeServer();
  return {};
}

// io_uring where it is allowed, else recvmmsg; all workers take the same.
std::string Service::MakePorts(std::vector<std::unique_ptr<UdpPort>>& ports) {
  const std::size_t count = placement_.ntp.size();
  engine_ = "none";
  engine_reason_ = "no [[ntp]] table";
  if (count == 0) return {};
  std::string refusal;
  if (config_.workers.engine != EngineChoice::kMmsg) {
    for (std::size_t i = 0; i < count; ++i) {
      auto port = MakeUringPort(listeners_.SocketsOf(i), clock_, CardsInUse());
      if (!port) {
        refusal = std::move(port.error());
        ports.clear();
        break;
      }
      ports.push_back(std::move(*port));
    }
  }
  if (ports.size() == count) {
    engine_ = "io_uring";
    engine_reason_ = config_.workers.engine == EngineChoice::kAuto ? "this kernel has what it needs" : "configured";
    return {};
  }
  if (config_.workers.engine == EngineChoice::kIoUring)
    return "workers.engine = \"io_uring\" is not possible: " + refusal;
  for (std::size_t i = 0; i < count; ++i) ports.push_back(MakeMmsgPort(listeners_.SocketsOf(i), clock_, CardsInUse()));
  engine_ = "mmsg";
  engine_reason_ = refusal.empty() ? "configured" : "no io_uring: " + refusal;
  return {};
}

void Service::MakeKeServer() {
  if (config_.ke.empty()) return;
  ke::ServerOptions options;
  options.worker_count = placement_.ke_count;
  options.cpus = placement_.ke_cpus;
  options.prefixes = {.v4 = config_.limits.ke.prefixes.v4, .v6 = config_.limits.ke.prefixes.v6};
  options.guard = ke_guard_.get();
  options.log = [this](ke::LogLevel level, std::string_view text) { LogKe(log_, level, text); };
  std::vector<ke::Listener> sockets;
  for (KeListener& listener : listeners_.ke) {
    sockets.push_back({.fd = listener.socket.Release(), .service = listener.table});
  }
  const auto log = options.log;
  ke_server_ = std::make_unique<ke::Server>(std::move(options), ke_settings_, std::move(certificates_),
                                            std::move(sockets), keeper_->ring(), *aead_, clock_);
  for (std::size_t i = 0; i < config_.ke.size(); ++i) {
    certificate_keepers_.push_back(
        std::make_unique<ke::CertificateKeeper>(*ke_server_, i, CertificatePairs(config_.ke[i]), clock_, log));
  }
}

std::string Service::StartThreads() {
  ReadLeapList();
  watcher_->Tick();
  watcher_->Start();
  keeper_->Start();
  for (const auto& worker : workers_) {
    std::string complaint = worker->Start();
    if (!complaint.empty()) return complaint;
  }
  pings_.assign(workers_.size(), 0);
  if (ke_server_) ke_server_->Start();
  file_thread_ = std::make_unique<FileThread>(clock_, kFileLookInterval, [this] { LookAtFiles(); });
  file_thread_->Start();
  if (metrics_) metrics_->Start();
  if (control_) control_->Start();
  return {};
}

int Service::Run() {
  notifier_.Ready(fmt::format("serving by {} on {} workers", engine_, workers_.size()));
  pollfd waits[] = {{signals_.get(), POLLIN, 0}, {drain_event_.fd(), POLLIN, 0}};
  bool stop = false;
  // Ends: with SIGTERM, SIGINT or a drain.
  while (!stop) {
    poll(waits, std::size(waits),
         static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(kRound).count()));
    signalfd_siginfo signal{};
    while (read(signals_.get(), &signal, sizeof(signal)) == sizeof(signal)) {
      if (signal.ssi_signo == SIGHUP) {
        PostReload();
      } else {
        stop = true;
      }
    }
    stop = stop || drain_event_.Clear();
    Housekeep();
  }
  Drain();
  return 0;
}

void Service::Housekeep() {
  const MonotonicTime now = clock_.Monotonic();
  if (now >= next_guard_sweep_) {
    next_guard_sweep_ = now + kGuardSweepInterval;
    const std::lock_guard lock(config_mutex_);  // a reload by the control thread changes the guards' policies
    ntp_guard_->Housekeep(now);
    ke_guard_->Housekeep(now);
  }
  WarnOfSlowFiles();
  if (cards_) cards_->Look();
  workers_answer_ = WorkersAnswer();
  if (WatchdogInterval() && workers_answer_) notifier_.Watchdog();
}

void Service::LookAtFiles() {
  for (const auto& keeper : certificate_keepers_) keeper->Poll();
  if (clock_.Monotonic() >= next_leap_list_) ReadLeapList();
}

void Service::ReadLeapList() {
  watcher_->ReadLeapList();
  next_leap_list_ = clock_.Monotonic() + kLeapListInterval;
}

// Time is served all the same; only what is read from files stays as it is.
void Service::WarnOfSlowFiles() {
  const bool are_slow = file_thread_->BusyFor() > kFilePatience;
  if (are_slow == files_are_slow_) return;
  files_are_slow_ = are_slow;
  if (are_slow) {
    log_.Warning(
        "a file of the configuration or a certificate is not read to its end: reloads wait until its disk answers");
  } else {
    log_.Info("files are read again");
  }
}

// Every worker has come round since the last round; then all are asked again.
bool Service::WorkersAnswer() {
  bool all = true;
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    all = all && workers_[i]->AnsweredPings() >= pings_[i];
    pings_[i] = workers_[i]->Ping();
  }
  return all;
}

void Service::Drain() {
  draining_ = true;
  notifier_.Stopping();
  log_.Info("draining");
  if (ke_server_) {
    const std::size_t cut_off = ke_server_->Drain(kDrainPatience);
    if (cut_off > 0) log_.Warning("connections cut off", {{"count", std::to_string(cut_off)}});
  }
  for (const auto& worker : workers_) worker->Stop();
  if (metrics_) metrics_->Stop();
  control_.reset();
  file_thread_->Stop();
  keeper_->Stop();
  watcher_->Stop();
  log_.Info("stopped");
}

void Service::RequestDrain() {
  draining_ = true;
  drain_event_.Set();
}

Service::View Service::Look() const {
  const std::lock_guard lock(config_mutex_);
  const MonotonicTime now = clock_.Monotonic();
  return {.aead = *aead_,
          .listeners = listeners_,
          .workers = workers_,
          .ke_server = ke_server_.get(),
          .ke_service_count = ke_settings_.size(),
          .ke_worker_count = ke_server_ ? placement_.ke_count : 0,
          .watcher = *watcher_,
          .keeper = *keeper_,
          .log = log_,
          .now = now,
          .wall = clock_.Now(),
          .uptime = now - started_,
          .cards = cards_ ? cards_->Statuses() : std::vector<CardStatus>(),
          .engine = engine_,
          .engine_reason = engine_reason_,
          .sandbox = confinement_,
          .draining = draining_,
          .workers_answer = workers_answer_,
          .config = config_,
          .last_reload = last_reload_,
          .reloads_good = reloads_good_,
          .reloads_bad = reloads_bad_};
}

}  // namespace ntsd
