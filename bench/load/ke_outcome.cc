#include "bench/load/ke_outcome.h"

#include <numeric>

namespace ntsd::load {

std::string_view KeEndingName(KeEnding ending) {
  switch (ending) {
    case KeEnding::kOk:
      return "ok";
    case KeEnding::kNotAccepted:
      return "not_accepted";
    case KeEnding::kConnectTimeout:
      return "connect_timeout";
    case KeEnding::kConnectFailed:
      return "connect_failed";
    case KeEnding::kTlsRefused:
      return "tls_refused";
    case KeEnding::kTlsFailed:
      return "tls_failed";
    case KeEnding::kTlsClosed:
      return "tls_closed";
    case KeEnding::kTlsTimeout:
      return "tls_timeout";
    case KeEnding::kErrorRecord:
      return "error_record";
    case KeEnding::kBadAnswer:
      return "bad_answer";
    case KeEnding::kExchangeClosed:
      return "exchange_closed";
    case KeEnding::kExchangeTimeout:
      return "exchange_timeout";
  }
  return "";
}

std::string_view KeBehaviourName(KeBehaviour behaviour) {
  switch (behaviour) {
    case KeBehaviour::kHonest:
      return "honest";
    case KeBehaviour::kSlow:
      return "slow";
    case KeBehaviour::kHalfOpen:
      return "half-open";
    case KeBehaviour::kGarbage:
      return "garbage";
    case KeBehaviour::kWrongAlpn:
      return "wrong-alpn";
    case KeBehaviour::kOversized:
      return "oversized";
  }
  return "";
}

void KeTotals::Merge(const KeTotals& other) {
  for (std::size_t behaviour = 0; behaviour < kKeBehaviourCount; ++behaviour) {
    for (std::size_t ending = 0; ending < kKeEndingCount; ++ending) {
      counts[behaviour][ending] += other.counts[behaviour][ending];
    }
  }
  connect.Merge(other.connect);
  tls.Merge(other.tls);
  exchange.Merge(other.exchange);
  total.Merge(other.total);
  held.Merge(other.held);
  send_lag.Merge(other.send_lag);
  due += other.due;
  started += other.started;
  cpu += other.cpu;
}

std::uint64_t KeTotals::ended(KeBehaviour behaviour) const {
  const auto& row = counts[static_cast<std::size_t>(behaviour)];
  return std::accumulate(row.begin(), row.end(), std::uint64_t{0});
}

}  // namespace ntsd::load
