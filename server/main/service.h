// Everything that runs: built in order, started, watched over, reloaded, and taken down in reverse.
//
// Threads: SetUp(), Run() and the destructor by main. The rest is called by the control thread and the metrics threads
//          between them; what they touch is either read-only after SetUp(), atomic, or under a mutex.
// Memory: owns all objects of the service; no globals.
// Errors: SetUp() says in one line what the environment does not allow; later nothing ends the service.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/base/published.h"
#include "core/crypto/fast_random.h"
#include "core/guard/guard.h"
#include "ke/certificate_keeper.h"
#include "ke/pool_tokens.h"
#include "ke/server.h"
#include "server/config/load.h"
#include "server/control/server.h"
#include "server/keys/file_operations.h"
#include "server/keys/keeper_thread.h"
#include "server/log.h"
#include "server/main/file_thread.h"
#include "server/main/listeners.h"
#include "server/main/notify.h"
#include "server/main/placement.h"
#include "server/main/settings.h"
#include "server/metrics/http_server.h"
#include "server/reference/watcher.h"
#include "server/sandbox/sandbox.h"
#include "server/system_clock.h"
#include "server/udp/card_clocks.h"
#include "server/udp/udp_worker.h"
#include "server/udp/wake_event.h"

namespace ntsd {

class Operator;

// How the configuration was found, so that a reload finds it again.
struct ConfigSource {
  std::string path;
  std::vector<std::string> overrides;
};

class Service {
 public:
  Service(ConfigSource source, Config config, Log& log);
  ~Service();
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  // Opens, loads and starts everything. Signals have to be blocked before. An empty text: it runs.
  std::string SetUp();
  // Serves until SIGTERM, SIGINT or a drain; then drains. Returns the exit status.
  int Run();

  // --- for the control thread and the metrics threads ---

  // Reads the configuration again and applies what can be applied without a restart; or changes nothing and says why.
  // Waits for the file thread, but not for long.
  ReloadReport Reload();
  // Ends Run().
  void RequestDrain();

  // What report.h and operator.h read.
  struct View;
  View Look() const;

 private:
  std::string OpenSockets();
  void OpenCards();
  const CardClocks* CardsInUse() const;
  void ForgoWhatABenchmarkWants();
  std::string LoadCertificates();
  std::string OpenReference();
  std::string BecomeServiceUser();
  std::string OpenKeys();
  std::string EnterSandbox();
  std::string MakeGuards();
  std::string MakeWorkers();
  std::string MakePorts(std::vector<std::unique_ptr<UdpPort>>& ports);
  void MakeKeServer();
  std::string StartThreads();
  std::string CloseSandbox();

  // By the file thread.
  ReloadReport ReloadFrom(const Config& next);
  ReloadReport ReloadNow();
  void PostReload();
  void LookAtFiles();
  void ReadLeapList();
  void Housekeep();
  void WarnOfSlowFiles();
  bool WorkersAnswer();
  void Drain();

  const ConfigSource source_;
  Log& log_;
  const SystemClock clock_;
  const MonotonicTime started_;
  const Aead* aead_ = nullptr;

  // Guards the next four and the guards' settings. Never held while anything waits for a disk: what watches over us
  // and what looks at us take it. The file thread alone changes config_, and reads it without.
  mutable std::mutex config_mutex_;
  Config config_;
  std::string confinement_;  // what is in force of the sandbox, in words
  ReloadReport last_reload_;
  std::uint64_t reloads_good_ = 0, reloads_bad_ = 0;

  const Descriptor signals_;
  Notifier notifier_;
  Sandbox sandbox_;
  CapabilitiesLeft capabilities_ = CapabilitiesLeft::kNone;
  StampsKept stamps_ = StampsKept::kAll;
  Placement placement_;
  Listeners listeners_;
  SystemCards system_cards_;
  std::unique_ptr<CardClocks> cards_;                                // where the configuration names interfaces
  std::vector<std::shared_ptr<const ke::TlsContext>> certificates_;  // by [[ke]] table, until the KE server has them
  std::vector<ke::Settings> ke_settings_;
  FastRandom reference_random_, keeper_random_, guard_random_;
  std::unique_ptr<ClockSource> clock_source_;
  Published<ServerState> state_{ServerState{}};
  std::unique_ptr<ReferenceWatcher> watcher_;
  SystemFileOperations file_operations_;
  std::unique_ptr<KeeperThread> keeper_;
  std::unique_ptr<Guard> ntp_guard_, ke_guard_;
  std::unique_ptr<InterleavedStore> departures_;  // where a listener does interleaved mode
  std::string engine_, engine_reason_;
  std::vector<std::unique_ptr<UdpWorker>> workers_;
  std::unique_ptr<ke::Server> ke_server_;
  std::vector<std::unique_ptr<ke::CertificateKeeper>> certificate_keepers_;  // by [[ke]] table; the file thread's
  std::unique_ptr<FileThread> file_thread_;
  std::unique_ptr<Operator> operator_;
  std::unique_ptr<ControlServer> control_;
  std::unique_ptr<MetricsServer> metrics_;

  WakeEvent drain_event_;
  std::atomic<bool> draining_{false};
  std::atomic<bool> workers_answer_{true};
  std::vector<std::uint64_t> pings_;
  MonotonicTime next_guard_sweep_{};
  MonotonicTime next_leap_list_{};         // the file thread's
  std::atomic<bool> reload_waits_{false};  // of those that signals ask for: one is enough
  bool files_are_slow_ = false;
};

// Read-only access to the parts, for whoever reports on them.
struct Service::View {
  const Aead& aead;
  const Listeners& listeners;
  const std::vector<std::unique_ptr<UdpWorker>>& workers;
  const ke::Server* ke_server;  // nullptr: this host does NTP only
  std::size_t ke_service_count;
  std::size_t ke_worker_count;
  ReferenceWatcher& watcher;
  KeeperThread& keeper;
  Log& log;
  MonotonicTime now;
  UnixTime wall;
  Duration uptime;
  std::vector<CardStatus> cards;
  std::string engine, engine_reason;
  std::string sandbox;  // what is in force, in words
  bool draining;
  bool workers_answer;
  Config config;
  ReloadReport last_reload;
  std::uint64_t reloads_good, reloads_bad;
};

}  // namespace ntsd
