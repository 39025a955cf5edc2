// How connections to an NTS-KE server end, and what is measured of them.
//
// Threads: values; each belongs to one thread.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "bench/load/histogram.h"
#include "bench/load/settings.h"

namespace ntsd::load {

enum class KeEnding : std::uint8_t {
  kOk,           // keys and cookies
  kNotAccepted,  // the connection was refused
  kConnectTimeout,
  kConnectFailed,  // no route, no port or descriptor left on our side
  kTlsRefused,     // an alert
  kTlsFailed,      // the handshake broke otherwise
  kTlsClosed,      // the server closed, or reset, in the handshake
  kTlsTimeout,
  kErrorRecord,     // the server answered with an Error record
  kBadAnswer,       // an answer that a client must not use
  kExchangeClosed,  // closed without an answer
  kExchangeTimeout,
};
inline constexpr std::size_t kKeEndingCount = static_cast<std::size_t>(KeEnding::kExchangeTimeout) + 1;

std::string_view KeEndingName(KeEnding ending);
std::string_view KeBehaviourName(KeBehaviour behaviour);

struct KeTotals {
  std::array<std::array<std::uint64_t, kKeEndingCount>, kKeBehaviourCount> counts{};
  // Of honest clients that got their cookies.
  Histogram connect;
  Histogram tls;
  Histogram exchange;
  Histogram total;  // from the intended time
  // How long the server bore with the others.
  Histogram held;
  Histogram send_lag;  // from the intended time to the beginning of the connection
  std::uint64_t due = 0;
  std::uint64_t started = 0;
  Duration cpu{};

  std::uint64_t count(KeBehaviour behaviour, KeEnding ending) const {
    return counts[static_cast<std::size_t>(behaviour)][static_cast<std::size_t>(ending)];
  }
  void Count(KeBehaviour behaviour, KeEnding ending) {
    ++counts[static_cast<std::size_t>(behaviour)][static_cast<std::size_t>(ending)];
  }
  void Merge(const KeTotals& other);
  std::uint64_t ended(KeBehaviour behaviour) const;
};

}  // namespace ntsd::load
