// A service that answers with fixed reports and notes what it was asked.
#pragma once

#include <string>
#include <vector>

#include "server/control/message.h"
#include "server/control/service.h"

namespace ntsd::testing {

class FakeService : public ControlService {
 public:
  StatusReport Status() override {
    calls.push_back("status");
    StatusReport report;
    report.version = "0.1.0";
    report.keys = KeyRing();
    return report;
  }
  StatsReport Stats() override {
    calls.push_back("stats");
    MetricFamily counter{"ntsd_a_total", "A.", MetricKind::kCounter, {{{{"kind", "x"}}, 5, {}}}};
    MetricFamily histogram{"ntsd_b_seconds", "B.", MetricKind::kHistogram, {{{}, 0, {{1}, {2, 3}, 4}}}};
    return {{counter, histogram}};
  }
  Health Check() override {
    calls.push_back("check");
    return {{{"clock", false, "not synchronized"}}};
  }
  ClientsReport Clients(ClientOrder order, std::size_t count) override {
    calls.push_back(std::string(order == ClientOrder::kDrops ? "drops " : "rate ") + std::to_string(count));
    return {true, 1000, 900, {{"192.0.2.0/24", 12.5, 2.5, 0.25}}};
  }
  KeysReport Keys() override {
    calls.push_back("keys");
    return KeyRing();
  }
  Expected<KeysReport, std::string> RotateKeys() override {
    calls.push_back("rotate");
    if (!refusal.empty()) return Unexpected(refusal);
    return KeyRing();
  }
  Expected<KeysReport, std::string> RevokeKeys(std::optional<KeyId> id) override {
    calls.push_back("revoke " + (id ? FormatKeyId(*id) : "all"));
    if (!refusal.empty()) return Unexpected(refusal);
    return KeyRing();
  }
  Expected<KeyExport, std::string> ExportKeys(KeyFileFormat format) override {
    calls.push_back(format == KeyFileFormat::kChrony ? "export chrony" : "export ntsd");
    if (!refusal.empty()) return Unexpected(refusal);
    return KeyExport{"NKS0\n", "5 older keys are lost to chrony"};
  }
  Expected<KeysReport, std::string> ImportKeys(KeyFileFormat, const std::string& text) override {
    calls.push_back("import " + text);
    if (!refusal.empty()) return Unexpected(refusal);
    return KeyRing();
  }
  ReloadReport Reload() override {
    calls.push_back("reload");
    return {1, true, "", {"log.level"}, {"workers.ntp"}};
  }
  Done Drain() override {
    calls.push_back("drain");
    return {"draining"};
  }
  Done SetLogLevel(LogLevel level) override {
    calls.push_back("level " + std::string(LogLevelName(level)));
    return {};
  }

  static KeysReport KeyRing() { return {"generate", "/var/lib/ntsd/keys", "0011", 5, {{0xA1B2, "current", 1.5, 15}}}; }

  std::vector<std::string> calls;
  std::string refusal;  // when not empty, what every command on keys says
};

}  // namespace ntsd::testing
