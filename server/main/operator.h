// Answers what ntsctl asks.
//
// Threads: the control thread, but CountRates(), which is that thread's, too. Errors: as ControlService says.
#pragma once

#include "server/control/rate_meter.h"
#include "server/control/service.h"
#include "server/main/service.h"

namespace ntsd {

class Operator final : public ControlService {
 public:
  explicit Operator(Service& service) : service_(service) {}

  StatusReport Status() override;
  StatsReport Stats() override;
  Health Check() override;
  ClientsReport Clients(ClientOrder order, std::size_t count) override;
  KeysReport Keys() override;
  Expected<KeysReport, std::string> RotateKeys() override;
  Expected<KeysReport, std::string> RevokeKeys(std::optional<KeyId> id) override;
  Expected<KeyExport, std::string> ExportKeys(KeyFileFormat format) override;
  Expected<KeysReport, std::string> ImportKeys(KeyFileFormat format, const std::string& text) override;
  ReloadReport Reload() override { return service_.Reload(); }
  Done Drain() override;
  Done SetLogLevel(LogLevel level) override;

  // Once a second.
  void CountRates();

 private:
  Service& service_;
  RateMeter requests_, nts_, dropped_, connections_;
};

}  // namespace ntsd
