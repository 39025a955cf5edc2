#include "server/main/operator.h"

#include <utility>

#include "server/main/report.h"

namespace ntsd {
namespace {

std::uint64_t SumOf(const std::vector<LabelledCount>& counts) {
  std::uint64_t sum = 0;
  for (const LabelledCount& count : counts) sum += count.count;
  return sum;
}

// The answer of a request that changes the ring: the ring afterwards, or why it is as it was.
template <typename Answer>
Expected<KeysReport, std::string> AfterChange(const KeeperThread& keeper, const Expected<Answer, Unanswered>& answer) {
  if (!answer) return Unexpected(std::string(DescribeUnanswered(answer.error())));
  if (!*answer) return Unexpected(answer->error().text);
  return MakeKeysReport(keeper.Status());
}

std::string ExportNote(const ExportedKeys& keys) {
  std::string note;
  if (!keys.left_out.empty()) {
    note = std::to_string(keys.left_out.size()) +
           " older keys do not fit into chrony's file: cookies of theirs are lost there";
  }
  if (keys.needs_chrony_4_6) {
    if (!note.empty()) note += "; ";
    note += "chronyd before 4.6 does not read this file and would overwrite it";
  }
  return note;
}

}  // namespace

StatusReport Operator::Status() {
  StatusReport status = MakeStatus(service_.Look());
  status.rates = {.ntp_requests_per_s = requests_.PerSecond(),
                  .ntp_nts_per_s = nts_.PerSecond(),
                  .ntp_dropped_per_s = dropped_.PerSecond(),
                  .ke_connections_per_s = connections_.PerSecond()};
  return status;
}

StatsReport Operator::Stats() { return {.families = MetricFamilies(TakeSnapshot(service_.Look()))}; }

Health Operator::Check() { return CheckHealth(service_.Look()); }

ClientsReport Operator::Clients(ClientOrder order, std::size_t count) {
  return MakeClients(service_.Look(), order, count);
}

KeysReport Operator::Keys() { return MakeKeysReport(service_.Look().keeper.Status()); }

Expected<KeysReport, std::string> Operator::RotateKeys() {
  KeeperThread& keeper = service_.Look().keeper;
  return AfterChange(keeper, keeper.Ask([](KeyKeeper& it) { return it.Rotate(); }));
}

Expected<KeysReport, std::string> Operator::RevokeKeys(std::optional<KeyId> id) {
  KeeperThread& keeper = service_.Look().keeper;
  return AfterChange(keeper, keeper.Ask([id](KeyKeeper& it) { return id ? it.Revoke(*id) : it.RevokeAll(); }));
}

Expected<KeyExport, std::string> Operator::ExportKeys(KeyFileFormat format) {
  auto keys = service_.Look().keeper.Ask([format](KeyKeeper& keeper) { return keeper.Export(format); });
  if (!keys) return Unexpected(std::string(DescribeUnanswered(keys.error())));
  return KeyExport{.text = std::string(keys->text), .note = ExportNote(*keys)};
}

Expected<KeysReport, std::string> Operator::ImportKeys(KeyFileFormat, const std::string& text) {
  // The first line of a file tells its format.
  KeeperThread& keeper = service_.Look().keeper;
  return AfterChange(keeper, keeper.Ask([file = SecretText(text)](KeyKeeper& it) { return it.Import(file); }));
}

Done Operator::Drain() {
  service_.RequestDrain();
  return {.note = "draining: what was asked is answered, then the server stops"};
}

Done Operator::SetLogLevel(LogLevel level) {
  service_.Look().log.SetLevel(level);
  return {.note = "until the next restart or reload"};
}

void Operator::CountRates() {
  const Service::View view = service_.Look();
  const MetricsSnapshot snapshot = TakeSnapshot(view);
  if (snapshot.ntp) {
    std::uint64_t all = 0;
    std::uint64_t nts = 0;
    for (const MetricsSnapshot::NtpRequests& requests : snapshot.ntp->requests) {
      all += requests.count;
      if (requests.is_nts) nts += requests.count;
    }
    requests_.Add(view.now, all);
    nts_.Add(view.now, nts);
    dropped_.Add(view.now, SumOf(snapshot.ntp->dropped));
  }
  if (snapshot.ke) connections_.Add(view.now, SumOf(snapshot.ke->connections));
}

}  // namespace ntsd
