// NTS-KE by many clients: as load of its own, and to get the associations that the NTP stage needs.
//
// Threads: called by main's thread, which waits for the load threads it makes.
// Errors: one line.
#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "bench/load/client.h"
#include "bench/load/ke_worker.h"
#include "bench/load/progress.h"
#include "core/base/expected.h"

namespace ntsd::load {

// What connections need to know, from what the user has said.
Expected<KePlan, std::string> MakeKePlan(const Target& target, const IpEndpoint& server,
                                         const std::vector<std::uint16_t>& aeads, std::vector<IpAddress> sources);

struct KeResult {
  IpEndpoint server;
  Duration length{};
  std::optional<double> rate;
  std::size_t concurrency = 0;
  std::size_t thread_count = 1;
  KeTotals totals;
  std::string last_problem;
  std::optional<Duration> server_cpu;

  double Seconds() const { return std::chrono::duration<double>(length).count(); }
  double OkRate() const;
  std::optional<double> ServerMicrosecondsPerHandshake() const;
};
std::vector<std::string> GeneratorLimits(const KeResult& result);

// Progress: `sent` are connections begun, `answered` those with cookies, `unexpected` the others that have ended.
KeResult RunKe(const KeSettings& settings, const KePlan& plan, std::optional<int> server_pid, const ShowProgress& show,
               const std::atomic<bool>& stop);

// Where the NTP server is that goes with the keys, and its clients.
struct Associations {
  std::string ntp_server;
  std::uint16_t ntp_port = 123;
  std::vector<Client> clients;
  Histogram total;  // time that each exchange took
};
// `count` clients, each with keys and cookies of its own.
Expected<Associations, std::string> Associate(const KePlan& plan, std::size_t count, const std::atomic<bool>& stop);

// Clients with random keys and cookies, for servers that look at neither (an echo), and clients without either.
std::vector<Client> MakeUpClients(std::size_t count, std::optional<AeadId> aead, Random& random);

}  // namespace ntsd::load
