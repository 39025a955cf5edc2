// What a run is to do, as the command line says.
//
// Threads: values.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bench/load/arrivals.h"
#include "core/base/ip_address.h"
#include "core/base/time.h"

namespace ntsd::load {

// Where the server is, and whom we trust.
struct Target {
  std::string host;
  std::uint16_t ke_port = 4460;
  std::optional<std::uint16_t> ntp_port;  // nothing: what NTS-KE says, or 123
  std::string server_name;                // for SNI and the certificate, when it is not the host
  std::string ca_file;
  bool is_insecure = false;
  bool is_own = false;  // --i-own-this-server
  std::optional<int> server_pid;
};

struct NtpSettings {
  bool is_plain = false;
  bool is_echo = false;  // the target is a bare echo: made-up keys and cookies, answers compared with requests
  std::uint8_t version = 4;
  std::uint16_t aead = 15;
  std::optional<std::size_t> placeholders;
  bool is_interleaved = false;
  bool has_fresh_cookies = false;

  std::size_t client_count = 100;
  std::size_t thread_count = 1;
  std::size_t socket_count = 16;      // source ports of each thread
  std::vector<IpAddress> sources;     // nothing: what the route gives
  std::vector<int> cpus;              // one a thread; nothing: wherever the system puts them
  std::optional<double> rate = 1000;  // nothing: as fast as it goes
  std::optional<std::size_t> window;  // closed loop
  ArrivalKind arrivals = ArrivalKind::kConstant;
  Duration length = std::chrono::seconds(10);
  Duration warm_up{};
  Duration timeout = std::chrono::seconds(1);
  std::size_t segments = 16;  // requests that one system call may hand over as one (UDP segmentation)
  std::uint64_t verify_every = 1;
  std::uint64_t stamp_every = 0;  // one request in so many with kernel stamps of its own; 0: none
  double forged = 0;
  double stale = 0;
  double garbage = 0;
};

// How clients of NTS-KE may misbehave.
enum class KeBehaviour : std::uint8_t {
  kHonest,
  kSlow,       // its octets one by one
  kHalfOpen,   // connects and says nothing
  kGarbage,    // random octets instead of TLS
  kWrongAlpn,  // TLS, but for another protocol
  kOversized,  // a request larger than anybody needs
};
inline constexpr std::size_t kKeBehaviourCount = 6;

struct KeSettings {
  std::vector<std::uint16_t> aeads{15};
  std::size_t thread_count = 1;
  std::vector<int> cpus;
  std::vector<IpAddress> sources;
  std::optional<double> rate = 10;  // nothing: fixed concurrency alone
  std::size_t concurrency = 64;     // connections at once at most
  ArrivalKind arrivals = ArrivalKind::kConstant;
  Duration length = std::chrono::seconds(10);
  Duration timeout = std::chrono::seconds(5);
  std::array<double, kKeBehaviourCount> shares{};  // of the misbehaving ones; the rest is honest
};

struct SweepSettings {
  NtpSettings ntp;
  double loss_max = 0.001;
  Duration p99_max = std::chrono::milliseconds(5);
  double rate_min = 1000;
  double rate_max = 2'000'000;
  double precision = 0.02;  // the search ends when it knows the rate so well
  unsigned repeats = 3;
  Duration step_length = std::chrono::seconds(2);
  bool has_curve = true;
  double overload_max = 4;  // the curve goes to so many times the found rate
};

}  // namespace ntsd::load
